//! Every bound of the control plane, in one place (C16).

use std::time::Duration;

/// The bounds; change them with the builder of the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long an idempotency key is remembered: 24 hours.
    pub idempotency_ttl: Duration,
    /// How old the authorization data of a read may be: one second. Changes never use outdated data.
    pub authz_staleness: Duration,
    /// How often a change is tried anew when others change what it read: 32 times.
    pub attempts: u32,
    /// How long a session may run unless the agent or the call says otherwise: 10 minutes (row P91).
    pub session_timeout: Duration,
    /// How long it may be told to run at most: 24 hours.
    pub session_timeout_max: Duration,
    /// How long it may wait to be started: 60 seconds.
    pub pending_timeout: Duration,
    /// How long it may wait for a decision on a tool call: 1 hour.
    pub decision_timeout: Duration,
    /// How long the steps of an approved plan may be applied: 24 hours from its approval.
    pub plan_validity: Duration,
    /// How many agents may invoke one another in a chain: 5.
    pub session_depth: u32,
    /// How many sessions of one agent may be active at once: 1000, and never more. A bound, not a lock: calls at the
    /// very same moment may pass it by a few.
    pub active_sessions: usize,
    /// How many characters a prompt may have: 100 000.
    pub prompt_chars: usize,
    /// How many bytes the files of a skill version may have together: 30 MB.
    pub skill_bytes: usize,
    /// How many files a skill version may have: 2000.
    pub skill_files: usize,
    /// How long an API token may be good for: 90 days; never more than 366.
    pub api_token_lifetime: Duration,
    /// How many credentials an agent may have: 20, what a vault of the runtime holds.
    pub vault_credentials: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idempotency_ttl: Duration::from_secs(24 * 3600),
            authz_staleness: Duration::from_secs(1),
            attempts: 32,
            session_timeout: Duration::from_secs(600),
            session_timeout_max: Duration::from_secs(24 * 3600),
            pending_timeout: Duration::from_secs(60),
            decision_timeout: Duration::from_secs(3600),
            plan_validity: Duration::from_secs(24 * 3600),
            session_depth: 5,
            active_sessions: 1000,
            prompt_chars: 100_000,
            skill_bytes: 30 * 1024 * 1024,
            skill_files: 2000,
            api_token_lifetime: Duration::from_secs(90 * 24 * 3600),
            vault_credentials: 20,
        }
    }
}
