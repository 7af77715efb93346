//! Brings the rows a batch of calls needs into a working set, inside the transaction that will write them.

use crate::sqlite::batch::Batch;
use crate::sqlite::needs::Needs;
use crate::sqlite::row::{body, column, hash, key, number, parsed, session};
use crate::tables::Tables;
use powerloom_core::audit::AuditHead;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::reconcile::state::{Lease, SyncState};
use powerloom_core::record::RecordRow;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::{IdempotencyRow, MAX_PAGE, OrgRow, StoreError, StoreResult};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

// Every statement says in its first column what its rows are. CROSS JOIN pins the order: first the keys that were
// asked for, then an index look-up for each.
const ORGS: &str = "SELECT 0, o.body FROM jsonb_each(?) j CROSS JOIN orgs o ON o.id = j.value";
const SLUGS: &str = "SELECT 1, o.slug, o.id FROM jsonb_each(?) j CROSS JOIN orgs o ON o.slug = j.value";
const RECORDS: &str = "SELECT 2, r.body FROM jsonb_each(?) j CROSS JOIN records r \
     ON r.org = j.value ->> 0 AND r.kind = j.value ->> 1 AND r.id = j.value ->> 2";
const NAMES: &str = "SELECT 3, n.org, n.kind, n.unique_key, n.id FROM jsonb_each(?) j CROSS JOIN names n \
     ON n.org = j.value ->> 0 AND n.kind = j.value ->> 1 AND n.unique_key = j.value ->> 2";
const REFS: &str = "SELECT 4, r.org, r.target_kind, r.target_id, r.kind, r.id FROM jsonb_each(?) j CROSS JOIN refs r \
     ON r.org = j.value ->> 0 AND r.target_kind = j.value ->> 1 AND r.target_id = j.value ->> 2";
const MEMBERS: &str = "SELECT 5, r.org, r.ou, r.kind, r.id FROM jsonb_each(?) j CROSS JOIN records r \
     ON r.org = j.value ->> 0 AND r.ou = j.value ->> 1 AND r.archived = 0";
const SYNC: &str = "SELECT 6, s.org, s.body FROM jsonb_each(?) j CROSS JOIN sync s \
     ON s.org = j.value ->> 0 AND s.kind = j.value ->> 1 AND s.id = j.value ->> 2";
const SESSIONS: &str = "SELECT 7, s.body, \
     coalesce((SELECT max(e.seq) FROM events e WHERE e.org = s.org AND e.session = s.id), 0) \
     FROM jsonb_each(?) j CROSS JOIN sessions s ON s.org = j.value ->> 0 AND s.id = j.value ->> 1";
const EVENT_IDS: &str = "SELECT 8, e.org, e.session, e.event_id FROM jsonb_each(?) j CROSS JOIN events e \
     ON e.org = j.value ->> 0 AND e.session = j.value ->> 1 AND e.event_id = j.value ->> 2";
const TICKETS: &str = "SELECT 9, t.body FROM jsonb_each(?) j CROSS JOIN tickets t ON t.digest = j.value";
const STREAMS: &str = "SELECT 10, s.org, s.session, s.holder, s.until FROM jsonb_each(?) j CROSS JOIN streams s \
     ON s.org = j.value ->> 0 AND s.session = j.value ->> 1";
const IDEMPOTENCY: &str = "SELECT 11, i.org, i.body FROM jsonb_each(?) j CROSS JOIN idempotency i \
     ON i.org = j.value ->> 0 AND i.key = j.value ->> 1";
const HEADS: &str = "SELECT 12, a.org, a.seq, a.hash FROM jsonb_each(?) j CROSS JOIN audit_rows a \
     ON a.org = j.value AND a.seq = (SELECT max(b.seq) FROM audit_rows b WHERE b.org = j.value)";
/// Every organization's longest due row, then every organization's second, and so on.
const DUE: &str = "SELECT 6, s.org, s.body FROM ( \
       SELECT d.org, d.kind, d.id, d.due_at, \
         row_number() OVER (PARTITION BY d.org ORDER BY d.due_at, d.kind, d.id) AS turn \
       FROM sync d \
       WHERE d.due_at <= ?1 AND d.org NOT IN (SELECT o.id FROM orgs o WHERE o.paused_until > ?1) \
         AND d.kind NOT IN (SELECT k.value FROM jsonb_each(?2) k) \
       ORDER BY turn, d.due_at, d.org, d.kind, d.id LIMIT ?3) c \
     CROSS JOIN sync s ON s.org = c.org AND s.kind = c.kind AND s.id = c.id";
