//! Values out of a row.

use crate::sqlite::error::{damaged, read_error};
use powerloom_core::audit::{AuditDecision, AuditEntry, AuditRow, SALT_LEN};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::OrgId;
use powerloom_core::invalid::Invalid;
use powerloom_core::record::ResourceKey;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::{StoreError, StoreResult};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};
use std::str::FromStr;

/// The value of a column.
pub(super) fn column<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    index: usize,
) -> StoreResult<T> {
    row.try_get(index).map_err(read_error)
}

/// An id, a kind, a digest: whatever is read from its text.
pub(super) fn parsed<T: FromStr<Err = Invalid>>(row: &SqliteRow, index: usize) -> StoreResult<T> {
    column::<&str>(row, index)?.parse().map_err(|error| damaged("a column cannot be read", error))
}

/// A body.
pub(super) fn body<T: DeserializeOwned>(row: &SqliteRow, index: usize) -> StoreResult<T> {
    serde_json::from_str(column(row, index)?).map_err(|error| damaged("a stored body cannot be read", error))
}

/// A number that is never negative.
pub(super) fn number(row: &SqliteRow, index: usize) -> StoreResult<u64> {
    u64::try_from(column::<i64>(row, index)?).map_err(|error| damaged("a number is negative", error))
}

/// A hash of 32 bytes.
pub(super) fn hash(row: &SqliteRow, index: usize) -> StoreResult<Digest> {
    let bytes = <[u8; 32]>::try_from(column::<&[u8]>(row, index)?);
    Ok(Digest::from_bytes(bytes.map_err(|error| damaged("a hash does not have 32 bytes", error))?))
}

/// Kind and id in two columns.
pub(super) fn key(row: &SqliteRow, index: usize) -> StoreResult<ResourceKey> {
    Ok(ResourceKey { kind: parsed(row, index)?, id: parsed(row, index + 1)? })
}

/// A session's body, and the number of its last event in the column after it.
pub(super) fn session(row: &SqliteRow, index: usize) -> StoreResult<SessionRecord> {
    let mut session: SessionRecord = body(row, index)?;
    session.last_seq = EventSeq::new(number(row, index + 1)?);
    Ok(session)
}

/// The columns [`audit_entry`] reads; `a` is the row and `p` its payload.
pub(super) const AUDIT_COLUMNS: &str = "a.org, a.seq, a.v, a.ts, a.actor, a.verb, a.resource_kind, a.resource_id, \
     a.decision, a.session, a.approval, a.change_hash, a.prev_hash, a.hash, a.row, p.payload, p.salt \
     FROM audit_rows a LEFT JOIN audit_payloads p ON p.org = a.org AND p.seq = a.seq ";

/// An entry of the chain. The columns are returned as they are: whether they agree is for the verifier to say.
pub(super) fn audit_entry(row: &SqliteRow) -> StoreResult<AuditEntry> {
    let odd = |what: &str| StoreError::Corrupt { message: what.to_owned(), source: None };
    let salt = column::<Option<&[u8]>>(row, 16)?.map(<[u8; SALT_LEN]>::try_from).transpose();
    Ok(AuditEntry {
        row: AuditRow {
            v: u32::try_from(number(row, 2)?)
                .map_err(|error| damaged("an audit version is too high", error))?,
            seq: number(row, 1)?,
            org_id: parsed::<OrgId>(row, 0)?,
            ts: Timestamp::from_micros(column(row, 3)?),
            actor: column(row, 4)?,
            verb: column(row, 5)?,
            resource_kind: column(row, 6)?,
            resource_id: column(row, 7)?,
            decision: match column(row, 8)? {
                "allow" => AuditDecision::Allow,
                "deny" => AuditDecision::Deny,
                _ => return Err(odd("an audit decision is neither `allow` nor `deny`")),
            },
            delegated_from_session: column(row, 9)?,
            approval_request_id: column(row, 10)?,
            change_hash: hash(row, 11)?,
        },
        prev_hash: hash(row, 12)?,
        hash: hash(row, 13)?,
        row_bytes: column::<String>(row, 14)?.into_bytes(),
        payload: column::<Option<String>>(row, 15)?.map(String::into_bytes),
        salt: salt.map_err(|error| damaged("an audit salt does not have 16 bytes", error))?,
    })
}
