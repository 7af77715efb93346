//! `/_emulator`: what the owner of the emulator may do over HTTP, and no client of the service ever does.
//!
//! `GET|POST|DELETE /_emulator/faults` · `POST /_emulator/edit` · `GET /_emulator/state` ·
//! `GET|DELETE /_emulator/requests`

use crate::emulator::edit::Edit;
use crate::emulator::faults::FaultRule;
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use crate::emulator::world::World;
use axum::http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Answers a request to `path`, which starts with `/_emulator/`.
pub(crate) fn answer(world: &World, method: &Method, path: &str, body: &[u8]) -> Result<Value, Refusal> {
    match (method, path.trim_start_matches("/_emulator/")) {
        (&Method::GET, "faults") => Ok(json!({"data": world.faults.list()})),
        (&Method::POST, "faults") => {
            world.faults.add(read::<FaultRule>(body)?);
            Ok(json!({"data": world.faults.list()}))
        }
        (&Method::DELETE, "faults") => {
            world.faults.clear();
            Ok(json!({"data": []}))
        }
        (&Method::POST, "edit") => {
            let edit = read::<Edit>(body)?;
            let edited = edit.apply(&mut world.db());
            edited.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                Refusal::invalid(format!("{error}: {cause}"))
            })
        }
        (&Method::GET, "state") => Ok(dump(&world.db())),
        (&Method::GET, "requests") => {
            Ok(json!({"counts": world.requests.counts(), "data": world.requests.list()}))
        }
        (&Method::DELETE, "requests") => {
            world.requests.clear();
            Ok(json!({"counts": {}, "data": []}))
        }
        _ => Err(Refusal::not_found(format!("no such path: {method} {path}"))),
    }
}

/// Every stored object by table and id, without secrets.
pub(crate) fn dump(db: &Db) -> Value {
    let mut tables = Map::new();
    for table in Table::ALL {
        let mut rows = Map::new();
        let parents: Vec<&str> = match table {
            Table::AgentVersions => db.top(Table::Agents).map(|(id, _)| id).collect(),
            Table::Credentials => db.top(Table::Vaults).map(|(id, _)| id).collect(),
            Table::SkillVersions => db.top(Table::Skills).map(|(id, _)| id).collect(),
            Table::Events => db.top(Table::Sessions).map(|(id, _)| id).collect(),
            _ => vec![""],
        };
        for parent in parents {
            for (id, row) in db.children(table, parent) {
                rows.insert(id.to_owned(), row.public.clone());
            }
        }
        let name = json!(table);
        let name = name.as_str().unwrap_or_default().to_owned();
        tables.insert(name, Value::Object(rows));
    }
    Value::Object(tables)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("the body cannot be read: {error}")))
}
