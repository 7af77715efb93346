//! `/v1/sessions`: an agent at work.

use crate::emulator::agents;
use crate::emulator::call::Call;
use crate::emulator::definition::{resolve_model, resolve_skills};
use crate::emulator::environments;
use crate::emulator::events::accept;
use crate::emulator::fields::{Body, Sent, archived, field, metadata, objects, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::incoming::check;
use crate::emulator::journal::{Inner, Journal};
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::resources;
use crate::emulator::state::{Commit, Db, Row, Table};
use crate::emulator::tools::{check_servers, check_skills, resolve_servers, resolve_tools};
use crate::emulator::turn::kick;
use crate::emulator::vaults;
use crate::emulator::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

const FIELDS: [&str; 8] =
    ["agent", "environment_id", "vault_ids", "title", "metadata", "resources", "initial_events", "budget"];
const SNAPSHOT: [&str; 11] = [
    "id",
    "version",
    "name",
    "description",
    "model",
    "system",
    "tools",
    "mcp_servers",
    "skills",
    "multiagent",
    "execution_identity",
];

/// `POST /v1/sessions`
pub(crate) fn create(world: &Arc<World>, call: &Call) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    let mut db = world.db();
    let agent = snapshot(&db, body.get("agent").unwrap_or(&Value::Null))?;
    let environment_id = body.required("environment_id", 1, 256)?;
    let environment = environments::find(&db, &environment_id)?;
    if archived(environment) {
        let message = format!("the environment `{environment_id}` is archived");
        return Err(Refusal::invalid(message).with_code("environment_archived"));
    }
    let vault_ids = match body.get("vault_ids") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(ids)) => ids.clone(),
        Some(_) => return Err(Refusal::invalid("vault_ids: must be an array of ids")),
    };
    for id in &vault_ids {
        vaults::find_active(&db, id.as_str().unwrap_or_default())?;
    }
    let title = optional_title(&body)?.unwrap_or(Value::Null);
    let metadata = metadata(&json!({}), body.get("metadata"), false)?;
    let budget = resolve_budget(body.get("budget"))?;
    let initial = objects(body.get("initial_events").unwrap_or(&Value::Null), "initial_events")?;
    let initial = check_initial(initial)?;
    let mut inner = Inner { thread_id: new_id("sthr"), ..Inner::default() };
    let mut mounted = Vec::new();
    for sent in objects(body.get("resources").unwrap_or(&Value::Null), "resources")? {
        let (resource, token) = resources::resolve(&mut db, sent)?;
        if let Some(token) = token {
            inner.tokens.insert(text(&resource, "id").to_owned(), token);
        }
        mounted.push(resource);
    }
    let (id, now) = (new_id("sesn"), db.now());
    let session = json!({
        "type": "session", "id": id, "status": "idle", "agent": agent, "environment_id": environment_id,
        "vault_ids": vault_ids, "title": title, "metadata": metadata, "resources": mounted,
        "outcome_evaluations": [], "budget": budget, "stats": {"active_seconds": 0, "duration_seconds": 0},
        "usage": {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0}},
        "created_at": now, "updated_at": now, "archived_at": null, "deployment_id": null,
    });
    let row = Row { seq: db.next_seq(), parent: String::new(), public: session, hidden: json!(inner) };
    let mut journal = Journal::of(world, &mut db, &id, row);
    accept(&mut journal, initial);
    let session = journal.save()?;
    drop(db);
    kick(world, &id);
    Ok(session)
}

/// `GET /v1/sessions/{id}`
pub(crate) fn find<'a>(db: &'a Db, id: &str) -> Result<&'a Value, Refusal> {
    let row = db.get(Table::Sessions, id);
    row.map(|row| &row.public).ok_or_else(|| Refusal::not_found(format!("no session `{id}`")))
}

