//! The keys tokens are signed by and secrets are sealed by.

use crate::settings::Settings;
use anyhow::{Context, bail};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::secret::{EnvKeys, FileKeys, KeyProvider, MASTER_KEY_VARIABLE};
use powerloom_core::token::{FileSigningKeys, TokenOptions, TokenService};
use std::sync::Arc;

/// What mints and verifies tokens, and the file of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) tokens: TokenService,
    signing: Arc<FileSigningKeys>,
}

impl Keys {
    /// Opens the signing keys, or makes them.
    pub(crate) fn open(loom: &ControlPlane, settings: &Settings) -> anyhow::Result<Self> {
        let signing = Arc::new(FileSigningKeys::open(settings.signing_keys()?, &SystemEntropy)?);
        let said = |value: &Option<String>| value.clone().unwrap_or_default();
        let options = TokenOptions::new(said(&settings.issuer), said(&settings.audience));
        let tokens = TokenService::new(loom, Arc::clone(&signing) as _, options)?;
        Ok(Self { tokens, signing })
    }

    /// Reads the signing keys again.
    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        let signing = Arc::clone(&self.signing);
        tokio::task::spawn_blocking(move || signing.reload()).await?.context("the signing keys are as before")
    }
}

/// The master keys: a file, or a variable of the environment.
pub(crate) fn master(settings: &Settings) -> anyhow::Result<Arc<dyn KeyProvider>> {
    let variable = std::env::var_os(MASTER_KEY_VARIABLE).is_some_and(|value| !value.is_empty());
    match (&settings.master_keys, variable) {
        (Some(_), true) => {
            bail!("`master_keys` and {MASTER_KEY_VARIABLE} are both said: secrets are sealed by one of them")
        }
        (Some(path), false) => Ok(Arc::new(FileKeys::open(path, &SystemEntropy)?)),
        (None, true) => Ok(Arc::new(EnvKeys::from_env()?)),
        (None, false) => bail!(
            "no master key is said, which secrets are sealed by: say a file by `--master-keys`, or the keys themselves by \
             {MASTER_KEY_VARIABLE}"
        ),
    }
}
