//! What the demo can be told.

use clap::Parser;
use std::path::PathBuf;

/// One agent through its whole governed life: plan, apply, reconcile, invoke, stream, audit.
///
/// Needs nothing but itself: without ANTHROPIC_API_KEY it brings its own runtime, a local emulator of Claude Managed
/// Agents. With the key the same program does it on Anthropic's service (ANTHROPIC_BASE_URL for another one).
///
/// Running it again on the same folder finds everything as declared and changes nothing of it.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version)]
pub(crate) struct Args {
    /// Manifest files, or folders of them; those of this repository unless given
    pub(crate) manifests: Vec<PathBuf>,

    /// The folder that keeps the database, the master key and the emulator's state
    #[arg(long, default_value = "target/demo")]
    pub(crate) state: PathBuf,

    /// What the agent is asked; `call <server>.<tool> {json}` makes the emulator's scripted model call a tool
    #[arg(long, default_value = PROMPT)]
    pub(crate) prompt: String,

    /// Prints no colour (also with NO_COLOR set, or when the output is not a terminal)
    #[arg(long)]
    pub(crate) no_color: bool,

    /// Longest time to wait for the reconciler, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) patience: u64,
}

const PROMPT: &str = "Review this repository: what is here, and what does it promise?
call repo-files.list_files {\"path\": \".\"}
call repo-files.read_file {\"path\": \"README.md\"}
say Nothing here needs fixing.";
