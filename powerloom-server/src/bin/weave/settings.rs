//! What an installation is set up with. Each setting is a flag, a variable of the environment and a key of the file, and is
//! declared once, here.
//!
//! No secret is among them: secrets come from the environment or from files of their own, so that this file may be kept with
//! the code.

mod bounds;
mod file;
mod issuer;
mod shown;

pub(crate) use bounds::BoundsSettings;
pub(crate) use issuer::IssuerSettings;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuntimeChoice {
    /// Claude Managed Agents, with ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL) of the environment.
    Cma,
    /// A local emulator in this process: no language model, it does what a prompt says line by line.
    Emulator,
    /// Nowhere: another process on the same store reconciles and runs sessions.
    None,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// All settings; what is absent is as it usually is.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "POWERLOOM_LISTEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,

    /// Listen on an address others can reach although there is no TLS: a proxy in front of it speaks HTTPS
    #[arg(long, env = "POWERLOOM_BEHIND_PROXY", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) behind_proxy: Option<bool>,

    /// Where everything is kept: `sqlite:///var/lib/powerloom/loom.db`
    #[arg(long, value_name = "URL", env = "POWERLOOM_STORE", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<String>,

    /// Where agents run [default: cma]
    #[arg(long, env = "POWERLOOM_RUNTIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runtime: Option<RuntimeChoice>,

    /// The file the emulator keeps its state in; without it the state is lost at the end
    #[arg(long, value_name = "FILE", env = "POWERLOOM_EMULATOR_STATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) emulator_state: Option<PathBuf>,

    /// The URL people reach it by, such as https://loom.acme.com [default: that of the address]
    #[arg(long, value_name = "URL", env = "POWERLOOM_PUBLIC_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,

    /// The `iss` of its tokens [default: the public URL]
    #[arg(long, value_name = "TEXT", env = "POWERLOOM_ISSUER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,

    /// The `aud` of its access tokens [default: the public URL]
    #[arg(long, value_name = "TEXT", env = "POWERLOOM_AUDIENCE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,

    /// The file of the keys its tokens are signed by; made with mode 0600 if it is not there
    #[arg(long, value_name = "FILE", env = "POWERLOOM_SIGNING_KEYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signing_keys: Option<PathBuf>,

    /// The file of the master keys secrets are sealed by; made with mode 0600 if it is not there. Without it they are taken
    /// from POWERLOOM_MASTER_KEY
    #[arg(long, value_name = "FILE", env = "POWERLOOM_MASTER_KEYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) master_keys: Option<PathBuf>,

    /// An origin whose web pages may call, such as https://console.acme.com; may be given several times
    #[arg(
        long = "cors-origin",
        value_name = "ORIGIN",
        env = "POWERLOOM_CORS_ORIGINS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cors_origins: Vec<String>,

    /// Let the stream of a session also be watched, read-only, with a bearer that may
    #[arg(long, env = "POWERLOOM_VIEWERS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) viewers: Option<bool>,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tls: TlsSettings,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) log: LogSettings,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) otlp: OtlpSettings,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) webhook: WebhookSettings,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) checkpoints: CheckpointSettings,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) bounds: BoundsSettings,

    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) issuers: Vec<IssuerSettings>,
}

/// HTTPS.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSettings {
    /// The file of the certificate and those above it, in PEM; read again on SIGHUP and every minute
    #[arg(id = "tls-cert", long = "tls-cert", value_name = "FILE", env = "POWERLOOM_TLS_CERT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<PathBuf>,

    /// The file of its key, in PEM
    #[arg(id = "tls-key", long = "tls-key", value_name = "FILE", env = "POWERLOOM_TLS_KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

/// The log, which goes to stderr.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    /// How the log is written [default: text]
    #[arg(id = "log-format", long = "log-format", env = "POWERLOOM_LOG_FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<LogFormat>,

    /// How much of it: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `warn,powerloom_core=debug`
    /// [default: info]
    #[arg(id = "log-level", long = "log-level", value_name = "LEVEL", env = "POWERLOOM_LOG_LEVEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<String>,
}

/// Traces.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OtlpSettings {
    /// Where traces are sent, by OTLP over HTTP, such as http://127.0.0.1:4318; headers come from OTEL_EXPORTER_OTLP_HEADERS
    #[arg(id = "otlp-endpoint", long = "otlp-endpoint", value_name = "URL", env = "POWERLOOM_OTLP_ENDPOINT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

