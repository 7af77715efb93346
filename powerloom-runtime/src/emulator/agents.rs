//! `/v1/agents`: definitions with immutable, numbered versions.

use crate::emulator::call::Call;
use crate::emulator::definition::{FIELDS, resolve};
use crate::emulator::fields::{Body, archived, field, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Commit, Db, Row, Table};
use serde_json::{Value, json};

/// `POST /v1/agents`
pub(crate) fn create(db: &mut Db, call: &Call) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &FIELDS)?;
    let mut agent = Value::Object(resolve(db, &body, &Value::Null)?);
    let (id, now) = (new_id("agent"), db.now());
    for (key, value) in [
        ("type", json!("agent")),
        ("id", json!(id)),
        ("version", json!(1)),
        ("created_at", json!(now)),
        ("updated_at", json!(now)),
        ("archived_at", Value::Null),
    ] {
        set(&mut agent, key, value);
    }
    db.insert(Table::Agents, &id, "", agent, Value::Null)
}

/// `GET /v1/agents/{id}`, with `?version=` an old one.
pub(crate) fn retrieve(db: &Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let version = call.query.number("version", 1, u64::MAX)?;
    find(db, id, version).cloned()
}

/// `POST /v1/agents/{id}`: a change makes a version, no change makes none.
pub(crate) fn update(db: &mut Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let fields: Vec<&str> = FIELDS.into_iter().chain(["version"]).collect();
    let body = Body::parse(&call.body, &fields)?;
    let old = find(db, id, None)?.clone();
    let current = field(&old, "version").as_u64().unwrap_or(1);
    match body.get("version") {
        None | Some(Value::Null) => {}
        Some(version) if version.as_u64().is_none_or(|version| version == 0) => {
            return Err(Refusal::invalid("version: must be a whole number from 1"));
        }
        Some(version) if version.as_u64() != Some(current) => {
            return Err(Refusal::conflict(format!(
                "version: the current version is {current}, not {version}"
            )));
        }
        Some(_) => {}
    }
    if archived(&old) {
        return Err(Refusal::invalid(format!("the agent `{id}` is archived")));
    }
    let definition = resolve(db, &body, &old)?;
    if definition.iter().all(|(key, value)| field(&old, key) == value) {
        return Ok(old);
    }
    let mut new = old.clone();
    for (key, value) in definition {
        set(&mut new, &key, value);
    }
    set(&mut new, "version", current + 1);
    set(&mut new, "updated_at", db.now());
    let mut commit = Commit::default();
    let replaced = Row { seq: db.next_seq(), parent: id.to_owned(), public: old, hidden: Value::Null };
    commit.put(Table::AgentVersions, &format!("{id}/{current}"), replaced);
    if let Some(row) = db.get(Table::Agents, id) {
        commit.put(Table::Agents, id, Row { public: new.clone(), ..row.clone() });
    }
    db.commit(commit)?;
    Ok(new)
}

/// `GET /v1/agents`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let (hidden, window) = (!call.query.flag("include_archived")?, call.query.window("created_at")?);
    let rows = db.top(Table::Agents).filter(|(_, row)| {
        !(hidden && archived(&row.public)) && window.admits(text(&row.public, "created_at"))
    });
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    page(rows, &call.query, PageRules::newest(100), "agents", Value::clone)
}

/// `GET /v1/agents/{id}/versions`
pub(crate) fn versions(db: &Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let current = find(db, id, None)?;
    let all = db.children(Table::AgentVersions, id).map(|(_, row)| &row.public).chain([current]);
    let all = all.map(|agent| (field(agent, "version").as_u64().unwrap_or(0), agent)).collect();
    page(all, &call.query, PageRules::newest(100), id, Value::clone)
}

/// `POST /v1/agents/{id}/archive`: once and for all; again changes nothing.
pub(crate) fn archive(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    let mut agent = find(db, id, None)?.clone();
    if archived(&agent) {
        return Ok(agent);
    }
    let now = db.now();
    set(&mut agent, "archived_at", now.as_str());
    set(&mut agent, "updated_at", now);
    db.update(Table::Agents, id, agent)
}

/// The agent `id`, in `version` or as it is now.
pub(crate) fn find<'a>(db: &'a Db, id: &str, version: Option<u64>) -> Result<&'a Value, Refusal> {
    let missing = || Refusal::not_found(format!("no agent `{id}`"));
    let current = &db.get(Table::Agents, id).ok_or_else(missing)?.public;
    match version {
        Some(version) if field(current, "version").as_u64() != Some(version) => {
            let old = db.get(Table::AgentVersions, &format!("{id}/{version}"));
            let missing = || Refusal::not_found(format!("the agent `{id}` has no version {version}"));
            old.map(|row| &row.public).ok_or_else(missing)
        }
        _ => Ok(current),
    }
}
