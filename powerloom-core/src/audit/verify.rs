//! Verifies a chain as it streams by: rehashes what is kept, and never writes it anew.

use crate::audit::chain::AuditHead;
use crate::audit::entry::{AuditEntry, SALT_LEN};
use crate::audit::report::Written;
use crate::audit::row::AUDIT_VERSION;
use crate::digest::Digest;
use crate::error_kind::ErrorKind;
use crate::id::OrgId;
use serde::{Deserialize, Serialize, Serializer};

/// The first place where a chain is not what it should be.
///
/// Closed on purpose: whoever reports a break names its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Entries are missing.
    #[error("audit gap: entry {expected} is missing, {found} follows")]
    Gap {
        /// The place that should come.
        expected: u64,
        /// The place that came.
        found: u64,
    },
    /// An entry comes a second time or out of its order.
    #[error("audit order: entry {found} comes where {expected} should")]
    Reorder {
        /// The place that should come.
        expected: u64,
        /// The place that came.
        found: u64,
    },
    /// The entry does not follow the one before it: one of the two was put there.
    #[error("audit link: entry {seq} does not follow the entry before it")]
    BadLink {
        /// The place of the entry.
        seq: u64,
    },
    /// The row is not the one that was hashed.
    #[error("audit row: entry {seq} was changed")]
    BadRowHash {
        /// The place of the entry.
        seq: u64,
    },
    /// The row is as hashed, and its columns say something else.
    #[error("audit columns: the columns of entry {seq} are not those of its row")]
    ColumnMismatch {
        /// The place of the entry.
        seq: u64,
    },
    /// The payload (or its salt) is not the one the row commits to.
    #[error("audit payload: the payload of entry {seq} was changed")]
    PayloadMismatch {
        /// The place of the entry.
        seq: u64,
    },
    /// The entry belongs to another organization.
    #[error("audit organization: entry {seq} belongs to `{found}`")]
    WrongOrg {
        /// The place of the entry.
        seq: u64,
        /// Whose entry it is.
        found: OrgId,
    },
    /// The trusted head is not in the chain: the tail was cut, or the chain written anew.
    #[error("audit head: the trusted head {trusted} is not in the chain, which ends at {found}")]
    HeadMismatch {
        /// The place of the trusted head.
        trusted: u64,
        /// The place where it was looked for, or the end of the chain.
        found: u64,
    },
    /// The row has a form this program does not know.
    #[error("audit version: entry {seq} has version {version}")]
    UnknownVersion {
        /// The place of the entry.
        seq: u64,
        /// Its version.
        version: u32,
    },
}

impl Break {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::Reorder { .. } => "reorder",
            Self::BadLink { .. } => "bad_link",
            Self::BadRowHash { .. } => "bad_row_hash",
            Self::ColumnMismatch { .. } => "column_mismatch",
            Self::PayloadMismatch { .. } => "payload_mismatch",
            Self::WrongOrg { .. } => "wrong_org",
            Self::HeadMismatch { .. } => "head_mismatch",
            Self::UnknownVersion { .. } => "unknown_version",
        }
    }

    /// Always [`ErrorKind::Corrupt`]: a person must look.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

/// A stable code and a sentence.
impl Serialize for Break {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { code: self.code(), message: self.to_string() }.serialize(serializer)
    }
}

/// What a whole verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditVerified))]
pub struct Verified {
    /// How many entries were read.
    pub count: u64,
    /// Of these, how many have no payload any more.
    pub erased: u64,
    /// The newest entry read; keep it elsewhere and trust it next time.
    pub head: AuditHead,
}

/// What the verifier looks at of an entry, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) seq: u64,
    pub(super) org_id: OrgId,
    pub(super) v: u32,
    pub(super) change_hash: Digest,
    pub(super) prev_hash: Digest,
    pub(super) hash: Digest,
    pub(super) row_bytes: &'a [u8],
    pub(super) payload: Option<&'a [u8]>,
    pub(super) salt: Option<&'a [u8; SALT_LEN]>,
}

impl<'a> Link<'a> {
    fn of(entry: &'a AuditEntry) -> Self {
        Self {
            seq: entry.row.seq,
            org_id: entry.row.org_id,
            v: entry.row.v,
            change_hash: entry.row.change_hash,
            prev_hash: entry.prev_hash,
            hash: entry.hash,
            row_bytes: &entry.row_bytes,
            payload: entry.payload.as_deref(),
            salt: entry.salt.as_ref(),
        }
    }
}

/// Verifies the chain of one organization, entry by entry.
///
/// ```
/// use powerloom_core::{audit::*, clock::Timestamp, id::OrgId};
/// # fn read_chain() -> Vec<AuditEntry> { Vec::new() }
/// # let org: OrgId = "00000000-0000-4000-8000-000000000001".parse()?;
/// let mut verifier = Verifier::new(org, None, None);
/// for entry in &read_chain() {
///     verifier.push(entry)?;
/// }
/// assert_eq!(verifier.finish()?.count, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    org: OrgId,
    head: AuditHead,
    trusted: Option<AuditHead>,
    count: u64,
    erased: u64,
    broken: Option<Break>,
}

