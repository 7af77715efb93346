//! What every command can be told, and where it leads: a flag goes before the environment, that before the context.

use crate::api::Api;
use crate::api::http::{Http, is_in_the_clear};
use crate::api::in_process::InProcess;
use crate::context::{Context, File};
use crate::failure::Usage;
use crate::output::{Colour, Format, Output, plain};
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
    /// argument: others see those. POWERLOOM_TOKEN goes to no server but the one of --server or POWERLOOM_URL: where a context
    /// says the server, its own token counts.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// A store without a server, such as sqlite://loom.db [env: POWERLOOM_STORE]
    ///
    /// The program then is its own server for as long as the command takes: everything is authorized, gated and audited as
    /// ever. Nothing is pushed to the runtime by it; that is what `weave serve` does. With `memory:` it starts from an empty
    /// organization and forgets everything: good for trying a plan.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// The context to use instead of the current one; see `weave context` [env: POWERLOOM_CONTEXT]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// With --store: the organization, if the store has several [env: POWERLOOM_ORG]
    #[arg(long, global = true, value_name = "SLUG")]
    pub(crate) org: Option<String>,

    /// With --store: the user to act as; unless given, the only administrator [env: POWERLOOM_AS]
    #[arg(long = "as", global = true, value_name = "EMAIL")]
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
        let both = |how: &str| Usage(format!("{how} name two places: use one of them"));
        match (&self.server, &self.store, &self.context) {
            (Some(_), Some(_), _) => Err(both("--server and --store").into()),
            (Some(_), _, Some(_)) => Err(both("--context and --server").into()),
            (_, Some(_), Some(_)) => Err(both("--context and --store").into()),
            (Some(url), None, None) => self.by_url(url.clone()),
            (None, Some(url), None) => Ok(Target::Store { url: url.clone() }),
            (None, None, Some(name)) => self.by_context(Some(name)),
            (None, None, None) => match (variable("POWERLOOM_URL"), variable("POWERLOOM_STORE")) {
                _ if variable("POWERLOOM_CONTEXT").is_some() => {
                    self.by_context(variable("POWERLOOM_CONTEXT").as_deref())
                }
                (Some(_), Some(_)) => Err(both("POWERLOOM_URL and POWERLOOM_STORE").into()),
                (Some(url), None) => self.by_url(url),
                (None, Some(url)) => Ok(Target::Store { url }),
                (None, None) => self.by_context(None),
            },
        }
    }

    /// A server that is named by its URL: the token of the environment is meant for it.
    fn by_url(&self, url: String) -> anyhow::Result<Target> {
        let context = File::read()?.of_server(&url, variable("POWERLOOM_CONTEXT").as_deref());
        let ca_cert =
            self.ca_cert.clone().or_else(|| context.as_ref().and_then(|found| found.ca_cert.clone()));
        let token = match variable("POWERLOOM_TOKEN") {
            Some(token) => Token::Environment(Zeroizing::new(token)),
            None => context.map_or(Token::None, |context| Token::Context(Box::new(context))),
        };
        Ok(Target::Server { url, token, ca_cert })
    }

    /// The server of a context, with the token of this context and no other: one of the environment may be for another server.
    fn by_context(&self, name: Option<&str>) -> anyhow::Result<Target> {
        let context = File::read()?.chosen(name)?;
        let url = context.server.clone();
        let ca_cert = self.ca_cert.clone().or_else(|| context.ca_cert.clone());
        Ok(Target::Server { url, token: Token::Context(Box::new(context)), ca_cert })
    }

    /// The API to call.
    ///
    /// # Errors
    /// As [`target`](Self::target); a store, a token or a certificate that cannot be had.
    pub(crate) async fn api(&self) -> anyhow::Result<Api> {
        match self.target()? {
            Target::Store { url } => {
                let org = self.org.clone().or_else(|| variable("POWERLOOM_ORG"));
                let who = self.act_as.clone().or_else(|| variable("POWERLOOM_AS"));
                let (org, who) = (org.as_deref(), who.as_deref());
                let router = InProcess::open(&url, org, who, self.master_keys.as_deref()).await?;
                Ok(Api::over(Box::new(router)))
            }
            Target::Server { url, token, ca_cert } => {
                if self.org.is_some() || self.act_as.is_some() {
                    let why = "--org and --as go with --store; with a server the token says who you are";
                    return Err(Usage(why.to_owned()).into());
                }
                let token = token.read().await.context("the token")?;
                if token.is_some() {
                    warn_in_the_clear(&url, self.printer())?;
                }
                Ok(Api::over(Box::new(Http::new(&url, token, ca_cert.as_deref())?)))
            }
        }
    }
}

/// Says on standard error that a token will travel where others can read it.
///
/// # Errors
/// Those of writing.
pub(crate) fn warn_in_the_clear(url: &str, out: Output) -> std::io::Result<()> {
    if !is_in_the_clear(url) {
        return Ok(());
    }
    let (word, url) = (out.err_ink.busy("warning:"), plain::line(url));
    out.note(&format!(
        "{word} the token travels in the clear to {url}: whoever is between can take it; use https"
    ))
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
