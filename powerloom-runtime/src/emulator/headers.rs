//! What a request must say in its headers: a key, a version of the API, and the betas it uses.

use crate::emulator::refusal::Refusal;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// The beta of agents, environments, sessions and vaults.
pub(crate) const MANAGED_AGENTS: &str = "managed-agents-2026-04-01";
/// The beta that brings the old shape of skills back.
const SKILLS: &str = "skills-2025-10-02";
/// The beta that memory stores use instead of the one of agents.
const MEMORY: &str = "agent-memory-2026-07-22";
/// The beta that brings the old shape of files back.
pub(crate) const FILES: &str = "files-api-2025-04-14";

const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];
const COLLECTIONS: [&str; 4] = ["agents", "environments", "sessions", "vaults"];
/// Every beta name of the official SDKs that a client may send along.
const KNOWN: [&str; 50] = [
    MANAGED_AGENTS,
    SKILLS,
    MEMORY,
    FILES,
    "advisor-tool-2026-03-01",
    "code-execution-2025-05-22",
    "code-execution-2025-08-25",
    "compact-2026-01-12",
    "compact-2026-09-04",
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "dreaming-2026-04-21",
    "extended-cache-ttl-2025-04-11",
    "fallback-credit-2026-06-01",
    "fallback-credit-2026-07-01",
    "fast-mode-2026-02-01",
    "inline-tools-2026-09-15",
    "interleaved-thinking-2025-05-14",
    "mcp-client-2025-04-04",
    "mcp-client-2025-11-20",
    "mcp-client-2026-09-15",
    "mcp-tunnels-2026-06-22",
    "message-batches-2024-09-24",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-system-clear-at-2026-08-21",
    "mid-conversation-tool-changes-2026-07-01",
    "model-context-window-exceeded-2025-08-26",
    "output-128k-2025-02-19",
    "output-300k-2026-03-24",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "server-side-fallback-2026-06-01",
    "server-side-fallback-2026-07-01",
    "structured-outputs-2025-11-13",
    "task-budgets-2026-03-13",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "thinking-token-count-2026-05-13",
    "token-counting-2024-11-01",
    "token-efficient-tools-2025-02-19",
    "user-profiles-2026-03-24",
    "user-profiles-2026-08-18",
    "user-profiles-2026-09-04",
    "webhooks-2026-10-07",
    "web-fetch-2025-09-10",
    "web-search-2025-03-05",
];

/// The betas a request named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Betas(Vec<String>);

impl Betas {
    /// Whether `name` was sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|beta| beta == name)
    }

    /// Whether skills are wanted in their old shape.
    pub(crate) fn old_skills(&self) -> bool {
        self.has(SKILLS)
    }
}

/// Checks key, version and betas of a request to `path`, in this order.
///
/// `keys` are the accepted API keys; with none, every non-empty key is accepted.
pub(crate) fn check(headers: &HeaderMap, path: &str, keys: &[String]) -> Result<Betas, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let key = bearer.or_else(|| text("x-api-key")).unwrap_or_default();
    if key.is_empty() {
        return Err(Refusal::unauthenticated("x-api-key or authorization header is required"));
    }
    if !keys.is_empty() && !keys.iter().any(|known| known == key) {
        return Err(Refusal::unauthenticated("invalid api key"));
    }
    match text("anthropic-version") {
        Some(version) if VERSIONS.contains(&version) => {}
        Some(version) => {
            return Err(Refusal::invalid(format!("anthropic-version: unknown version `{version}`")));
        }
        None => return Err(Refusal::invalid("anthropic-version: header is required")),
    }
    let sent = headers.get_all("anthropic-beta").iter().filter_map(|value| value.to_str().ok());
    let betas =
        Betas(sent.flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    if let Some(unknown) = betas.0.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Refusal::invalid(format!("anthropic-beta: unexpected value `{unknown}`")));
    }
    let collection = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if COLLECTIONS.contains(&collection) && !betas.has(MANAGED_AGENTS) {
        return Err(Refusal::invalid(format!("anthropic-beta: `{MANAGED_AGENTS}` is required here")));
    }
    Ok(betas)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)], path: &str) -> Result<Betas, u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers, path, &[]).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn both_generations_of_headers_are_accepted() {
        let new = [
            ("authorization", "Bearer k"),
            ("anthropic-version", "2026-10-21"),
            ("anthropic-beta", "compact-2026-01-12,managed-agents-2026-04-01"),
        ];
        assert!(with(&new, "/v1/agents").is_ok());
        let old = [("x-api-key", "k"), ("anthropic-version", "2023-06-01")];
        assert!(with(&old, "/v1/skills").is_ok());
    }

    #[test]
    fn a_missing_key_version_or_beta_is_refused() {
        assert_eq!(with(&[], "/v1/skills").unwrap_err(), 401);
        assert_eq!(with(&[("x-api-key", "k")], "/v1/skills").unwrap_err(), 400);
        let keyed = [("x-api-key", "k"), ("anthropic-version", "2026-10-21")];
        assert_eq!(with(&keyed, "/v1/sessions/sesn_1").unwrap_err(), 400);
        let unknown = [keyed[0], keyed[1], ("anthropic-beta", "made-up-2020-01-01")];
        assert_eq!(with(&unknown, "/v1/skills").unwrap_err(), 400);
    }
}