impl Verifier {
    /// Begins after `from` (`None`: at the first entry).
    ///
    /// `trusted_head` is a head of this chain that was kept where the store's writers cannot reach: the chain must
    /// hold it, at `from` or later. `from` itself is believed.
    #[must_use]
    pub fn new(org: OrgId, from: Option<AuditHead>, trusted_head: Option<AuditHead>) -> Self {
        let head = from.unwrap_or(AuditHead::GENESIS);
        // A trusted head equal to the start is met already; an earlier one never will be, and `finish` says so.
        let trusted = trusted_head.filter(|trusted| *trusted != head);
        Self { org, head, trusted, count: 0, erased: 0, broken: None }
    }

    /// Verifies the next entry, in the order of `seq`.
    ///
    /// # Errors
    /// The first break; from then on, the same one again.
    pub fn push(&mut self, entry: &AuditEntry) -> Result<(), Break> {
        self.push_link(&Link::of(entry), |bytes| entry.row.is_written_as(bytes))
    }

    /// The same for an entry whose fields were read out of its bytes, or are compared with them by `is_written_as`.
    pub(super) fn push_link(
        &mut self,
        link: &Link<'_>,
        is_written_as: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), Break> {
        if let Some(found) = self.broken {
            return Err(found);
        }
        if let Err(found) = self.check(link, is_written_as) {
            self.broken = Some(found);
            return Err(found);
        }
        self.head = AuditHead { seq: link.seq, hash: link.hash };
        self.count += 1;
        self.erased += u64::from(link.payload.is_none());
        Ok(())
    }

    /// What was verified before the end, or before the first break.
    pub(super) const fn so_far(&self) -> Verified {
        Verified { count: self.count, erased: self.erased, head: self.head }
    }

    /// Whose chain it is.
    pub(super) const fn org(&self) -> OrgId {
        self.org
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// The break that was found, or [`Break::HeadMismatch`] if the trusted head was not met.
    pub fn finish(self) -> Result<Verified, Break> {
        match (self.broken, self.trusted) {
            (Some(found), _) => Err(found),
            (None, Some(trusted)) => Err(Break::HeadMismatch { trusted: trusted.seq, found: self.head.seq }),
            (None, None) => Ok(Verified { count: self.count, erased: self.erased, head: self.head }),
        }
    }

    fn check(&mut self, link: &Link<'_>, is_written_as: impl FnOnce(&[u8]) -> bool) -> Result<(), Break> {
        let (seq, expected) = (link.seq, self.head.seq.saturating_add(1));
        if seq > expected {
            return Err(Break::Gap { expected, found: seq });
        }
        if seq < expected {
            return Err(Break::Reorder { expected, found: seq });
        }
        if link.org_id != self.org {
            return Err(Break::WrongOrg { seq, found: link.org_id });
        }
        if link.v != AUDIT_VERSION {
            return Err(Break::UnknownVersion { seq, version: link.v });
        }
        self.check_bytes(link, is_written_as).map_err(|found| self.diagnose(link, found))?;
        if let Some(payload) = link.payload
            && AuditEntry::change_hash(payload, link.salt) != link.change_hash
        {
            return Err(Break::PayloadMismatch { seq });
        }
        if let Some(trusted) = self.trusted
            && trusted.seq == seq
        {
            if trusted.hash != link.hash {
                return Err(Break::HeadMismatch { trusted: trusted.seq, found: seq });
            }
            self.trusted = None;
        }
        Ok(())
    }

    fn check_bytes(&self, link: &Link<'_>, is_written_as: impl FnOnce(&[u8]) -> bool) -> Result<(), Break> {
        let seq = link.seq;
        if link.prev_hash != self.head.hash {
            return Err(Break::BadLink { seq });
        }
        if AuditEntry::row_hash(&link.prev_hash, link.row_bytes) != link.hash {
            return Err(Break::BadRowHash { seq });
        }
        if !is_written_as(link.row_bytes) {
            return Err(Break::ColumnMismatch { seq });
        }
        Ok(())
    }

    /// What the bytes themselves say comes first: a row from elsewhere also breaks the link.
    fn diagnose(&self, link: &Link<'_>, found: Break) -> Break {
        #[derive(Deserialize)]
        struct Origin {
            v: u32,
            org_id: OrgId,
        }
        let seq = link.seq;
        match serde_json::from_slice::<Origin>(link.row_bytes) {
            Ok(origin) if origin.org_id != self.org => Break::WrongOrg { seq, found: origin.org_id },
            Ok(origin) if origin.v != AUDIT_VERSION => Break::UnknownVersion { seq, version: origin.v },
            _ => found,
        }
    }
}
