//! `weave export`: the documents that would declare what is there.

use crate::failure::Exit;
use crate::output::{Format, plain};
use crate::weave::Weave;
use clap::Args;
use std::io::IsTerminal;

/// Writes the documents that would declare everything you may read
///
/// Applying them changes nothing. No secret is among them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave export > acme.yaml
  weave export -o json")]
pub(crate) struct Export {}

impl Export {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let call = weave.api.get("/manifests/export");
        if matches!(weave.out.format, Format::Json) {
            weave.out.value(&call.send().await?.json()?)?;
            return Ok(Exit::Done);
        }
        let answer = call.header("accept", "application/yaml").send().await?;
        if std::io::stdout().is_terminal() {
            weave.out.text(&plain::block(&String::from_utf8_lossy(&answer.bytes)))?;
        } else {
            // A file gets it as it is: what is escaped for people would not be the same document.
            weave.out.bytes(&answer.bytes)?;
        }
        Ok(Exit::Done)
    }
}
