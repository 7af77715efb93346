//! Which entries a reader asks for.

use crate::audit::draft::AuditDecision;
use crate::audit::row::AuditRow;
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// The approval under which it was done.
    pub approval: Option<String>,
    /// Whether it was done or refused.
    pub decision: Option<AuditDecision>,
    /// Entries that touch this OU or one below it. A store does not know the tree: see [`ous`](Self::ous).
    pub ou: Option<ResourceId>,
    /// How far below `ou`: 0 is the OU alone, absent is all of it. Only with `ou`.
    pub depth: Option<u32>,
    /// What `ou` and `depth` come to, filled in by
    /// [`ControlPlane::audit`](crate::control_plane::ControlPlane::audit): entries that touch at least one of these OUs.
    /// An empty set is met by nothing. A store looks at this and never at `ou`.
    #[serde(skip)]
    pub ous: Option<BTreeSet<ResourceId>>,
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
            approval: None,
            decision: None,
            ou: None,
            depth: None,
            ous: None,
            from_seq: None,
            to_seq: None,
            from: None,
            to: None,
            limit: 100,
        }
    }
}

impl AuditQuery {
    /// Refuses a limit that is out of bounds, a depth below nothing, and a range that ends before it begins.
    ///
    /// # Errors
    /// A limit of 0 or above [`MAX_AUDIT_LIMIT`]; a `depth` without an `ou`; a `from_seq` above `to_seq`, a `from` after `to`.
    pub fn validate(&self) -> Result<(), Invalid> {
        if let (Some(depth), None) = (self.depth, self.ou) {
            return Err(Invalid::new("depth", depth, "only together with `ou`"));
        }
        if let (Some(first), Some(last)) = (self.from_seq, self.to_seq)
            && first > last
        {
            return Err(Invalid::new("from_seq", first, format!("at most `to_seq`, which is {last}")));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(Invalid::new("from", from, format!("no later than `to`, which is {to}")));
        }
        if (1..=MAX_AUDIT_LIMIT).contains(&self.limit) {
            return Ok(());
        }
        Err(Invalid::new("limit", self.limit, format!("1 to {MAX_AUDIT_LIMIT}")))
    }

    /// Whether `row` passes every filter but that of the OUs, which are not in the row and for which a store keeps an
    /// index; the limit is the caller's to count.
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
            && (self.approval.is_none() || self.approval == row.approval_request_id)
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
            approval_request_id: Some("req_1".into()),
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
            (r#"{"approval":"req_1"}"#, r#"{"approval":"req_2"}"#),
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
        let deep = AuditQuery { depth: Some(1), ..AuditQuery::default() };
        assert_eq!(deep.validate().unwrap_err().field, "depth");
        for (range, field) in [
            (r#"{"from_seq":2,"to_seq":1}"#, Some("from_seq")),
            (r#"{"from_seq":2,"to_seq":2}"#, None),
            (r#"{"from":"2025-01-02T00:00:00Z","to":"2025-01-01T00:00:00Z"}"#, Some("from")),
            (r#"{"from":"2025-01-01T00:00:00Z","to":"2025-01-01T00:00:00Z"}"#, None),
        ] {
            let query: AuditQuery = serde_json::from_str(range).unwrap();
            assert_eq!(query.validate().err().map(|invalid| invalid.field).as_deref(), field, "{range}");
        }
        assert!(
            serde_json::from_str::<AuditQuery>(r#"{"ous":[]}"#).is_err(),
            "what a store filters by is not input"
        );
    }
}
