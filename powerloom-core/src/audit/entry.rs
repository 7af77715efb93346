//! One entry of the chain, as it is kept.

#[cfg(feature = "schema")]
use crate::audit::draft::Change;
use crate::audit::row::AuditRow;
use crate::digest::Digest;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The length of a salt, in bytes.
pub const SALT_LEN: usize = 16;

/// One entry of the chain: what [`seal`](super::seal) makes, a backend keeps and returns, and the
/// [`Verifier`](super::Verifier) reads.
///
/// A backend keeps every field as it is, never updates one but through [`erase`](Self::erase), and returns the
/// columns it filters by in [`row`](Self::row): the verifier compares them with the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The hashed fields.
    pub row: AuditRow,
    /// The `hash` of the entry before; [`Digest::ZERO`] for the first.
    pub prev_hash: Digest,
    /// Commits to this row and, through `prev_hash`, to all before it.
    pub hash: Digest,
    /// The canonical bytes of the row, as hashed.
    pub row_bytes: Vec<u8>,
    /// The canonical bytes of the change; `None` once erased.
    pub payload: Option<Vec<u8>>,
    /// What makes an erased payload impossible to guess back; `None` in an unsalted chain or once erased.
    pub salt: Option<[u8; SALT_LEN]>,
}

impl AuditEntry {
    /// Deletes the payload and its salt. The chain stays valid, and what was erased can no longer be guessed from
    /// `change_hash` if there was a salt. Row A8 of the reliability list.
    pub fn erase(&mut self) {
        self.payload = None;
        self.salt = None;
    }

    /// Whether the payload was erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.payload.is_none()
    }

    /// The change as JSON; `None` once erased, or where the bytes are no JSON.
    #[must_use]
    pub fn change(&self) -> Option<Value> {
        serde_json::from_slice(self.payload.as_deref()?).ok()
    }

    /// The hash a payload has to have: see [the module](super) for the bytes.
    #[must_use]
    pub fn change_hash(payload: &[u8], salt: Option<&[u8; SALT_LEN]>) -> Digest {
        match salt {
            None => Digest::of(payload),
            Some(salt) => Digest::of_parts(&[b"powerloom/audit/change/v1\n", salt, payload]),
        }
    }

    /// The hash a row has to have after `prev_hash`.
    #[must_use]
    pub fn row_hash(prev_hash: &Digest, row_bytes: &[u8]) -> Digest {
        Digest::of_parts(&[b"powerloom/audit/v1\n", prev_hash.as_bytes(), row_bytes])
    }
}

/// One entry of the chain. The hashed bytes are the canonical forms of its parts.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditEntry))]
pub(crate) struct Written<'a> {
    /// The hashed fields.
    row: &'a AuditRow,
    /// The `hash` of the entry before; 64 zeros for the first.
    prev_hash: Digest,
    /// Commits to this row and, through `prev_hash`, to all before it.
    hash: Digest,
    /// The change; `null` once erased.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Change>, required))]
    change: Option<Value>,
    /// What makes an erased change impossible to guess back, in hexadecimal; `null` in an unsalted chain or once erased.
    #[cfg_attr(feature = "schema", schema(required, pattern = "^[0-9a-f]{32}$"))]
    salt: Option<String>,
}

/// The form for readers and exports: `row` (the hashed object), `prev_hash`, `hash`, `change` (the object, or `null` once
/// erased) and `salt` (hexadecimal, or `null`). The hashed bytes are the canonical forms of its parts.
impl Serialize for AuditEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.payload.is_some() && self.change().is_none() {
            return Err(S::Error::custom("an audit payload is not JSON"));
        }
        let (change, salt) = (self.change(), self.salt.map(hex::encode));
        Written { row: &self.row, prev_hash: self.prev_hash, hash: self.hash, change, salt }
            .serialize(serializer)
    }
}
