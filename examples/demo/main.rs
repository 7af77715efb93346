//! One agent through its whole governed life: declared, reconciled, invoked, streamed, audited; and a denial explained.
//!
//! You will see eight steps. Without `ANTHROPIC_API_KEY` everything runs in this one process: SQLite, the emulator of
//! Claude Managed Agents, and a real MCP server over this repository's files. A second run on the same folder changes
//! nothing that was declared.

mod args;
mod files_server;
mod house;
mod intake;
mod life;
mod screen;

use crate::args::Args;
use crate::screen::{Ink, Screen};
use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // Silent unless RUST_LOG asks: the demo speaks for itself.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let screen = Screen::new(args.no_color);
    match life::live(&args, screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{} {error:#}", screen.ink(Ink::Bad, "failed:"));
            ExitCode::FAILURE
        }
    }
}
