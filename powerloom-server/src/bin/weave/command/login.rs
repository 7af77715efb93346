//! `weave login`: keeps a server and its token.

use crate::api::Api;
use crate::api::http::Http;
use crate::context::{Context, File};
use crate::failure::{Exit, Usage};
use crate::options::{Options, warn_in_the_clear};
use crate::output::plain;
use crate::weave::Identity;
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Read};
use zeroize::Zeroizing;

/// Keeps a server and its token as a context, after checking them
///
/// The token is asked for without being shown, or read from standard input where that is no terminal. It is never an argument.
/// It is kept in a file that only you can read; with --token-command a command is kept instead, which prints the token each time.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave login --server https://loom.acme.com
  pass show loom | weave login --server https://loom.acme.com --name acme
  weave login --server https://loom.acme.com --token-command 'vault read -field=token secret/loom'")]
pub(crate) struct Login {
    /// What to call the context; unless given, the organization
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A command that prints the token, kept instead of a token
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
}

impl Login {
    /// Does it.
    ///
    /// # Errors
    /// A server that does not take the token; a file that cannot be written.
    pub(crate) async fn run(self, options: &Options) -> anyhow::Result<Exit> {
        let out = options.printer();
        for (option, is_given) in [
            ("--store", options.store.is_some()),
            ("--context", options.context.is_some()),
            ("--org", options.org.is_some()),
            ("--as", options.act_as.is_some()),
        ] {
            if is_given {
                return Err(Usage(format!("a login is to a server: {option} says nothing here")).into());
            }
        }
        let server = options.server.clone().or_else(|| crate::options::variable("POWERLOOM_URL"));
        let server = server.ok_or_else(|| Usage("say which server: `--server <url>`".to_owned()))?;
        let mut file = File::read()?;
        let ca_cert = options.ca_cert.as_deref().map(std::path::absolute).transpose()?;
        let mut context = Context { server, token: None, token_command: self.token_command, ca_cert };
        warn_in_the_clear(&context.server, out)?;
        if context.token_command.is_none() {
            context.token = Some(asked()?.trim().to_owned());
        }
        let token = context.token().await?;
        let api = Api::over(Box::new(Http::new(&context.server, token, context.ca_cert.as_deref())?));
        let me: Identity = api.get("/whoami").send().await?.read()?;
        let name = self.name.unwrap_or_else(|| me.root().trim_start_matches('/').to_owned());
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Usage("the context needs a name: `--name <name>`".to_owned()).into());
        }
        file.contexts.insert(name.clone(), context);
        file.current = Some(name.clone());
        file.write()?;
        let value = json!({ "context": name, "principal": me.name(), "organization": me.root().trim_start_matches('/') });
        if out.value(&value)? || out.names([&name])? {
            return Ok(Exit::Done);
        }
        let (who, where_) = (plain::line(me.name()).into_owned(), plain::line(me.root()).into_owned());
        out.line(&format!(
            "{} as {who} of {where_}; context `{}` is current",
            out.ink.good("logged in"),
            plain::line(&name)
        ))?;
        Ok(Exit::Done)
    }
}

/// The token: asked for without being shown, or whatever standard input brings.
fn asked() -> anyhow::Result<Zeroizing<String>> {
    let token = if std::io::stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password("Token: ")?)
    } else {
        let mut text = Zeroizing::new(String::new());
        std::io::stdin().read_to_string(&mut text)?;
        text
    };
    if token.trim().is_empty() {
        return Err(Usage("there is no token on standard input".to_owned()).into());
    }
    Ok(token)
}
