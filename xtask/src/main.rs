//! The tasks of this repository: `cargo xtask test` is what a change must pass, here and in CI.

mod checks;
mod programs;
mod python;
mod shell;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// The tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything a change must pass: format, lints, tests, documentation, clean layers, the demo twice.
    ///
    /// Prepares what the tests need: a Python environment with the official SDK below `target/`; bash, curl and zsh.
    Test,
    /// Only the quick half: format, lints, documentation, clean layers.
    Lint,
    /// Only prepares what the tests need, and prints the Python interpreter.
    Prepare,
    /// Writes the checked-in OpenAPI document and the schema of manifests anew, after routes or kinds have changed.
    #[command(name = "openapi")]
    OpenApi,
}

fn main() -> anyhow::Result<()> {
    match Args::parse().task {
        Task::Test => {
            checks::lint()?;
            checks::test(&prepare()?)?;
            checks::demo()
        }
        Task::Lint => checks::lint(),
        Task::Prepare => {
            println!("{}", prepare()?.display());
            Ok(())
        }
        Task::OpenApi => checks::write_documents(),
    }
}

/// Prepares what the tests need, and returns the Python interpreter.
fn prepare() -> anyhow::Result<PathBuf> {
    programs::prepare()?;
    python::prepare()
}
