//! A change that two people sign, one that could not wait, and a proof that an outsider checks.
//!
//! `cargo run -p powerloom-examples --bin governance`. You will see seven steps, on SQLite in a folder of its own: a plan
//! with what each of its lines will meet, the plan signed by two people, applied once and only as signed; a break-glass and
//! its review; the audit trail exported with a signed checkpoint and verified from the file alone; and an edited row, a cut
//! tail and a swapped pair, each of which that verification shows.

mod evidence;
mod glass;
mod house;
mod plan;
#[path = "../demo/screen.rs"]
mod screen;

use crate::house::House;
use crate::screen::{Ink, Screen};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Two people, a broken glass, and an offline proof.
#[derive(Debug, Parser)]
#[command(name = "governance", version, about)]
struct Args {
    /// Where the database, the export and the checkpoint are written; it is emptied first.
    #[arg(long, value_name = "FOLDER", default_value = "target/governance")]
    state: PathBuf,
    /// Without colour.
    #[arg(long)]
    no_color: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let screen = Screen::new(args.no_color);
    match tell(&args, screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{} {error:#}", screen.ink(Ink::Bad, "failed:"));
            ExitCode::FAILURE
        }
    }
}

async fn tell(args: &Args, screen: Screen) -> anyhow::Result<()> {
    let house = House::open(&args.state, screen).await?;
    plan::two_people(&house, screen).await?;
    glass::broken(&house, screen).await?;
    evidence::shown(&house, &args.state, screen).await?;
    println!();
    Ok(())
}
