//! `weave`: Powerloom at the command line.

mod bootstrap;
mod mint;
mod serve;
mod settings;

use clap::{Parser, Subcommand};
use powerloom_runtime::emulator::Program as Emulator;
use std::io::Write as _;
use std::process::ExitCode;

/// Powerloom: a governed control plane for AI agents.
#[derive(Debug, Parser)]
#[command(name = "weave", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the REST API, reconcile what is declared, run sessions.
    Serve(Box<serve::Args>),
    /// Make an organization with its first administrator, in a store.
    Bootstrap(bootstrap::Args),
    /// Tokens of an installation.
    #[command(subcommand)]
    Token(Token),
    /// Run a local server that speaks the Claude Managed Agents protocol.
    CmaEmulator(Emulator),
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Mint an access token with the installation's own signing keys.
    Mint(mint::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(*args).await,
        Command::Bootstrap(args) => bootstrap::run(args).await,
        Command::Token(Token::Mint(args)) => mint::run(args).await,
        Command::CmaEmulator(emulator) => emulator.run().await.map_err(anyhow::Error::from_boxed),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weave: {error:#}");
            ExitCode::FAILURE
        }
    }
}
