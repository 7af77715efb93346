//! Everything a service is made of, opened in order and closed in the other one.

use crate::serve::dev::Dev;
use crate::serve::keys::{Keys, master};
use crate::serve::story;
use crate::settings::{RuntimeChoice, Settings};
use anyhow::{Context, bail};
use powerloom_core::approval::notifier::ApprovalNotifier;
use powerloom_core::audit::note::NoteKey;
use powerloom_core::audit::signer::{CheckpointSigner as _, Ed25519Signer};
use powerloom_core::audit::trust::TrustedKey;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::runtime::Runtime;
use powerloom_core::token::external::ExternalTokens;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use powerloom_server::server::Tls;
use powerloom_server::{Checkpoints, Config, RunningServer, Server};
use powerloom_store::anchor::FileAnchor;
use powerloom_web::oidc::OidcKeys;
use powerloom_web::webhook::{Webhook, WebhookNotifier, WebhookSecret};
use std::io::Write as _;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The variable of the secret webhook messages are signed by.
const WEBHOOK_SECRET: &str = "POWERLOOM_WEBHOOK_SECRET";

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) server: RunningServer,
    keys: Keys,
    tls: Option<Tls>,
    emulator: Option<RunningEmulator>,
}

impl House {
    /// Opens everything, listens, and says on stdout where.
    pub(crate) async fn open(dev: &Dev, settings: &Settings) -> anyhow::Result<Self> {
        if dev.dev {
            dev.prepare()?;
        }
        // What needs nothing to be made is looked at first.
        let notifier = notifier(settings)?;
        let store = powerloom_store::open(settings.store()?).await?;
        let mut builder = ControlPlane::builder(store).keys(master(settings)?);
        if let Some(notifier) = notifier {
            builder = builder.notifier(notifier);
        }
        let loom = builder.build();
        let keys = Keys::open(&loom, settings)?;
        let made = if dev.dev { Some(dev.make(&loom, &keys).await?) } else { None };
        if loom.store().orgs().await?.is_empty() {
            tracing::warn!("there is no organization yet: `weave bootstrap` makes one");
        }
        let tls = match (&settings.tls.cert, &settings.tls.key) {
            (Some(cert), Some(key)) => Some(Tls::open(cert, key)?),
            _ => None,
        };
        let (runtime, emulator) = runtime(settings).await?;
        let mut config = config(&loom, &keys, settings).await?;
        if let Some(checkpoints) = checkpoints(settings)? {
            config = config.checkpoints(checkpoints);
        }
        let mut server = Server::new(loom.clone(), config).bounds(settings.bounds.of_server());
        if let Some(listen) = settings.listen {
            server = server.listen(listen);
        }
        if let Some(runtime) = runtime {
            server = server.runtime(runtime);
        }
        if let Some(tls) = &tls {
            server = server.tls(tls.clone());
        }
        let server = server.start().await?;
        match &made {
            Some(made) => story::tell(made, &server.url(), runtime_in_words(settings), dev.json)?,
            None => {
                let mut stdout = std::io::stdout();
                writeln!(stdout, "listening on {}", server.url())?;
                stdout.flush()?;
            }
        }
        Ok(Self { server, keys, tls, emulator })
    }

    /// Reads certificates and signing keys again. What cannot be read stays as it is, and the log says why.
    pub(crate) async fn reload(&self, asked: bool) {
        let tls = self.tls.clone();
        let certificates = async {
            match tls {
                Some(tls) => Ok(tokio::task::spawn_blocking(move || tls.reload()).await??),
                None => Ok(()),
            }
        };
        let certificates: anyhow::Result<()> = certificates.await;
        for done in [certificates, self.keys.reload().await] {
            if let Err(error) = done {
                tracing::warn!("not read again: {error:#}");
            }
        }
        if asked {
            tracing::info!("certificates and signing keys were read again");
        }
    }

    /// Ends everything in order.
    pub(crate) async fn close(self) {
        // What was cut or abandoned is in the log.
        let _ = self.server.shutdown().await;
        if let Some(emulator) = self.emulator {
            emulator.shutdown().await;
        }
    }
}

