//! What a client needs to know: where the service is, who calls, and how long to wait.

use crate::cma::error::CmaError;
use crate::cma::secret::Secret;
use powerloom_core::clock::{Clock, SystemClock};
use powerloom_core::invalid::Invalid;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where the hosted service is.
pub const BASE_URL: &str = "https://api.anthropic.com";
/// The beta name the service's agents, environments, sessions and vaults need.
pub const BETA: &str = "managed-agents-2026-04-01";
/// Longest time limit that is accepted: one day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Which headers a client sends; the service takes both, and both get the same objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HeaderGeneration {
    /// `authorization: Bearer …` and `anthropic-version: 2026-10-21`.
    #[default]
    Current,
    /// `x-api-key: …`, `anthropic-version: 2023-06-01`, and `?beta=true` wherever the beta name is sent: for gateways
    /// that know only this form.
    Legacy,
}

/// Collects what a client needs; `build` (beside the client) checks it.
///
/// Built by [`CmaClient::builder`](crate::cma::CmaClient::builder) or, from the environment,
/// [`CmaClientBuilder::from_env`].
#[derive(Debug, Clone)]
#[must_use]
pub struct CmaClientBuilder {
    base_url: String,
    api_key: Option<Secret>,
    generation: HeaderGeneration,
    workspace_id: Option<String>,
    beta: String,
    connect_timeout: Duration,
    request_timeout: Duration,
    idle_timeout: Duration,
    system_proxy: bool,
    clock: Arc<dyn Clock>,
}

impl Default for CmaClientBuilder {
    fn default() -> Self {
        Self {
            base_url: BASE_URL.to_owned(),
            api_key: None,
            generation: HeaderGeneration::Current,
            workspace_id: None,
            beta: BETA.to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(300),
            system_proxy: true,
            clock: Arc::new(SystemClock),
        }
    }
}

impl CmaClientBuilder {
    /// Takes `ANTHROPIC_API_KEY` and, where it is set, `ANTHROPIC_BASE_URL`.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables; an empty value counts as none.
    pub fn from_vars(vars: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name| vars(name).filter(|value| !value.is_empty());
        let base_url = var("ANTHROPIC_BASE_URL").unwrap_or_else(|| BASE_URL.to_owned());
        Self { base_url, api_key: var("ANTHROPIC_API_KEY").map(Secret::new), ..Self::default() }
    }

    /// Where the service is: `http` or `https`, without `/v1`; a path in front of it is kept. Over `http` the key
    /// goes in the clear: for the loopback and closed networks. Default: [`BASE_URL`].
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// The API key. There is no default.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Which headers are sent. Default: [`HeaderGeneration::Current`].
    pub fn header_generation(mut self, generation: HeaderGeneration) -> Self {
        self.generation = generation;
        self
    }

    /// The workspace, for a key that is valid in several.
    pub fn workspace_id(mut self, id: impl Into<String>) -> Self {
        self.workspace_id = Some(id.into());
        self
    }

    /// The beta name, or several joined by commas. Default: [`BETA`].
    pub fn beta(mut self, name: impl Into<String>) -> Self {
        self.beta = name.into();
        self
    }

    /// How long a connection may take. Default: 5 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a whole call may take, connection and body included; for a stream, its opening. Default: 60 s.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// How long a stream may be silent; heartbeats count as a sign of life. Default: 5 min.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Ignores the proxies named by the environment (`HTTPS_PROXY` and the like), which are used by default.
    pub fn without_proxy(mut self) -> Self {
        self.system_proxy = false;
        self
    }

    /// The clock a `retry-after` date is measured against where the answer has none of its own. Default: the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything.
    pub(crate) fn validated(self) -> Result<Config, CmaError> {
        let base_url = base_url(&self.base_url)?;
        let api_key = self
            .api_key
            .filter(|key| is_header_word(key.reveal(), 4_096))
            .ok_or_else(|| Invalid::hidden("api_key", "a key of visible ASCII characters, without spaces"))?;
        if let Some(id) = self.workspace_id.as_deref().filter(|id| !is_header_word(id, 256)) {
            return Err(Invalid::new("workspace_id", id, "visible ASCII characters, without spaces").into());
        }
        if !is_header_word(&self.beta, 1_024) {
            return Err(Invalid::new("beta", &self.beta, "a beta name, or several joined by commas").into());
        }
        let limits = [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        for (field, limit) in limits {
            if limit.is_zero() || limit > LONGEST {
                return Err(
                    Invalid::new(field, format!("{limit:?}"), "more than zero and at most one day").into()
                );
            }
        }
        Ok(Config {
            base_url,
            api_key,
            generation: self.generation,
            workspace_id: self.workspace_id,
            beta: self.beta,
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            idle_timeout: self.idle_timeout,
            system_proxy: self.system_proxy,
            clock: self.clock,
        })
    }
}

/// What was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) base_url: Url,
    pub(crate) api_key: Secret,
    pub(crate) generation: HeaderGeneration,
    pub(crate) workspace_id: Option<String>,
    pub(crate) beta: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) system_proxy: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whether `text` can stand in a header: visible ASCII, not empty, at most `limit` bytes.
fn is_header_word(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn base_url(text: &str) -> Result<Url, Invalid> {
    let allowed = "an http or https URL without user, password, query and fragment";
    // The text itself is not shown: a URL may hold a password.
    let refuse = || Invalid::hidden("base_url", allowed);
    let url = Url::parse(text).map_err(|_| refuse())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    if plain && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> CmaClientBuilder {
        CmaClientBuilder::default().api_key("sk-ant-1")
    }

    fn refused(builder: CmaClientBuilder) -> String {
        match builder.validated() {
            Err(CmaError::Invalid(invalid)) => invalid.field,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn every_option_that_cannot_work_is_refused_by_name() {
        assert_eq!(refused(CmaClientBuilder::default()), "api_key");
        for key in ["", " ", "sk\n", "sk ant", "schlüssel", "\u{7f}"] {
            assert_eq!(refused(builder().api_key(key)), "api_key", "{key:?}");
        }
        for url in
            ["", "api.example.com", "ftp://x", "https://u:p@x", "https://x?y=1", "https://x/#y", "unix:/x"]
        {
            assert_eq!(refused(builder().base_url(url)), "base_url", "{url}");
        }
        assert_eq!(refused(builder().workspace_id("")), "workspace_id");
        assert_eq!(refused(builder().beta("a b")), "beta");
        assert_eq!(refused(builder().connect_timeout(Duration::ZERO)), "connect_timeout");
        assert_eq!(refused(builder().request_timeout(Duration::MAX)), "request_timeout");
        assert_eq!(refused(builder().idle_timeout(Duration::ZERO)), "idle_timeout");
    }

    #[test]
    fn the_environment_gives_key_and_address() {
        let vars = |name: &str| match name {
            "ANTHROPIC_API_KEY" => Some("sk-ant-1".to_owned()),
            "ANTHROPIC_BASE_URL" => Some(String::new()),
            _ => None,
        };
        let config = CmaClientBuilder::from_vars(vars).validated().unwrap();
        assert_eq!(
            (config.api_key.reveal(), config.base_url.as_str()),
            ("sk-ant-1", "https://api.anthropic.com/")
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", builder(), builder().validated().unwrap());
        assert!(!shown.contains("sk-ant-1"), "{shown}");
    }
}