/// `GET /v1/sessions`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let query = &call.query;
    let (hidden, window) = (!query.flag("include_archived")?, query.window("created_at")?);
    let (agent, version) = (query.first("agent_id"), query.number("agent_version", 1, u64::MAX)?);
    if version.is_some() && agent.is_none() {
        return Err(Refusal::invalid("agent_version: only together with agent_id"));
    }
    let statuses = query.all("statuses");
    if let Some(unknown) =
        statuses.iter().find(|status| !["idle", "running", "rescheduling", "terminated"].contains(*status))
    {
        return Err(Refusal::invalid(format!("statuses: unknown status `{unknown}`")));
    }
    let elsewhere = query.first("deployment_id").or(query.first("memory_store_id")).is_some();
    let wanted = |session: &Value| {
        let own = field(session, "agent");
        let shown = !elsewhere && (!hidden || !archived(session));
        shown
            && window.admits(text(session, "created_at"))
            && agent.is_none_or(|agent| text(own, "id") == agent)
            && version.is_none_or(|version| field(own, "version").as_u64() == Some(version))
            && (statuses.is_empty() || statuses.contains(&text(session, "status")))
    };
    let rows = db.top(Table::Sessions).filter(|(_, row)| wanted(&row.public));
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    let rules = PageRules { back: true, ..PageRules::newest(100) };
    page(rows, query, rules, &format!("sessions{}", window.signature()), Value::clone)
}

/// `POST /v1/sessions/{id}`
pub(crate) fn update(world: &World, db: &mut Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &["title", "metadata", "agent", "budget", "vault_ids"])?;
    let old = find(db, id)?.clone();
    if body.get("vault_ids").is_some_and(|ids| !ids.is_null()) {
        return Err(Refusal::invalid("vault_ids: reserved; vaults are named when a session is created"));
    }
    if archived(&old) {
        return Err(Refusal::invalid(format!("the session `{id}` is archived")));
    }
    let mut changed = json!({});
    if let Some(title) = optional_title(&body)? {
        set(&mut changed, "title", title);
    }
    set(&mut changed, "metadata", metadata(field(&old, "metadata"), body.get("metadata"), false)?);
    if let Some(sent) = body.get("agent").filter(|agent| !agent.is_null()) {
        if text(&old, "status") != "idle" {
            return Err(Refusal::invalid("agent: can change only while the session is idle"));
        }
        let sent = Body::of(sent.clone(), &["tools", "mcp_servers"])?;
        let mut agent = field(&old, "agent").clone();
        if let Some(tools) = sent.get("tools") {
            set(&mut agent, "tools", resolve_tools(tools)?);
        }
        if let Some(servers) = sent.get("mcp_servers") {
            set(&mut agent, "mcp_servers", resolve_servers(servers)?);
        }
        consistent(&agent)?;
        set(&mut changed, "agent", agent);
    }
    if let Some(budget) = body.get("budget") {
        if field(&old, "budget").is_null() && !budget.is_null() {
            return Err(
                Refusal::invalid("budget: can be attached at creation only").with_code("budget_create_only")
            );
        }
        set(&mut changed, "budget", resolve_budget(Some(budget))?);
    }
    if let Some(changed) = changed.as_object_mut() {
        changed.retain(|key, value| field(&old, key) != value);
    }
    let Some(mut journal) = Journal::open(world, db, id) else { return Ok(old) };
    if changed.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(old);
    }
    for (key, value) in changed.as_object().into_iter().flatten() {
        set(journal.session_mut(), key, value.clone());
    }
    journal.emit("session.updated", changed);
    journal.save()
}

/// `POST /v1/sessions/{id}/archive`: never while it runs.
pub(crate) fn archive(world: &World, db: &mut Db, id: &str) -> Result<Value, Refusal> {
    let session = find(db, id)?;
    if archived(session) {
        return Ok(session.clone());
    }
    refuse_running(session)?;
    let now = db.now();
    let missing = || Refusal::not_found(format!("no session `{id}`"));
    let mut journal = Journal::open(world, db, id).ok_or_else(missing)?;
    set(journal.session_mut(), "archived_at", now);
    if !journal.is_over() {
        journal.terminate();
    }
    journal.save()
}

/// `DELETE /v1/sessions/{id}`: with its events and the files it wrote; never while it runs.
pub(crate) fn delete(world: &World, db: &mut Db, id: &str) -> Result<Value, Refusal> {
    refuse_running(find(db, id)?)?;
    let now = db.now();
    let mut commit = Commit::default();
    for (event, _) in db.children(Table::Events, id) {
        commit.remove(Table::Events, event);
    }
    let own = |row: &Row| text(field(&row.public, "scope"), "id") == id;
    for (file, _) in db.top(Table::Files).filter(|(_, row)| own(row)) {
        commit.remove(Table::Files, file);
    }
    commit.remove(Table::Sessions, id);
    db.commit(commit)?;
    let event = json!({"type": "session.deleted", "id": new_id("sevt"), "processed_at": now});
    world.hub.publish(id, &event);
    world.hub.close(id);
    Ok(json!({"id": id, "type": "session_deleted"}))
}

