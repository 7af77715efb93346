//! `weave token`: API tokens, for programs.

use crate::age::{age, moment};
use crate::api::call::Terms;
use crate::api::segment;
use crate::command::get::cell;
use crate::duration::duration;
use crate::failure::Exit;
use crate::mint;
use crate::output::plain;
use crate::output::table::Table;
use crate::reference::{field, principal};
use crate::weave::Weave;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Makes, lists and revokes API tokens
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave token create ci --scope agent:read --scope agent:invoke --lifetime 90d
  weave token create ci --scope agent:read -o name > token
  weave token list
  weave token revoke 0190b6e4-7c57-7f00-8000-000000000001")]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a token; it is shown this once
    Create(Create),
    /// Lists tokens; never their secrets
    #[command(visible_alias = "ls")]
    List(List),
    /// Revokes a token at once
    Revoke(Revoke),
    /// Mints an access token of a person with the installation's own signing keys
    Mint(mint::Args),
}

#[derive(Debug, Args)]
#[command(after_help = "With -o name the token alone is on standard output, for a file or a pipe.")]
pub(crate) struct Create {
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,

    /// What it may be used for: agent:read; may be given more than once
    #[arg(long, value_name = "PERMISSION", required = true)]
    scope: Vec<String>,

    /// Whom it stands for; unless given, you
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,

    /// How long it is good: 30m, 12h, 90d
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "expires_at")]
    lifetime: Option<Duration>,

    /// When it ends, RFC 3339
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

/// Lists tokens.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Revoked ones too
    #[arg(long)]
    revoked: bool,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token's id
    #[arg(value_name = "TOKEN")]
    id: String,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,

    /// Goes on without asking
    #[arg(short, long)]
    yes: bool,
}

impl Token {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::Create(create) => create.run(weave).await,
            Command::List(list) => list.run(weave).await,
            Command::Revoke(revoke) => revoke.run(weave).await,
            // It needs no server.
            Command::Mint(args) => mint::run(args, weave.out).await.map(|()| Exit::Done),
        }
    }
}

impl Create {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let mut body = json!({ "name": self.name, "scopes": self.scope });
        if let Some(body) = body.as_object_mut() {
            if let Some(lifetime) = &self.lifetime {
                body.insert("lifetime_seconds".to_owned(), json!(lifetime.as_secs()));
            }
            if let Some(end) = &self.expires_at {
                body.insert("expires_at".to_owned(), json!(end));
            }
            body.extend(self.principal.as_deref().map(principal));
        }
        let terms = Terms { justification: self.justification };
        // Without a key: the secret is shown once, and an answer that is kept for a second asking would hold it.
        let answer = weave.api.post("/tokens").json(&body).terms(&terms).send().await?;
        let made = answer.json()?;
        let exit = if answer.status == 202 { Exit::Waits } else { Exit::Done };
        if weave.out.value(&made)? {
            return Ok(exit);
        }
        // Only here, and only once: everything else about it goes to standard error.
        weave.out.line(&plain::line(field(&made, "token")))?;
        let end = field(&made, "expires_at");
        let end = if end.is_empty() { String::new() } else { format!(", good until {}", moment(end)) };
        let wait = match field(&made, "request_id") {
            "" => String::new(),
            request => format!("; it is good once {request} is approved"),
        };
        let about = format!("token {}{end}{wait}; it is not shown again", field(&made, "id"));
        weave.out.note(&weave.out.err_ink.dim(plain::line(&about)))?;
        Ok(exit)
    }
}

impl List {
    /// All of them, or those that are revoked.
    pub(crate) const fn all(revoked: bool, limit: Option<usize>) -> Self {
        Self { revoked, limit }
    }

    /// Does it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let query: Vec<_> = self.revoked.then(|| ("revoked", "true".to_owned())).into_iter().collect();
        let items = weave.api.list("/tokens", &query, self.limit).await?;
        if weave.out.value(&json!({ "items": items }))? {
            return Ok(Exit::Done);
        }
        if weave.out.names(items.iter().map(|token| field(token, "id")))? {
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["ID", "NAME", "FOR", "SCOPES", "AGE", "EXPIRES"]);
        let now = Timestamp::now();
        for token in &items {
            let whom = ["principal_ref", "principal"]
                .iter()
                .find_map(|name| token.get(name).filter(|who| who.is_string()));
            table.row([
                field(token, "id").to_owned(),
                field(token, "name").to_owned(),
                cell(whom),
                cell(token.get("scopes")),
                age(field(token, "created_at"), now),
                age(field(token, "expires_at"), now),
            ]);
        }
        weave.out.table(&table)?;
        Ok(Exit::Done)
    }
}

impl Revoke {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        weave.announce(None).await?;
        if !weave.confirm(&format!("Revoke the token {} for good?", self.id), self.yes)? {
            weave.out.note("nothing was changed")?;
            return Ok(Exit::Failed);
        }
        let terms = Terms { justification: self.justification };
        let call = weave.api.delete(format!("/tokens/{}", segment(&self.id)));
        let answer = call.terms(&terms).once().send().await?;
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        if !weave.out.value(&json!({ "id": self.id, "status": "revoked" }))?
            && !weave.out.names([&self.id])?
        {
            weave.out.line(&format!("{} {}", weave.out.ink.good("revoked"), plain::line(&self.id)))?;
        }
        Ok(Exit::Done)
    }
}
