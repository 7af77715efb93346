//! Writes the changed rows of a working set back and commits.

use crate::sqlite::batch::Batch;
use crate::sqlite::error::damaged;
use crate::tables::{Tables, due_at, free_at, is_in_sync};
use powerloom_core::audit::AuditEntry;
use powerloom_core::clock::Timestamp;
use powerloom_core::record::Stage;
use powerloom_core::session::event::NewEvent;
use powerloom_core::store::StoreResult;
use serde::Serialize;
use std::time::Duration;

const ORGS: &str = "INSERT INTO orgs (id, slug, paused_until, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (id) DO UPDATE SET paused_until = excluded.paused_until, body = excluded.body";
const RECORDS: &str = "INSERT INTO records (org, kind, id, ou, name, archived, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
     FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, kind, id) DO UPDATE \
     SET ou = excluded.ou, name = excluded.name, archived = excluded.archived, body = excluded.body";
const NAMES_GONE: &str = "DELETE FROM names WHERE (org, kind, unique_key) IN \
     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(?))";
const NAMES: &str = "INSERT INTO names (org, kind, unique_key, id) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, kind, unique_key) DO UPDATE SET id = excluded.id";
const REFS_GONE: &str = "DELETE FROM refs WHERE (org, target_kind, target_id, kind, id) IN \
     (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each(?))";
const REFS: &str = "INSERT INTO refs (org, target_kind, target_id, kind, id) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each(?) WHERE true \
     ON CONFLICT DO NOTHING";
const SYNC: &str = "INSERT INTO sync (org, kind, id, due_at, in_sync, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, kind, id) DO UPDATE \
     SET due_at = excluded.due_at, in_sync = excluded.in_sync, body = excluded.body";
const SESSIONS: &str = "INSERT INTO sessions (org, id, agent, free_at, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, id) DO UPDATE SET agent = excluded.agent, free_at = excluded.free_at, body = excluded.body";
const EVENTS: &str = "INSERT INTO events (org, session, seq, event_id, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each(?)";
const TICKETS_GONE: &str = "DELETE FROM tickets WHERE digest IN (SELECT value FROM jsonb_each(?))";
const TICKETS: &str = "INSERT INTO tickets (digest, org, expires_at, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (digest) DO UPDATE SET org = excluded.org, expires_at = excluded.expires_at, body = excluded.body";
const TICKETS_EXPIRED: &str = "DELETE FROM tickets WHERE digest IN \
     (SELECT digest FROM tickets WHERE expires_at < ? ORDER BY expires_at LIMIT 64)";
const STREAMS_GONE: &str = "DELETE FROM streams WHERE (org, session) IN \
     (SELECT value ->> 0, value ->> 1 FROM jsonb_each(?))";
const STREAMS: &str = "INSERT INTO streams (org, session, holder, until) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, session) DO UPDATE SET holder = excluded.holder, until = excluded.until";
const SECRETS_GONE: &str = "DELETE FROM secrets WHERE (org, owner) IN \
     (SELECT value ->> 0, value ->> 1 FROM jsonb_each(?))";
const SECRETS: &str = "INSERT INTO secrets (org, owner, sealed) \
     SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, owner) DO UPDATE SET sealed = excluded.sealed";
const BLOB: &str = "INSERT INTO blobs (org, digest, bytes) VALUES (?, ?, ?) \
     ON CONFLICT (org, digest) DO UPDATE SET bytes = excluded.bytes";
const IDEMPOTENCY: &str = "INSERT INTO idempotency (org, key, expires_at, body) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true \
     ON CONFLICT (org, key) DO UPDATE SET expires_at = excluded.expires_at, body = excluded.body";
const IDEMPOTENCY_EXPIRED: &str = "DELETE FROM idempotency WHERE rowid IN \
     (SELECT rowid FROM idempotency WHERE expires_at < ? ORDER BY expires_at LIMIT 64)";
const AUDIT: &str = "INSERT INTO audit_rows (org, seq, v, ts, actor, verb, resource_kind, resource_id, decision, \
     session, approval, change_hash, prev_hash, hash, row) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
     value ->> 8, value ->> 9, value ->> 10, unhex(value ->> 11), unhex(value ->> 12), unhex(value ->> 13), \
     value ->> 14 FROM jsonb_each(?)";
const PAYLOADS: &str = "INSERT INTO audit_payloads (org, seq, payload, salt) \
     SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM jsonb_each(?)";
const AUDIT_OUS: &str = "INSERT INTO audit_ous (org, ou, seq) \
     SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(?)";
const ERASED: &str = "DELETE FROM audit_payloads WHERE org = ? AND seq = ?";

/// How long what has expired is kept all the same, so that a step of the clock shows nothing.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The statements that write everything that was changed, and commit. `at` is the moment of the batch.
pub(super) fn statements(tables: &Tables, at: Option<Timestamp>) -> StoreResult<Batch> {
    let mut batch = Batch::default();
    records(tables, &mut batch)?;
    sessions(tables, &mut batch)?;
    secrets(tables, &mut batch)?;
    audit(tables, &mut batch)?;
    if let Some(at) = at {
        for (sql, puts) in [
            (TICKETS_EXPIRED, tables.tickets.kept().next().is_some()),
            (IDEMPOTENCY_EXPIRED, tables.idempotency.kept().next().is_some()),
        ] {
            if puts {
                batch.run(sql);
                batch.number((at - GRACE).as_micros());
            }
        }
    }
    batch.run("COMMIT");
    Ok(batch)
}

