//! Faults on demand: what goes wrong, on which requests, and how often.

use axum::http::Method;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The answer comes this many milliseconds late.
    Latency {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// The request has no effect and is answered with this status, in the error envelope of the service.
    Status {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// The value of the `retry-after` header, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The connection is cut before the request has its effect.
    CutBefore,
    /// The request has its effect, and the connection is cut instead of an answer.
    CutAfter,
    /// An event stream is cut after this many events.
    CutStream {
        /// How many events still come through.
        after: usize,
    },
    /// An event stream delivers every event twice.
    DuplicateEvents,
}

impl Fault {
    /// An answer that comes `late`.
    #[must_use]
    pub fn latency(late: Duration) -> Self {
        Self::Latency { ms: u64::try_from(late.as_millis()).unwrap_or(u64::MAX) }
    }

    /// An answer with this status and no effect.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None }
    }

    /// 429 with a `retry-after` of so many seconds.
    #[must_use]
    pub const fn rate_limit(retry_after: u64) -> Self {
        Self::Status { status: 429, retry_after: Some(retry_after) }
    }
}

/// A fault with the requests it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// The method, or any.
    #[serde(default)]
    pub method: Option<String>,
    /// The path, such as `/v1/agents/*`: `*` stands for one segment, `**` at the end for any rest.
    pub path: String,
    /// How many matching requests come through unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests are struck, or all.
    #[serde(default)]
    pub count: Option<u32>,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// `fault` on every request to `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, fault: Fault) -> Self {
        Self { method: None, path: path.into(), skip: 0, count: None, fault }
    }

    /// The same, for one method only.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// The same, after `skip` matching requests.
    #[must_use]
    pub const fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// The same, at most `count` times.
    #[must_use]
    pub const fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(method.as_str()))
            && path_matches(&self.path, path)
    }
}

/// The faults of a running emulator. Every rule that matches a request strikes it.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<FaultRule>>);

impl Faults {
    /// Adds a rule.
    pub fn add(&self, rule: FaultRule) {
        self.rules().push(rule);
    }

    /// Removes every rule. Streams that were opened under one keep it.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// The rules that are left, with what is left of their counts.
    #[must_use]
    pub fn list(&self) -> Vec<FaultRule> {
        self.rules().clone()
    }

    /// Takes the faults that strike this request.
    pub(crate) fn strike(&self, method: &Method, path: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        let mut rules = self.rules();
        for rule in rules.iter_mut().filter(|rule| rule.matches(method, path)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(count) = &mut rule.count {
                if *count == 0 {
                    continue;
                }
                *count -= 1;
            }
            struck.push(rule.fault.clone());
        }
        rules.retain(|rule| rule.count != Some(0));
        struck
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<FaultRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        match (part, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (part, Some(segment)) if part == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_by_segment() {
        assert!(path_matches("/v1/agents/*", "/v1/agents/agent_1"));
        assert!(!path_matches("/v1/agents/*", "/v1/agents"));
        assert!(!path_matches("/v1/agents/*", "/v1/agents/agent_1/archive"));
        assert!(path_matches("/v1/**", "/v1/agents/agent_1/archive"));
        assert!(!path_matches("/v1/agents", "/v1/agents/agent_1"));
    }

    #[test]
    fn a_rule_skips_then_strikes_then_is_spent() {
        let faults = Faults::default();
        faults.add(FaultRule::new("/v1/agents", Fault::CutAfter).method("post").skip(1).count(1));
        let strike = || faults.strike(&Method::POST, "/v1/agents").len();
        assert_eq!(
            (faults.strike(&Method::GET, "/v1/agents").len(), strike(), strike(), strike()),
            (0, 0, 1, 0)
        );
        assert!(faults.list().is_empty());
    }
}