async fn runtime(settings: &Settings) -> anyhow::Result<(Option<Arc<dyn Runtime>>, Option<RunningEmulator>)> {
    match settings.runtime {
        Some(RuntimeChoice::Emulator) => {
            let mut emulator = Emulator::builder();
            if let Some(state) = &settings.emulator_state {
                emulator = emulator.state(state);
            }
            let emulator = emulator.start().await?;
            let client = CmaClient::builder().base_url(emulator.url()).api_key("emulator").without_proxy();
            Ok((Some(Arc::new(CmaRuntime::new(client.build()?))), Some(emulator)))
        }
        Some(RuntimeChoice::None) => Ok((None, None)),
        _ => {
            let client = CmaClient::from_env().context(
                "the runtime is `cma`, which needs ANTHROPIC_API_KEY of the environment; `--runtime emulator` needs none",
            )?;
            Ok((Some(Arc::new(CmaRuntime::new(client))), None))
        }
    }
}

const fn runtime_in_words(settings: &Settings) -> &'static str {
    match settings.runtime {
        Some(RuntimeChoice::Emulator) => {
            "an emulator: no language model, it does what a prompt says line by line"
        }
        Some(RuntimeChoice::None) => "none in this process",
        _ => "Claude Managed Agents",
    }
}

async fn config(loom: &ControlPlane, keys: &Keys, settings: &Settings) -> anyhow::Result<Config> {
    let mut config = Config::new(keys.tokens.clone())
        .bounds(settings.bounds.of_requests())
        .cors_origins(settings.cors_origins.iter().cloned());
    if settings.viewers == Some(true) {
        config = config.viewers();
    }
    if settings.issuers.is_empty() {
        return Ok(config);
    }
    let (mut issuers, mut fetched) = (Vec::new(), OidcKeys::builder());
    for issuer in &settings.issuers {
        let audience = settings.audience.as_deref().unwrap_or_default();
        issuers.push(issuer.resolve(loom.store().as_ref(), audience).await?);
        fetched = fetched.issuer(&issuer.issuer);
    }
    Ok(config.external(ExternalTokens::new(loom, Arc::new(fetched.build()?), issuers)?))
}

fn notifier(settings: &Settings) -> anyhow::Result<Option<Arc<dyn ApprovalNotifier>>> {
    let Some(url) = &settings.webhook.url else { return Ok(None) };
    let given = std::env::var(WEBHOOK_SECRET).ok().filter(|secret| !secret.is_empty()).map(Zeroizing::new);
    let secret = match (given, &settings.webhook.secret_file) {
        (Some(secret), None) => secret,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            Zeroizing::new(text.with_context(|| format!("`{}` cannot be read", path.display()))?)
        }
        _ => {
            bail!("`webhook.url` needs a secret: say {WEBHOOK_SECRET} or `webhook.secret_file`, and not both")
        }
    };
    let secret: WebhookSecret = secret.trim().parse()?;
    Ok(Some(Arc::new(WebhookNotifier::new(Webhook::builder(url).secret(secret).build()?))))
}

/// Checkpoints, of one key and for one folder.
fn checkpoints(settings: &Settings) -> anyhow::Result<Option<Checkpoints>> {
    let said = &settings.checkpoints;
    let (Some(key), Some(folder)) = (&said.key, &said.folder) else { return Ok(None) };
    let signer = Ed25519Signer::open(said.name.as_deref().unwrap_or("powerloom"), key, &SystemEntropy)?;
    tracing::info!(key = %signer.key(), folder = %folder.display(), "checkpoints are signed by this key");
    let mut checkpoints = Checkpoints::new(Arc::new(signer), Arc::new(FileAnchor::new(folder)))?;
    for text in &said.earlier_keys {
        let key: NoteKey = text.parse().with_context(|| "`checkpoints.earlier_keys`")?;
        checkpoints = checkpoints.earlier_key(TrustedKey::new(key));
    }
    Ok(Some(checkpoints))
}