fn refuse_running(session: &Value) -> Result<(), Refusal> {
    match text(session, "status") {
        status @ ("running" | "rescheduling") => {
            Err(Refusal::invalid(format!("the session is {status}: interrupt it first")))
        }
        _ => Ok(()),
    }
}

fn snapshot(db: &Db, sent: &Value) -> Result<Value, Refusal> {
    let body = match sent {
        Value::String(id) => Body::of(json!({"type": "agent", "id": id}), &["type", "id"])?,
        Value::Object(_) if text(sent, "type") == "agent" => {
            Body::of(sent.clone(), &["type", "id", "version"])?
        }
        Value::Object(_) if text(sent, "type") == "agent_with_overrides" => Body::of(
            sent.clone(),
            &["type", "id", "version", "model", "system", "tools", "mcp_servers", "skills"],
        )?,
        Value::Null => return Err(Refusal::invalid("agent: field required")),
        _ => return Err(Refusal::invalid("agent: must be an id, an agent or an agent_with_overrides")),
    };
    let id = body.required("id", 1, 256)?;
    let version = match body.get("version") {
        None | Some(Value::Null) => None,
        Some(version) => {
            let number = version.as_u64().filter(|version| *version > 0);
            Some(number.ok_or_else(|| Refusal::invalid("agent.version: must be a whole number from 1"))?)
        }
    };
    if archived(agents::find(db, &id, None)?) {
        return Err(Refusal::invalid(format!("the agent `{id}` is archived")));
    }
    let base = agents::find(db, &id, version)?;
    let mut agent = json!({"type": "agent"});
    for key in SNAPSHOT {
        set(&mut agent, key, field(base, key).clone());
    }
    match body.get("model") {
        None => {}
        Some(Value::Null) => {
            return Err(Refusal::invalid("agent.model: cannot be cleared").with_code("agent_model_required"));
        }
        Some(model) => set(&mut agent, "model", resolve_model(model, None)?),
    }
    match body.optional("system", 100_000)? {
        Sent::Absent => {}
        Sent::Null => set(&mut agent, "system", Value::Null),
        Sent::Text(system) => set(&mut agent, "system", system),
    }
    if let Some(tools) = body.get("tools") {
        set(&mut agent, "tools", resolve_tools(tools)?);
    }
    if let Some(servers) = body.get("mcp_servers") {
        set(&mut agent, "mcp_servers", resolve_servers(servers)?);
    }
    if let Some(skills) = body.get("skills") {
        set(&mut agent, "skills", resolve_skills(db, skills)?);
    }
    consistent(&agent)?;
    Ok(agent)
}

fn consistent(agent: &Value) -> Result<(), Refusal> {
    check_servers(field(agent, "tools"), field(agent, "mcp_servers"))?;
    check_skills(field(agent, "tools"), field(agent, "skills"))
}

fn check_initial(events: &[Value]) -> Result<Vec<Value>, Refusal> {
    let outcomes = events.iter().filter(|event| text(event, "type") == "user.define_outcome").count();
    let fit = |event: &Value| matches!(text(event, "type"), "user.message" | "user.define_outcome");
    if events.len() > 50 || outcomes > 1 || !events.iter().all(fit) {
        let message = "initial_events: at most 50, only user.message and one user.define_outcome";
        return Err(Refusal::invalid(message));
    }
    events.iter().map(|event| check(event, &[], false)).collect()
}

fn optional_title(body: &Body) -> Result<Option<Value>, Refusal> {
    Ok(match body.optional("title", 500)? {
        Sent::Absent => None,
        Sent::Null => Some(Value::Null),
        Sent::Text(title) => Some(json!(title)),
    })
}

fn resolve_budget(sent: Option<&Value>) -> Result<Value, Refusal> {
    let Some(sent) = sent.filter(|sent| !sent.is_null()) else { return Ok(Value::Null) };
    let cost = field(sent, "max_list_cost");
    let whole = !text(cost, "amount").is_empty() && text(cost, "amount").chars().all(|c| c.is_ascii_digit());
    if text(sent, "type") != "limit" || !whole || text(cost, "currency") != "USD" {
        return Err(Refusal::invalid("budget: must be a limit in whole US cents"));
    }
    Ok(sent.clone())
}
