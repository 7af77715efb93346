//! Gives a draft its place in the chain. Pure: the backend calls it inside its atomic write.

use crate::audit::draft::AuditDraft;
use crate::audit::entry::{AuditEntry, SALT_LEN};
use crate::audit::row::{AUDIT_VERSION, AuditRow};
use crate::digest::Digest;
use crate::id::OrgId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};

/// The newest entry of a chain; kept outside the store, it is what shows a cut tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// Its place; 0 in an empty chain.
    pub seq: u64,
    /// Its hash; [`Digest::ZERO`] in an empty chain.
    pub hash: Digest,
}

impl AuditHead {
    /// The head of a chain without entries.
    pub const GENESIS: Self = Self { seq: 0, hash: Digest::ZERO };
}

impl AuditEntry {
    /// The head of the chain once this entry is its newest.
    #[must_use]
    pub const fn head(&self) -> AuditHead {
        AuditHead { seq: self.row.seq, hash: self.hash }
    }
}

/// Makes `draft` the entry after `head` in the chain of `org`.
///
/// The caller holds the chain of the organization (a lock, or a compare-and-set on `head`) from reading `head` to
/// keeping the entry, and keeps it in the same atomic write as the change itself. For many drafts, the head of
/// each result is the `head` of the next.
///
/// `salt` is 16 fresh random bytes, or `None` for a chain whose erased payloads may be guessed back; production
/// salts.
///
/// ```
/// use powerloom_core::{audit::*, clock::Timestamp, id::OrgId};
/// let draft = AuditDraft {
///     ts: Timestamp::from_micros(1_735_689_601_000_000),
///     actor: "user:admin@acme.com".into(),
///     verb: "agent.create".into(),
///     resource_kind: "Agent".into(),
///     resource_id: "a1".into(),
///     decision: AuditDecision::Allow,
///     delegated_from_session: None,
///     approval_request_id: None,
///     change: Change { after: serde_json::json!({"name": "code-reviewer"}), ..Change::default() },
/// };
/// let org: OrgId = "00000000-0000-4000-8000-000000000001".parse()?;
/// let first = seal(draft.clone(), org, &AuditHead::GENESIS, None)?;
/// let second = seal(draft, org, &first.head(), Some([7; 16]))?;
/// assert_eq!((second.row.seq, second.prev_hash), (2, first.hash));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
///
/// # Errors
/// A change without a canonical form, a time outside the years 1970 to 9999, a chain of 2^53 − 1 entries. Then nothing may be written at all.
pub fn seal(
    draft: AuditDraft,
    org: OrgId,
    head: &AuditHead,
    salt: Option<[u8; SALT_LEN]>,
) -> Result<AuditEntry, Invalid> {
    let seq = head.seq.saturating_add(1);
    AuditRow::check(seq, draft.ts)?;
    let payload = draft.change.to_payload().map_err(|invalid| invalid.within("change"))?;
    let row = AuditRow {
        v: AUDIT_VERSION,
        seq,
        org_id: org,
        ts: draft.ts,
        actor: draft.actor,
        verb: draft.verb,
        resource_kind: draft.resource_kind,
        resource_id: draft.resource_id,
        decision: draft.decision,
        delegated_from_session: draft.delegated_from_session,
        approval_request_id: draft.approval_request_id,
        change_hash: AuditEntry::change_hash(&payload, salt.as_ref()),
    };
    let row_bytes = row.to_canonical();
    let hash = AuditEntry::row_hash(&head.hash, &row_bytes);
    Ok(AuditEntry { row, prev_hash: head.hash, hash, row_bytes, payload: Some(payload), salt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::draft::{AuditDecision, Change};
    use crate::clock::Timestamp;

    #[test]
    fn what_could_not_be_verified_is_not_sealed() {
        let org: OrgId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let draft = |ts, after| AuditDraft {
            ts: Timestamp::from_micros(ts),
            actor: "user:ada".into(),
            verb: "agent.create".into(),
            resource_kind: "Agent".into(),
            resource_id: "a1".into(),
            decision: AuditDecision::Deny,
            delegated_from_session: None,
            approval_request_id: None,
            change: Change { after, ..Change::default() },
        };
        let full = AuditHead { seq: crate::canonical_json::MAX_INTEGER, hash: Digest::ZERO };
        assert!(seal(draft(1, 1.into()), org, &AuditHead::GENESIS, None).is_ok());
        assert_eq!(seal(draft(1, 1.into()), org, &full, None).unwrap_err().field, "seq");
        assert_eq!(seal(draft(-1, 1.into()), org, &AuditHead::GENESIS, None).unwrap_err().field, "ts");
        let wide = seal(draft(1, u64::MAX.into()), org, &AuditHead::GENESIS, None).unwrap_err();
        assert_eq!(wide.field, "change.after");
    }
}
