//! Which entries a reader asks for.

use crate::audit::draft::AuditDecision;
use crate::audit::row::AuditRow;
use crate::clock::Timestamp;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};

/// The most entries one answer holds.
pub const MAX_AUDIT_LIMIT: u32 = 1000;

/// Which entries of one organization's chain a reader asks for; every filter that is set must hold.
///
/// The organization is no filter: the store takes it apart from this, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// Who is answerable, exactly.
    pub actor: Option<String>,
    /// What was done, exactly.
    pub verb: Option<String>,
    /// The kind of what it was done to.
    pub resource_kind: Option<String>,
    /// The id of what it was done to.
    pub resource_id: Option<String>,
    /// The session whose token was used (row M41).
    pub session: Option<String>,
    /// Whether it was done or refused.
    pub decision: Option<AuditDecision>,
    /// The first place wanted.
    pub from_seq: Option<u64>,
    /// The last place wanted.
    pub to_seq: Option<u64>,
    /// The first moment wanted.
    pub from: Option<Timestamp>,
    /// The first moment no longer wanted.
    pub to: Option<Timestamp>,
    /// At most so many entries, 1 to [`MAX_AUDIT_LIMIT`].
    pub limit: u32,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            actor: None,
            verb: None,
            resource_kind: None,
            resource_id: None,
            session: None,
            decision: None,
            from_seq: None,
            to_seq: None,
            from: None,
            to: None,
            limit: 100,
        }
    }
}

impl AuditQuery {
    /// Refuses a limit that is out of bounds.
    ///
    /// # Errors
    /// A limit of 0 or above [`MAX_AUDIT_LIMIT`].
    pub fn validate(&self) -> Result<(), Invalid> {
        if (1..=MAX_AUDIT_LIMIT).contains(&self.limit) {
            return Ok(());
        }
        Err(Invalid::new("limit", self.limit, format!("1 to {MAX_AUDIT_LIMIT}")))
    }

    /// Whether `row` passes every filter; the limit is the caller's to count.
    #[must_use]
    pub fn matches(&self, row: &AuditRow) -> bool {
        fn same(wanted: Option<&String>, found: &str) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        same(self.actor.as_ref(), &row.actor)
            && same(self.verb.as_ref(), &row.verb)
            && same(self.resource_kind.as_ref(), &row.resource_kind)
            && same(self.resource_id.as_ref(), &row.resource_id)
            && (self.session.is_none() || self.session == row.delegated_from_session)
            && self.decision.is_none_or(|wanted| wanted == row.decision)
            && self.from_seq.is_none_or(|first| first <= row.seq)
            && self.to_seq.is_none_or(|last| row.seq <= last)
            && self.from.is_none_or(|first| first <= row.ts)
            && self.to.is_none_or(|end| row.ts < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn row() -> AuditRow {
        AuditRow {
            v: 1,
            seq: 5,
            org_id: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            ts: Timestamp::from_micros(50),
            actor: "user:ada".into(),
            verb: "agent.create".into(),
            resource_kind: "Agent".into(),
            resource_id: "a1".into(),
            decision: AuditDecision::Deny,
            delegated_from_session: Some("s1".into()),
            approval_request_id: None,
            change_hash: Digest::ZERO,
        }
    }

    fn check(query: &str, expected: bool) {
        let query: AuditQuery = serde_json::from_str(query).unwrap();
        assert_eq!(query.matches(&row()), expected, "{query:?}");
    }

    #[test]
    fn every_filter_that_is_set_must_hold() {
        check("{}", true);
        for (hit, miss) in [
            (r#"{"actor":"user:ada"}"#, r#"{"actor":"user:ad"}"#),
            (r#"{"verb":"agent.create"}"#, r#"{"verb":"agent"}"#),
            (r#"{"resource_kind":"Agent"}"#, r#"{"resource_kind":"Skill"}"#),
            (r#"{"resource_id":"a1"}"#, r#"{"resource_id":"a2"}"#),
            (r#"{"session":"s1"}"#, r#"{"session":"s2"}"#),
            (r#"{"decision":"deny"}"#, r#"{"decision":"allow"}"#),
            (r#"{"from_seq":5}"#, r#"{"from_seq":6}"#),
            (r#"{"to_seq":5}"#, r#"{"to_seq":4}"#),
            (r#"{"from":"1970-01-01T00:00:00.000050Z"}"#, r#"{"from":"1970-01-01T00:00:00.000051Z"}"#),
            (r#"{"to":"1970-01-01T00:00:00.000051Z"}"#, r#"{"to":"1970-01-01T00:00:00.000050Z"}"#),
            (r#"{"actor":"user:ada","to_seq":9}"#, r#"{"actor":"user:ada","to_seq":1}"#),
        ] {
            check(hit, true);
            check(miss, false);
        }
    }

    #[test]
    fn a_limit_out_of_bounds_is_refused() {
        for (limit, fine) in [(0, false), (1, true), (1000, true), (1001, false)] {
            assert_eq!(AuditQuery { limit, ..AuditQuery::default() }.validate().is_ok(), fine, "{limit}");
        }
    }
}
