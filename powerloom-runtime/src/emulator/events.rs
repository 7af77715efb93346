//! `/v1/sessions/{id}/events`: sending to a session, and reading what happened in it.

use crate::emulator::call::Call;
use crate::emulator::fields::{Body, field, list as array, objects, set, text};
use crate::emulator::incoming::check;
use crate::emulator::journal::{Journal, Phase};
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use crate::emulator::turn::kick;
use crate::emulator::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

const RULES: PageRules = PageRules { default: 1000, max: 1000, newest_first: false, back: false };

/// `POST /v1/sessions/{id}/events`: all of them are stored, or none.
pub(crate) fn send(world: &Arc<World>, call: &Call, session: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &["events"])?;
    let sent = objects(body.get("events").unwrap_or(&Value::Null), "events")?;
    if sent.is_empty() {
        return Err(Refusal::invalid("events: at least one is required"));
    }
    let mut db = world.db();
    let environment = db.get(Table::Sessions, session).map(|row| text(&row.public, "environment_id"));
    let environment = environment.and_then(|id| db.get(Table::Environments, id));
    let self_hosted =
        environment.is_some_and(|row| row.public.pointer("/config/type") == Some(&json!("self_hosted")));
    let missing = || Refusal::not_found(format!("no session `{session}`"));
    let mut journal = Journal::open(world, &mut db, session).ok_or_else(missing)?;
    if journal.is_over() {
        return Err(Refusal::conflict(format!("the session `{session}` is terminated")));
    }
    let mut history = journal.stored(0);
    let mut checked = Vec::new();
    for event in sent {
        let event = check(event, &history, self_hosted)?;
        history.push(event.clone());
        checked.push(event);
    }
    let system = |event: &Value| text(event, "type") == "system.message";
    let systems = checked.iter().filter(|event| system(event)).count();
    if systems > 1 || (systems == 1 && (checked.len() < 2 || !checked.last().is_some_and(system))) {
        return Err(Refusal::invalid("system.message: at most one, last, after the user event it goes with"));
    }
    let interrupts = checked.iter().any(|event| text(event, "type") == "user.interrupt");
    let data = accept(&mut journal, checked);
    journal.save()?;
    if interrupts {
        world.running.interrupt(session);
    }
    drop(db);
    kick(world, session);
    Ok(json!({"data": data}))
}

/// Stores checked events in a session: queued, except those that count at once.
pub(crate) fn accept(journal: &mut Journal<'_>, events: Vec<Value>) -> Vec<Value> {
    let mut stored = Vec::new();
    for event in events {
        let kind = text(&event, "type").to_owned();
        stored.push(match kind.as_str() {
            "user.define_outcome" => {
                let event = journal.emit(&kind, event);
                let mut evaluations = array(journal.session(), "outcome_evaluations").to_vec();
                evaluations.push(
                    json!({"type": "outcome_evaluation", "outcome_id": field(&event, "outcome_id"),
                    "description": field(&event, "description"), "iteration": 0, "result": "pending",
                    "explanation": null, "completed_at": null}),
                );
                set(journal.session_mut(), "outcome_evaluations", evaluations);
                let seq = journal.db.next_seq().saturating_sub(1);
                journal.inner.outcome.get_or_insert(seq);
                event
            }
            "user.custom_tool_result" | "user.tool_result" => journal.emit(&kind, event),
            _ => journal.queue(event),
        });
        if matches!(kind.as_str(), "user.message" | "user.define_outcome")
            && journal.inner.phase == Phase::Idle
        {
            set(journal.session_mut(), "status", "running");
        }
    }
    stored
}

/// `GET /v1/sessions/{id}/events`: in the order of processing; what still waits comes last.
pub(crate) fn list(db: &Db, call: &Call, session: &str) -> Result<Value, Refusal> {
    if db.get(Table::Sessions, session).is_none() {
        return Err(Refusal::not_found(format!("no session `{session}`")));
    }
    let (types, window) = (call.query.all("types"), call.query.window("created_at")?);
    let wanted = |event: &Value| {
        (types.is_empty() || types.contains(&text(event, "type")))
            && window.admits(text(event, "processed_at"))
    };
    let waits = |event: &Value| field(event, "processed_at").is_null();
    let place = |seq: u64, event: &Value| if waits(event) { seq | (1 << 62) } else { seq };
    let mut rows: Vec<(u64, &Value)> = db
        .children(Table::Events, session)
        .filter(|(_, row)| wanted(&row.public))
        .map(|(_, row)| (place(row.seq, &row.public), &row.public))
        .collect();
    rows.sort_by_key(|(place, _)| *place);
    page(rows, &call.query, RULES, session, Value::clone)
}
