//! `weave completion`: what a shell needs to complete commands.

use crate::Cli;
use crate::failure::Exit;
use crate::output::Output;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Prints the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(weave completion bash)
  weave completion zsh > \"${fpath[1]}/_weave\"
  weave completion fish > ~/.config/fish/completions/weave.fish")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    /// Does it.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn run(&self, out: Output) -> anyhow::Result<Exit> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "weave", &mut text);
        out.text(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Done)
    }
}
