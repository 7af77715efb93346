//! The audit trail: a hash chain per organization of every change and every refused change (rows P10, M40–M43).
//!
//! # The bytes, for whoever checks them without this program
//! - **Payload**: `JCS({"after":…,"before":…})`, with a member `"detail"` if there is one. JCS is RFC 8785.
//! - **`change_hash`**: `SHA-256(payload)`; with a salt `SHA-256("powerloom/audit/change/v1\n" ‖ salt[16] ‖ payload)`.
//! - **Row v1**: `JCS` of an object with exactly `v` (1), `seq`, `org_id`, `ts`, `actor`, `verb`, `resource_kind`,
//!   `resource_id`, `decision` (`allow` or `deny`), `delegated_from_session`, `approval_request_id`, `change_hash`.
//!   What is absent is `null`. `ts` is RFC 3339 in UTC with six fraction digits and `Z`; hashes are lower-case
//!   hexadecimal; `seq` is a number.
//! - **`hash`**: `SHA-256("powerloom/audit/v1\n" ‖ prev_hash[32] ‖ row)`. The first `prev_hash` is 32 zero bytes, the
//!   first `seq` is 1, and there are no gaps.
//!
//! # What the plain chain shows, and what it cannot
//! | what was done to the store | seen |
//! |---|---|
//! | a row, a payload or an index column edited | yes |
//! | a row deleted, inserted, doubled, moved, or taken from another organization | yes |
//! | the newest rows cut off | only with a trusted head kept elsewhere |
//! | everything after some row written anew, hashes included | only with a trusted head kept elsewhere |
//! | a payload and its salt deleted | counted as erased: erasure is allowed, so it is no break |
//!
//! A chain alone is therefore tamper-*evident* against whoever cannot rewrite all of it, and no more. Keep
//! [`AuditHead`]s outside the store and hand them to the [`Verifier`].

mod chain;
pub mod checkpoint;
mod draft;
mod entry;
pub mod export;
pub mod merkle;
pub mod note;
pub mod offline;
pub mod proof;
mod query;
mod redact;
pub mod report;
mod row;
mod row_view;
pub mod signer;
pub mod trust;
mod verify;

#[cfg(test)]
mod outside_notes;
#[cfg(test)]
mod outside_trees;

#[cfg(test)]
mod tamper;

pub use chain::{AuditHead, seal};
pub use draft::{AuditDecision, AuditDraft, Change};
pub use entry::{AuditEntry, SALT_LEN};
pub use query::{AuditQuery, MAX_AUDIT_LIMIT};
pub use redact::Redactor;
pub use row::{AUDIT_VERSION, AuditRow};
pub use verify::{Break, Verified, Verifier};