fn records(tables: &Tables, batch: &mut Batch) -> StoreResult<()> {
    batch.rows(
        ORGS,
        tables.orgs.kept().map(|(id, row)| {
            (id, &row.slug, row.paused.as_ref().map(|pause| pause.until.as_micros()), Body(row))
        }),
    )?;
    batch.rows(
        RECORDS,
        tables.records.kept().map(|((org, key), row)| {
            let archived = u8::from(row.meta.stage == Stage::Archived);
            (org, &key.kind, key.id, row.meta.ou, &row.meta.name, archived, Body(row))
        }),
    )?;
    batch.rows(NAMES_GONE, tables.names.gone())?;
    batch.rows(NAMES, tables.names.kept().map(|((org, kind, name), id)| (org, kind, name, id)))?;
    let place = |(org, target, from): &crate::tables::RefKey| {
        (*org, target.kind.clone(), target.id, from.kind.clone(), from.id)
    };
    batch.rows(REFS_GONE, tables.refs.gone().map(place))?;
    batch.rows(REFS, tables.refs.kept().map(|(key, ())| place(key)))?;
    batch.rows(
        SYNC,
        tables.sync.kept().map(|((org, key), state)| {
            let due = due_at(state).map(Timestamp::as_micros);
            (org, &key.kind, key.id, due, u8::from(is_in_sync(state)), Body(state))
        }),
    )
}

fn sessions(tables: &Tables, batch: &mut Batch) -> StoreResult<()> {
    batch.rows(
        SESSIONS,
        tables.sessions.kept().map(|((org, id), session)| {
            (org, id, session.agent_id, free_at(session).map(Timestamp::as_micros), Body(session))
        }),
    )?;
    batch.rows(
        EVENTS,
        tables.events.kept().map(|((org, session, seq), event)| {
            (org, session, seq.number(), &event.event.event_id, Body::<NewEvent>(&event.event))
        }),
    )?;
    batch.rows(TICKETS_GONE, tables.tickets.gone())?;
    batch.rows(
        TICKETS,
        tables.tickets.kept().map(|(digest, row)| (digest, row.org, row.expires_at.as_micros(), Body(row))),
    )?;
    batch.rows(STREAMS_GONE, tables.streams.gone())?;
    batch.rows(
        STREAMS,
        tables.streams.kept().map(|((org, id), lease)| (org, id, &lease.owner, lease.until.as_micros())),
    )
}

fn secrets(tables: &Tables, batch: &mut Batch) -> StoreResult<()> {
    batch.rows(SECRETS_GONE, tables.secrets.gone())?;
    batch.rows(SECRETS, tables.secrets.kept().map(|((org, owner), sealed)| (org, owner, sealed)))?;
    for ((org, digest), bytes) in tables.blobs.kept() {
        batch.run(BLOB);
        batch.text(org.to_string());
        batch.text(digest.to_string());
        batch.bytes(bytes.clone());
    }
    batch.rows(
        IDEMPOTENCY,
        tables.idempotency.kept().map(|((org, key), row)| (org, key, row.expires_at.as_micros(), Body(row))),
    )
}

fn audit(tables: &Tables, batch: &mut Batch) -> StoreResult<()> {
    for ((org, seq), ()) in tables.erased.kept() {
        batch.run(ERASED);
        batch.text(org.to_string());
        batch.number(i64::try_from(*seq).unwrap_or(i64::MAX));
    }
    batch.rows(AUDIT, tables.audit.kept().map(|(_, entry)| Entry(entry)))?;
    let mut payloads = Vec::new();
    for ((org, seq), entry) in tables.audit.kept() {
        if let Some(payload) = &entry.payload {
            let text = std::str::from_utf8(payload)
                .map_err(|error| damaged("an audit payload is no text", error))?;
            payloads.push((org, seq, text, entry.salt.map(hex::encode)));
        }
    }
    batch.rows(PAYLOADS, payloads)?;
    batch.rows(AUDIT_OUS, tables.audit_ous.kept().map(|(key, ())| key))
}

/// A value as the text of its JSON.
struct Body<'a, T>(&'a T);

impl<T: Serialize> Serialize for Body<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(self.0).map_err(serde::ser::Error::custom)?)
    }
}

/// The columns of an audit row: more than a tuple can have.
struct Entry<'a>(&'a AuditEntry);

impl Serialize for Entry<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error as _, SerializeTuple as _};
        let (entry, row) = (self.0, &self.0.row);
        let mut out = serializer.serialize_tuple(15)?;
        out.serialize_element(&row.org_id)?;
        out.serialize_element(&row.seq)?;
        out.serialize_element(&row.v)?;
        out.serialize_element(&row.ts.as_micros())?;
        out.serialize_element(&row.actor)?;
        out.serialize_element(&row.verb)?;
        out.serialize_element(&row.resource_kind)?;
        out.serialize_element(&row.resource_id)?;
        out.serialize_element(row.decision.as_str())?;
        out.serialize_element(&row.delegated_from_session)?;
        out.serialize_element(&row.approval_request_id)?;
        out.serialize_element(&row.change_hash)?;
        out.serialize_element(&entry.prev_hash)?;
        out.serialize_element(&entry.hash)?;
        out.serialize_element(std::str::from_utf8(&entry.row_bytes).map_err(S::Error::custom)?)?;
        out.end()
    }
}
