//! `--dev`: everything in one folder, nothing to set up.

use crate::serve::keys::Keys;
use crate::settings::Settings;
use anyhow::Context;
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::token::TokenType;
use std::path::PathBuf;

/// A server to try things on.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Dev {
    /// Serve from one folder, with everything made that is not there: store, keys, an organization, an administrator, an
    /// emulator of Claude Managed Agents
    #[arg(long)]
    pub(crate) dev: bool,

    /// That folder
    #[arg(long, value_name = "FOLDER", default_value = ".powerloom", requires = "dev")]
    pub(crate) folder: PathBuf,

    /// The organization that is made there
    #[arg(long, value_name = "NAME", default_value = "dev", requires = "dev")]
    org: String,

    /// Its administrator [default: admin@<organization>.com]
    #[arg(long, value_name = "EMAIL", requires = "dev")]
    admin: Option<String>,

    /// Print one line of JSON instead of a story; the same as -o json
    #[arg(long, requires = "dev")]
    pub(crate) json: bool,
}

/// What was made, or found.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) organization: Organization,
    pub(crate) slug: String,
    pub(crate) admin: String,
    pub(crate) folder: PathBuf,
    /// Shown once, to whoever started it.
    pub(crate) token: powerloom_core::token::SignedToken,
}

impl Dev {
    /// What it keeps in its folder.
    pub(crate) fn settings(&self) -> Settings {
        Settings::dev(&self.folder)
    }

    /// Makes the folder, for its owner alone.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.folder).with_context(|| format!("`{}` cannot be made", self.folder.display()))
    }

    /// Makes the organization, or finds it, and mints a token for its administrator.
    pub(crate) async fn make(&self, loom: &ControlPlane, keys: &Keys) -> anyhow::Result<Made> {
        let admin = self.admin.clone().unwrap_or_else(|| format!("admin@{}.com", self.org));
        let organization = loom.bootstrap(&self.org.parse()?, &admin.parse()?).await?;
        let lifetime = TokenType::Access.max_lifetime();
        let token = keys.tokens.mint_access(organization.id, organization.admin, lifetime).await?;
        Ok(Made { organization, slug: self.org.clone(), admin, folder: self.folder.clone(), token })
    }
}