/// Who is told of approvals.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebhookSettings {
    /// Where approvals are told, as Standard Webhooks; the secret is in POWERLOOM_WEBHOOK_SECRET or in a file
    #[arg(
        id = "webhook-url",
        long = "webhook-url",
        value_name = "URL",
        env = "POWERLOOM_WEBHOOK_URL",
        hide_env_values = true
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,

    /// The file of the secret the messages are signed by, `whsec_…`
    #[arg(
        id = "webhook-secret-file",
        long = "webhook-secret-file",
        value_name = "FILE",
        env = "POWERLOOM_WEBHOOK_SECRET_FILE"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// Signed checkpoints of the audit chains.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckpointSettings {
    /// The file of the Ed25519 key checkpoints are signed by; made with mode 0600 if it is not there
    #[arg(
        id = "checkpoint-key",
        long = "checkpoint-key",
        value_name = "FILE",
        env = "POWERLOOM_CHECKPOINT_KEY"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,

    /// What that key is called in checkpoints, such as `acme.com/audit` [default: powerloom]
    #[arg(
        id = "checkpoint-name",
        long = "checkpoint-name",
        value_name = "NAME",
        env = "POWERLOOM_CHECKPOINT_NAME"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,

    /// The folder checkpoints are brought to: on another disk or machine than the store
    #[arg(
        id = "checkpoint-folder",
        long = "checkpoint-folder",
        value_name = "FOLDER",
        env = "POWERLOOM_CHECKPOINT_FOLDER"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<PathBuf>,

    /// The public parts of keys that signed before, `<name>+<id>+<key>`
    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier_keys: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Settings {
    /// The settings of a file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        file::parse(&text).map_err(|fault| anyhow::anyhow!("`{}`, {fault}", path.display()))
    }

    /// What `dev` keeps below its folder.
    pub(crate) fn dev(folder: &Path) -> Self {
        let at = |name: &str| Some(folder.join(name));
        Self {
            store: Some(format!("sqlite://{}", folder.join("loom.db").display())),
            runtime: Some(RuntimeChoice::Emulator),
            emulator_state: at("runtime.state"),
            // Not the URL: a token stays good if the port is another one.
            issuer: Some("powerloom-dev".to_owned()),
            audience: Some("powerloom-dev".to_owned()),
            signing_keys: at("signing.pem"),
            master_keys: at("master.keys"),
            ..Self::default()
        }
    }

    /// These settings, and where one is absent that of `below`.
    pub(crate) fn over(&self, below: &Self) -> anyhow::Result<Self> {
        let mut merged = serde_json::to_value(below)?;
        merge(&mut merged, serde_json::to_value(self)?);
        Ok(serde_json::from_value(merged)?)
    }

    /// The same with everything said that has a usual value.
    pub(crate) fn complete(mut self) -> anyhow::Result<Self> {
        let listen = *self.listen.get_or_insert(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let scheme = if self.tls.cert.is_some() { "https" } else { "http" };
        self.behind_proxy.get_or_insert(false);
        self.viewers.get_or_insert(false);
        self.runtime.get_or_insert(RuntimeChoice::Cma);
        let url = self.public_url.get_or_insert_with(|| format!("{scheme}://{listen}"));
        let parsed = url::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if parsed.is_none() {
            bail!(
                "`public_url` is `{url}`, which is not allowed: expected a URL such as `https://loom.acme.com`"
            );
        }
        let url = url.trim_end_matches('/').to_owned();
        self.issuer.get_or_insert_with(|| url.clone());
        self.audience.get_or_insert(url);
        self.log.format.get_or_insert(LogFormat::Text);
        self.log.level.get_or_insert_with(|| "info".to_owned());
        if self.checkpoints.key.is_some() || self.checkpoints.folder.is_some() {
            self.checkpoints.name.get_or_insert_with(|| "powerloom".to_owned());
        }
        self.bounds.complete();
        Ok(self)
    }

    /// Refuses what cannot be meant, before anything is opened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if let (Some(_), None) | (None, Some(_)) = (&self.tls.cert, &self.tls.key) {
            bail!("`tls.cert` and `tls.key` go together: say both, or neither");
        }
        if let (Some(_), None) | (None, Some(_)) = (&self.checkpoints.key, &self.checkpoints.folder) {
            bail!("`checkpoints.key` and `checkpoints.folder` go together: say both, or neither");
        }
        if let Some(listen) = self.listen
            && !listen.ip().is_loopback()
            && self.tls.cert.is_none()
            && self.behind_proxy != Some(true)
        {
            bail!(
                "`listen` is `{listen}`, which others can reach, and there is no TLS: everything would go in the clear. Give \
                 `--tls-cert` and `--tls-key`, or say `--behind-proxy` if a proxy in front of it speaks HTTPS"
            );
        }
        for origin in &self.cors_origins {
            let parsed = url::Url::parse(origin).ok().map(|url| url.origin().ascii_serialization());
            if parsed.as_deref() != Some(origin) || !origin.starts_with("http") {
                bail!(
                    "`cors_origins` has `{origin}`, which is not allowed: expected an origin such as `https://console.acme.com`"
                );
            }
        }
        self.bounds.check()
    }

    /// Where everything is kept.
    pub(crate) fn store(&self) -> anyhow::Result<&str> {
        self.store.as_deref().with_context(|| missing("store", "--store", "POWERLOOM_STORE"))
    }

    /// The file of the signing keys.
    pub(crate) fn signing_keys(&self) -> anyhow::Result<&Path> {
        let keys = self.signing_keys.as_deref();
        keys.with_context(|| missing("signing_keys", "--signing-keys", "POWERLOOM_SIGNING_KEYS"))
    }
}

fn missing(key: &str, flag: &str, variable: &str) -> String {
    format!("`{key}` is missing: say it by `{flag}`, by {variable}, or by `{key}` in the file of `--config`")
}

/// Puts what `top` says over `below`: tables key by key, anything else as a whole.
fn merge(below: &mut Value, top: Value) {
    match (below, top) {
        (Value::Object(below), Value::Object(top)) => {
            for (key, value) in top {
                merge(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, top) => *below = top,
    }
}

#[cfg(test)]
mod tests;
