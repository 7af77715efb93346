//! `weave token mint`: an access token by the installation's own keys, for whoever runs it and has no other way in yet.

use crate::duration::duration;
use crate::output::Output;
use crate::settings::Settings;
use anyhow::{Context, bail};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::name::Email;
use powerloom_core::record::Schema as _;
use powerloom_core::resource::user::User;
use powerloom_core::token::{FileSigningKeys, TokenOptions, TokenService, TokenType};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What `weave token mint` can be told.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
It needs what the server has: its store and the file of its signing keys. Whoever can read these can act as anybody, with this \
command or without; so minting is in no audit chain. What is done with the token is.")]
pub(crate) struct Args {
    /// The file of settings the server has
    #[arg(long, value_name = "FILE", env = "POWERLOOM_CONFIG")]
    config: Option<PathBuf>,

    /// Of a server started with --dev
    #[arg(long)]
    dev: bool,

    /// The folder of that server
    #[arg(long, value_name = "FOLDER", default_value = ".powerloom", requires = "dev")]
    folder: PathBuf,

    /// Where everything is kept
    #[arg(long, value_name = "URL", env = "POWERLOOM_STORE", hide_env_values = true)]
    store: Option<String>,

    /// The file of the signing keys
    #[arg(
        long = "keys",
        visible_alias = "signing-keys",
        value_name = "FILE",
        env = "POWERLOOM_SIGNING_KEYS"
    )]
    signing_keys: Option<PathBuf>,

    /// The URL people reach the server by
    #[arg(long, value_name = "URL", env = "POWERLOOM_PUBLIC_URL")]
    public_url: Option<String>,

    /// The `iss` of its tokens [default: the public URL]
    #[arg(long, value_name = "TEXT", env = "POWERLOOM_ISSUER")]
    issuer: Option<String>,

    /// The `aud` of its access tokens [default: the public URL]
    #[arg(long, value_name = "TEXT", env = "POWERLOOM_AUDIENCE")]
    audience: Option<String>,

    /// The user's organization
    #[arg(long, value_name = "NAME")]
    org: String,

    /// The user
    #[arg(long, value_name = "EMAIL")]
    user: String,

    /// How long it is good: `90s`, `15m` or `1h`, at most an hour
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    lifetime: Duration,

    /// Print one line of JSON; the same as -o json
    #[arg(long)]
    json: bool,
}

/// Prints the token.
///
/// # Errors
/// An organization or a user who is not there or is disabled; keys or a store that cannot be opened.
pub(crate) async fn run(args: Args, out: Output) -> anyhow::Result<()> {
    let settings = args.effective()?;
    let loom = ControlPlane::builder(powerloom_store::open(settings.store()?).await?).build();
    let path = settings.signing_keys()?;
    if !path.exists() {
        // Opening would make a new one, which no server knows.
        bail!("`{}` is not there: it must be the file the server signs by", path.display());
    }
    let keys = FileSigningKeys::open(path, &SystemEntropy)?;
    let said = |value: &Option<String>| value.clone().unwrap_or_default();
    let options = TokenOptions::new(said(&settings.issuer), said(&settings.audience));
    let tokens = TokenService::new(&loom, Arc::new(keys), options)?;
    let store = loom.store();
    let org = store.org_by_slug(&args.org).await?;
    let org = org.with_context(|| format!("there is no organization `{}`", args.org))?;
    let email: Email = args.user.parse()?;
    let user = store.record_by_unique_key(org.id, &User::KIND, email.as_str()).await?;
    let user = user.with_context(|| format!("there is no user `{email}` in `{}`", args.org))?;
    let token = tokens.mint_access(org.id, user.meta.id, args.lifetime).await?;
    let value = json!({ "token": token.reveal(), "expires_at": token.expires_at() });
    if !out.record(&value, args.json)? {
        out.line(token.reveal())?;
    }
    Ok(())
}

impl Args {
    fn effective(&self) -> anyhow::Result<Settings> {
        let file = self.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        let said = Settings {
            store: self.store.clone(),
            signing_keys: self.signing_keys.clone(),
            public_url: self.public_url.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            ..Settings::default()
        };
        let said = said.over(&file)?;
        if self.dev { said.over(&Settings::dev(&self.folder))?.complete() } else { said.complete() }
    }
}

/// A duration within what an access token may last.
fn lifetime(text: &str) -> Result<Duration, String> {
    let most = TokenType::Access.max_lifetime();
    match duration(text)? {
        longer if longer > most => Err("an access token is good for an hour at most".to_owned()),
        lifetime => Ok(lifetime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_no_longer_than_an_access_token_may_last() {
        assert_eq!(lifetime("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(lifetime("1h"), Ok(Duration::from_secs(3600)));
        assert!(lifetime("61m").is_err() && lifetime("1d").is_err());
    }
}
