//! The audit trail: a hash chain per organization of every change and every refused change (rows P10, M40–M43).
//!
//! # The bytes, for whoever checks them without this program
//! - **Payload**: `JCS({"after":…,"before":…})`, with a member `"detail"` if there is one, and a member `"ous"`, the ids of the OUs
//!   the change touches with the governing one first, if there are any. JCS is RFC 8785.
//! - **`change_hash`**: `SHA-256(payload)`; with a salt `SHA-256("powerloom/audit/change/v1\n" ‖ salt[16] ‖ payload)`.
//! - **Row v1**: `JCS` of an object with exactly `v` (1), `seq`, `org_id`, `ts`, `actor`, `verb`, `resource_kind`,
//!   `resource_id`, `decision` (`allow` or `deny`), `delegated_from_session`, `approval_request_id`, `change_hash`.
//!   What is absent is `null`. `ts` is RFC 3339 in UTC with six fraction digits and `Z`; hashes are lower-case
//!   hexadecimal; `seq` is a number.
//! - **`hash`**: `SHA-256("powerloom/audit/v1\n" ‖ prev_hash[32] ‖ row)`. The first `prev_hash` is 32 zero bytes, the
//!   first `seq` is 1, and there are no gaps.
//!
//! # An export
//! Lines, each ended by `\n`, each of them in canonical form (RFC 8785) as a whole.
//! - **The first line** is an object with exactly `checkpoint` (a signed note, or `null`), `exported_at`, `format`
//!   (`powerloom/audit-export`), `from`, `head` (`hash` and `seq` of the newest entry of the chain, here or beyond), `org_id`,
//!   `slug`, `to`, `v` (1). `from` and `to` are the places of the first and the last entry; `to` is `from` − 1 where there is none.
//! - **Every other line** is an entry: exactly `change`, `hash`, `prev_hash`, `row`, `salt`, in this order. `row` is the hashed
//!   row, byte for byte, and `change` the payload, byte for byte, or `null` once erased; `hash` and `prev_hash` are hexadecimal,
//!   `salt` is hexadecimal or `null`. So a line is `{"change":` ‖ payload ‖ `,"hash":"` ‖ 64 digits ‖ `","prev_hash":"` ‖ 64 digits ‖
//!   `","row":` ‖ row ‖ `,"salt":` ‖ salt ‖ `}`, and the last `","row":` in it is that one.
//!
//! # The tree
//! RFC 9162, 2.1, over the entries in order: a leaf is `SHA-256(0x00 ‖ hash)` of the entry's 32 bytes, a node
//! `SHA-256(0x01 ‖ left ‖ right)`; a tree of `n` entries splits at the largest power of two below `n`; the root of none is
//! `SHA-256("")`. A proof is an object with `seq` (from 1) and `size`, or `from` and `to`, and `hashes` in hexadecimal, in the order of the
//! RFC (2.1.3.1, 2.1.4.1). A root means nothing without its size: take both from a checkpoint.
//!
//! # A checkpoint
//! A C2SP `tlog-checkpoint` in a C2SP `signed-note`: the lines origin (`powerloom/audit/<organization>` unless the installation
//! says otherwise), number of entries in decimal, root in base64, `head <hash of the last entry>`, `at <ts>`; a blank line; for each
//! signature `— <key name> <base64(key id ‖ signature)>`. The signature is Ed25519 over the text before the blank line, with its line
//! break; the key id is the first four bytes of `SHA-256(<key name> ‖ "\n" ‖ 0x01 ‖ key)`; keys are exchanged as
//! `<key name>+<key id in hexadecimal>+<base64(0x01 ‖ key)>`.
//!
//! # The events of a session
//! The row `session.end` has in `detail` the status, the counts, `last_seq` and `events_digest`: beginning with 32 zero bytes,
//! `SHA-256("powerloom/session-events/v1\n" ‖ digest so far ‖ JCS(event))` over all events in order, where an event is the object
//! `at`, `event_id`, `payload`, `seq` (as a string), `session_id`, `type`. An integer beyond ±(2^53 − 1) in a payload stands as the string of its
//! digits; `events_digest` is `null` if an event nests too deep to have a canonical form.
//!
//! # What the plain chain shows, and what it cannot
//! | what was done to the store | seen |
//! |---|---|
//! | a row, a payload or an index column edited | yes |
//! | a row deleted, inserted, doubled, moved, or taken from another organization | yes |
//! | the newest rows cut off | only with a checkpoint or a trusted head kept elsewhere, as far as that reaches |
//! | everything after some row written anew, hashes included | only with a checkpoint or a trusted head kept elsewhere |
//! | a payload and its salt deleted | counted as erased: erasure is allowed, so it is no break |
//!
//! A chain alone is therefore tamper-*evident* against whoever cannot rewrite all of it, and no more. Let a
//! [`Checkpointer`](crate::checkpointer::Checkpointer) bring signed checkpoints to where the store's writers cannot reach: what they
//! cover cannot be cut off or written anew without being seen by whoever holds one. What came after the newest of them can.

mod chain;
pub mod checkpoint;
mod draft;
pub(crate) mod entry;
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
mod signer_file;
pub mod trust;
mod verify;

#[cfg(test)]
mod export_tamper;
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
