//! `/v1/sessions/{id}/threads`: every session of the emulator has its primary thread and no other.

use crate::emulator::call::Call;
use crate::emulator::fields::{field, text};
use crate::emulator::journal::Inner;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Row, Table};
use serde_json::{Value, json};

const RULES: PageRules = PageRules { default: 1000, max: 1000, newest_first: false, back: false };

/// `GET /v1/sessions/{id}/threads`
pub(crate) fn list(db: &Db, call: &Call, session: &str) -> Result<Value, Refusal> {
    let thread = shown(row(db, session)?);
    let statuses = call.query.all("statuses");
    let wanted = statuses.is_empty() || statuses.contains(&text(&thread, "status"));
    let threads = if wanted { vec![(1, thread)] } else { Vec::new() };
    page(threads, &call.query, RULES, session, |thread| thread)
}

/// `GET /v1/sessions/{id}/threads/{id}`
pub(crate) fn find(db: &Db, session: &str, thread: &str) -> Result<Value, Refusal> {
    let found = shown(row(db, session)?);
    if text(&found, "id") == thread {
        return Ok(found);
    }
    Err(Refusal::not_found(format!("no thread `{thread}` in this session")))
}

/// `POST /v1/sessions/{id}/threads/{id}/archive`: the primary thread lives as long as its session.
pub(crate) fn archive(db: &Db, session: &str, thread: &str) -> Result<Value, Refusal> {
    find(db, session, thread)?;
    Err(Refusal::invalid("the primary thread is archived with its session only"))
}

fn row<'a>(db: &'a Db, session: &str) -> Result<&'a Row, Refusal> {
    db.get(Table::Sessions, session).ok_or_else(|| Refusal::not_found(format!("no session `{session}`")))
}

fn shown(row: &Row) -> Value {
    let of = |key: &str| field(&row.public, key);
    json!({
        "type": "session_thread", "id": Inner::of(row).thread_id, "session_id": of("id"), "parent_thread_id": null,
        "agent": of("agent"), "status": of("status"), "created_at": of("created_at"),
        "updated_at": of("updated_at"), "archived_at": of("archived_at"), "stats": of("stats"),
        "usage": of("usage"), "workflow_run_id": null,
    })
}
