//! What every command can be told, and where it leads: a flag goes before the environment, that before the context.

use crate::api::Api;
use crate::api::http::Http;
use crate::api::in_process::InProcess;
use crate::context::{Context, File};
use crate::failure::Usage;
use crate::output::{Colour, Format, Output};
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What every command can be told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where and as whom")]
pub(crate) struct Options {
    /// The server, such as https://loom.acme.com [env: POWERLOOM_URL]
    ///
    /// The token comes from POWERLOOM_TOKEN, or from the context of this server that `weave login` has kept. It is never an
    /// argument: others see those.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// A store without a server, such as sqlite://loom.db [env: POWERLOOM_STORE]
    ///
    /// The program then is its own server for as long as the command takes: everything is authorized, gated and audited as
    /// ever. Nothing is pushed to the runtime by it; that is what `weave serve` does. With `memory:` it starts from an empty
    /// organization and forgets everything: good for trying a plan.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// The context to use instead of the current one; see `weave context`
    #[arg(long, global = true, value_name = "NAME", env = "POWERLOOM_CONTEXT")]
    pub(crate) context: Option<String>,

    /// With --store: the organization, if the store has several
    #[arg(long, global = true, value_name = "SLUG", env = "POWERLOOM_ORG")]
    pub(crate) org: Option<String>,

    /// With --store: the user to act as; unless given, the only administrator
    #[arg(long = "as", global = true, value_name = "EMAIL", env = "POWERLOOM_AS")]
    pub(crate) act_as: Option<String>,

    /// With --store: the file of the master keys that seal secrets; without it they come from POWERLOOM_MASTER_KEY
    #[arg(long, global = true, value_name = "FILE", env = "POWERLOOM_MASTER_KEYS")]
    pub(crate) master_keys: Option<PathBuf>,

    /// A file with certificates (PEM) to trust beside the system's
    #[arg(long, global = true, value_name = "FILE", env = "POWERLOOM_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,

    /// How results are written
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Output"
    )]
    pub(crate) output: Format,

    /// When there is colour; NO_COLOR is obeyed
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: Colour,
}

/// Where a command goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// A server.
    Server {
        /// Its URL.
        url: String,
        /// Where its token comes from.
        token: Token,
        /// Certificates to trust beside the system's.
        ca_cert: Option<PathBuf>,
    },
    /// A store, in this process.
    Store {
        /// Its URL.
        url: String,
    },
}

/// Where a token comes from.
#[derive(Debug)]
pub(crate) enum Token {
    /// From the environment.
    Environment(Zeroizing<String>),
    /// From a context.
    Context(Box<Context>),
    /// There is none.
    None,
}

/// An environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Options {
    /// Where and how to print.
    pub(crate) fn printer(&self) -> Output {
        Output::new(self.output, self.color)
    }

    /// Where the command goes.
    ///
    /// # Errors
    /// [`Usage`] where two places are named, or none.
    pub(crate) fn target(&self) -> anyhow::Result<Target> {
        let both = |how: &str| Usage(format!("{how} name both a server and a store: use one of them"));
        let (server, store) = match (&self.server, &self.store) {
            (Some(_), Some(_)) => return Err(both("--server and --store").into()),
            (None, None) if self.context.is_some() => (None, None),
            (None, None) => match (variable("POWERLOOM_URL"), variable("POWERLOOM_STORE")) {
                (Some(_), Some(_)) => return Err(both("POWERLOOM_URL and POWERLOOM_STORE").into()),
                found => found,
            },
            given => (given.0.clone(), given.1.clone()),
        };
        if let Some(url) = store {
            return Ok(Target::Store { url });
        }
        let file = File::read()?;
        let context = match &server {
            Some(url) => file.of_server(url, self.context.as_deref()),
            None => Some(file.chosen(self.context.as_deref())?),
        };
        let token = match variable("POWERLOOM_TOKEN") {
            Some(token) => Token::Environment(Zeroizing::new(token)),
            None => context.clone().map_or(Token::None, |context| Token::Context(Box::new(context))),
        };
        let url = server.or_else(|| context.as_ref().map(|context| context.server.clone()));
        let url = url.ok_or_else(|| Usage("say where: `--server <url>` or `--store <url>`".to_owned()))?;
        let ca_cert = self.ca_cert.clone().or_else(|| context.and_then(|context| context.ca_cert));
        Ok(Target::Server { url, token, ca_cert })
    }

    /// The API to call.
    ///
    /// # Errors
    /// As [`target`](Self::target); a store, a token or a certificate that cannot be had.
    pub(crate) async fn api(&self) -> anyhow::Result<Api> {
        match self.target()? {
            Target::Store { url } => {
                let (org, who) = (self.org.as_deref(), self.act_as.as_deref());
                let router = InProcess::open(&url, org, who, self.master_keys.as_deref()).await?;
                Ok(Api::over(Box::new(router)))
            }
            Target::Server { url, token, ca_cert } => {
                if self.org.is_some() || self.act_as.is_some() {
                    let why = "--org and --as go with --store; with a server the token says who you are";
                    return Err(Usage(why.to_owned()).into());
                }
                let token = token.read().await.context("the token")?;
                Ok(Api::over(Box::new(Http::new(&url, token, ca_cert.as_deref())?)))
            }
        }
    }
}

impl Token {
    /// The token itself.
    ///
    /// # Errors
    /// A command that fails or prints nothing.
    async fn read(self) -> anyhow::Result<Option<Zeroizing<String>>> {
        match self {
            Self::None => Ok(None),
            Self::Environment(token) => Ok(Some(Zeroizing::new(token.trim().to_owned()))),
            Self::Context(context) => context.token().await,
        }
    }
}
