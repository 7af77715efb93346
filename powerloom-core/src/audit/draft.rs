//! What the door hands in: an entry before it has a place in the chain.

use crate::canonical_json::{self, Sink};
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whether the change was made or refused.
///
/// Closed on purpose: a third outcome would have to be handled wherever this is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditDecision {
    /// The change was made.
    Allow,
    /// The change was refused, and nothing but this entry was written.
    Deny,
}

impl AuditDecision {
    /// The word in the hashed row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What changed: the record before and after, and what else explains it.
///
/// Secrets must already be replaced; see [`Redactor`](super::Redactor).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditChange))]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The record before; `null` where there was none.
    pub before: Value,
    /// The record after; `null` where there is none left, or where the change was refused.
    pub after: Value,
    /// Anything else worth keeping: the acting agent, the missing permission, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// The OUs it touches, the one that governs what was changed first; the door fills them in. Absent from the hashed
    /// object where there are none. A backend keeps an index of them, which outlives the erasure of the payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<ResourceId>,
}

impl Change {
    /// Adds one more thing worth keeping under a name of its own.
    pub(crate) fn remark(&mut self, name: &str, value: Value) {
        let mut detail = match self.detail.take() {
            Some(Value::Object(detail)) => detail,
            Some(other) => Map::from_iter([("detail".to_owned(), other)]),
            None => Map::new(),
        };
        detail.insert(name.to_owned(), value);
        self.detail = Some(Value::Object(detail));
    }

    /// The same change, touching these OUs, each of which counts once.
    #[must_use]
    pub fn touching(mut self, ous: &[ResourceId]) -> Self {
        for ou in ous {
            if !self.ous.contains(ou) {
                self.ous.push(*ou);
            }
        }
        self
    }

    /// The bytes that are hashed and kept: the canonical JSON of this object.
    ///
    /// # Errors
    /// A value without a canonical form, such as an integer beyond ±(2^53 − 1).
    pub fn to_payload(&self) -> Result<Vec<u8>, Invalid> {
        let mut out = Vec::with_capacity(256);
        out.put(b"{\"after\":");
        canonical_json::write(&self.after, &mut out).map_err(|invalid| invalid.within("after"))?;
        out.put(b",\"before\":");
        canonical_json::write(&self.before, &mut out).map_err(|invalid| invalid.within("before"))?;
        if let Some(detail) = &self.detail {
            out.put(b",\"detail\":");
            canonical_json::write(detail, &mut out).map_err(|invalid| invalid.within("detail"))?;
        }
        for (place, ou) in self.ous.iter().enumerate() {
            out.put(if place == 0 { b",\"ous\":[\"" } else { b",\"" });
            out.put(ou.as_uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
            out.put(b"\"");
        }
        if !self.ous.is_empty() {
            out.put(b"]");
        }
        out.put(b"}");
        Ok(out)
    }
}

/// An audit entry without `seq`, `prev_hash` and `hash`: the store gives it these with
/// [`seal`](super::seal), inside the same atomic write as the change.
///
/// Rows M41 and M42: the actor is always the authenticated user; what an agent did for them also bears the session.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditDraft {
    /// When the door decided.
    pub ts: Timestamp,
    /// Who is answerable: `user:admin@acme.com`.
    pub actor: String,
    /// What was done: `agent.create`.
    pub verb: String,
    /// The kind of what it was done to: `Agent`.
    pub resource_kind: String,
    /// The id of what it was done to.
    pub resource_id: String,
    /// Whether it was done or refused.
    pub decision: AuditDecision,
    /// The session whose token was used; `None` where the actor called themselves.
    pub delegated_from_session: Option<String>,
    /// The approval under which the change was made.
    pub approval_request_id: Option<String>,
    /// What changed.
    pub change: Change,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_is_the_canonical_json_of_the_change() {
        let ou = |n: u128| ResourceId::from_uuid(uuid::Uuid::from_u128(n << 64 | 0xab));
        for (detail, ous) in [
            (None, vec![]),
            (Some(json!({"agent": "a1"})), vec![]),
            (None, vec![ou(2)]),
            (Some(json!(1)), vec![ou(2), ou(1)]),
        ] {
            let change = Change { before: json!(null), after: json!({"t": 0.5, "a": 1}), detail, ous };
            assert_eq!(change.to_payload().unwrap(), canonical_json::to_vec(&change).unwrap());
        }
    }

    #[test]
    fn a_change_without_a_canonical_form_names_the_field() {
        let change = Change { after: json!({"n": u64::MAX}), ..Change::default() };
        assert_eq!(change.to_payload().unwrap_err().field, "after.n");
    }
}
