//! `weave bootstrap`: an organization, its root OU and its first administrator, made in a store.

use crate::output::Output;
use crate::settings::Settings;
use powerloom_core::control_plane::ControlPlane;
use serde_json::json;
use std::path::PathBuf;

/// What `weave bootstrap` can be told.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
It works on the store itself, also while a server does. The first row of the organization's audit chain tells of it. Said again, \
it finds what it made.")]
pub(crate) struct Args {
    /// The file of settings the server has, for its store
    #[arg(long, value_name = "FILE", env = "POWERLOOM_CONFIG")]
    config: Option<PathBuf>,

    /// Where everything is kept: `sqlite:///var/lib/powerloom/loom.db`
    #[arg(long, value_name = "URL", env = "POWERLOOM_STORE", hide_env_values = true)]
    store: Option<String>,

    /// The organization: lower-case letters, digits and hyphens
    #[arg(long, value_name = "NAME")]
    org: String,

    /// Its first administrator
    #[arg(long, value_name = "EMAIL")]
    admin: String,

    /// Print one line of JSON; the same as -o json
    #[arg(long)]
    json: bool,
}

/// Makes the organization, or finds it.
///
/// # Errors
/// A name or an address that is none; an organization of that name without that user; a store that cannot be opened.
pub(crate) async fn run(args: Args, out: Output) -> anyhow::Result<()> {
    let file = args.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let said = Settings { store: args.store, ..Settings::default() }.over(&file)?;
    let loom = ControlPlane::builder(powerloom_store::open(said.store()?).await?).build();
    let org = loom.bootstrap(&args.org.parse()?, &args.admin.parse()?).await?;
    let value = json!({
        "organization": args.org, "organization_id": org.id, "root_ou_id": org.root_ou,
        "admin": args.admin, "admin_id": org.admin,
    });
    if !out.record(&value, args.json)? && !out.names([&args.org])? {
        out.line(&format!("organization   {}  {}", args.org, org.id))?;
        out.line(&format!("root OU        /{}  {}", args.org, org.root_ou))?;
        out.line(&format!("administrator  {}  {}", args.admin, org.admin))?;
    }
    Ok(())
}