const FREE: &str = "SELECT 7, s.body, \
     coalesce((SELECT max(e.seq) FROM events e WHERE e.org = s.org AND e.session = s.id), 0) \
     FROM sessions s WHERE s.free_at <= ?1 ORDER BY s.id, s.org LIMIT ?2";

/// Begins a transaction that may write and reads what is needed.
pub(super) async fn load(connection: &mut SqliteConnection, needs: &Needs<'_>) -> Result<Tables, Failed> {
    let batch = statements(needs).map_err(Failed::Unreadable)?;
    let rows = batch.execute(connection).await.map_err(Failed::Refused)?;
    let mut tables = Tables::working_set();
    for row in &rows {
        keep(&mut tables, row).map_err(Failed::Unreadable)?;
    }
    Ok(tables)
}

/// Why a batch could not be loaded or written.
#[derive(Debug)]
pub(super) enum Failed {
    /// SQLite refused.
    Refused(sqlx::Error),
    /// A row cannot be understood.
    Unreadable(StoreError),
}

fn statements(needs: &Needs<'_>) -> StoreResult<Batch> {
    let mut batch = Batch::default();
    batch.run("BEGIN IMMEDIATE");
    batch.rows(ORGS, &needs.orgs)?;
    batch.rows(SLUGS, &needs.slugs)?;
    batch.rows(RECORDS, &needs.records)?;
    batch.rows(NAMES, &needs.names)?;
    batch.rows(REFS, needs.refs.iter().map(|(org, key)| (org, &key.kind, key.id)))?;
    batch.rows(MEMBERS, &needs.members)?;
    batch.rows(SYNC, needs.sync.iter().map(|(org, key)| (org, &key.kind, key.id)))?;
    batch.rows(SESSIONS, &needs.sessions)?;
    batch.rows(EVENT_IDS, &needs.event_ids)?;
    batch.rows(TICKETS, &needs.tickets)?;
    batch.rows(STREAMS, &needs.streams)?;
    batch.rows(IDEMPOTENCY, &needs.idempotency)?;
    batch.rows(HEADS, &needs.heads)?;
    let limit = |limit: usize| i64::try_from(limit.min(MAX_PAGE)).unwrap_or(0);
    if let Some(request) = needs.claim {
        batch.run(DUE);
        batch.number(request.now.as_micros());
        batch.text(serde_json::json!(request.except).to_string());
        batch.number(limit(request.limit));
    }
    if let Some(request) = needs.claim_sessions {
        batch.run(FREE);
        batch.number(request.now.as_micros());
        batch.number(limit(request.limit));
    }
    Ok(batch)
}

fn keep(tables: &mut Tables, row: &SqliteRow) -> StoreResult<()> {
    let org = || parsed::<OrgId>(row, 1);
    let at = |index| Ok::<_, StoreError>(Timestamp::from_micros(column(row, index)?));
    match column::<i64>(row, 0)? {
        0 => {
            let kept: OrgRow = body(row, 1)?;
            tables.orgs.load(kept.id, kept);
        }
        1 => tables.slugs.load(column(row, 1)?, parsed(row, 2)?),
        2 => {
            let kept: RecordRow = body(row, 1)?;
            tables.records.load((kept.meta.org, kept.key()), kept);
        }
        3 => tables.names.load((org()?, parsed(row, 2)?, column(row, 3)?), parsed(row, 4)?),
        4 => tables.refs.load((org()?, key(row, 2)?, key(row, 4)?), ()),
        5 => tables.members.load((org()?, parsed(row, 2)?, key(row, 3)?), ()),
        6 => {
            let kept: SyncState = body(row, 2)?;
            tables.sync.load((org()?, kept.key.clone()), kept);
        }
        7 => {
            let kept = session(row, 1)?;
            let id = (kept.org, kept.id);
            tables.last_seq.load(id, kept.last_seq);
            tables.sessions.load(id, kept);
        }
        8 => tables.event_ids.load((org()?, parsed::<SessionId>(row, 2)?, column(row, 3)?), ()),
        9 => {
            let kept: TicketRow = body(row, 1)?;
            tables.tickets.load(kept.digest, kept);
        }
        10 => {
            let lease = Lease { owner: column(row, 3)?, until: at(4)? };
            tables.streams.load((org()?, parsed(row, 2)?), lease);
        }
        11 => {
            let kept: IdempotencyRow = body(row, 2)?;
            tables.idempotency.load((org()?, kept.key.clone()), kept);
        }
        12 => tables.heads.load(org()?, AuditHead { seq: number(row, 2)?, hash: hash(row, 3)? }),
        _ => {}
    }
    Ok(())
}
