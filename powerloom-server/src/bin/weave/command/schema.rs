//! `weave schema`, `weave openapi`: what can be written, and what can be called.

use crate::failure::Exit;
use crate::weave::Weave;
use clap::Args;

/// Prints the JSON Schema of manifests, for an editor
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  weave schema > powerloom.schema.json
  # then, on the first line of a manifest:
  # yaml-language-server: $schema=powerloom.schema.json")]
pub(crate) struct Schema {}

/// Prints the OpenAPI document of the server
#[derive(Debug, Args)]
pub(crate) struct OpenApi {}

impl Schema {
    /// Does it.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        print(weave, "/manifests/schema").await
    }
}

impl OpenApi {
    /// Does it.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        print(weave, "/openapi.json").await
    }
}

/// Prints a document: as JSON, unless YAML was asked for.
async fn print(weave: &Weave, path: &str) -> anyhow::Result<Exit> {
    let document = weave.api.get(path).send().await?.json()?;
    let mut out = weave.out;
    if out.format != crate::output::Format::Yaml {
        out.format = crate::output::Format::Json;
    }
    out.value(&document)?;
    Ok(Exit::Done)
}
