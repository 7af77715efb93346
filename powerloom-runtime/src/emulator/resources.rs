//! What is mounted into a session: files and repositories.

use crate::emulator::call::Call;
use crate::emulator::fields::{Body, field, list as array, set, text};
use crate::emulator::files;
use crate::emulator::ids::new_id;
use crate::emulator::journal::Journal;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use crate::emulator::world::World;
use serde_json::{Value, json};

const RULES: PageRules = PageRules { default: 1000, max: 1000, newest_first: false, back: false };

/// The stored form of a resource as sent, and its token, which is never shown.
pub(crate) fn resolve(db: &mut Db, sent: &Value) -> Result<(Value, Option<String>), Refusal> {
    let (id, now) = (new_id("sesrsc"), db.now());
    let mount = |fallback: String| match text(sent, "mount_path") {
        "" => json!(fallback),
        path => json!(path),
    };
    match text(sent, "type") {
        "file" => {
            let file = files::find(db, text(sent, "file_id"))?.clone();
            let name = text(&file.public, "id");
            let resource = json!({"type": "file", "id": id, "file_id": new_id("file"), "created_at": now,
                "updated_at": now, "mount_path": mount(format!("/mnt/session/uploads/{name}"))});
            Ok((resource, None))
        }
        "github_repository" if !text(sent, "url").is_empty() => {
            let url = text(sent, "url");
            let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or(url).trim_end_matches(".git");
            let mut resource = json!({"type": "github_repository", "id": id, "url": url, "created_at": now,
                "updated_at": now, "mount_path": mount(format!("/workspace/{name}"))});
            if let Some(checkout) = sent.get("checkout") {
                set(&mut resource, "checkout", checkout.clone());
            }
            Ok((resource, sent.get("authorization_token").and_then(Value::as_str).map(str::to_owned)))
        }
        "memory_store" => Err(Refusal::not_found("memory stores are not part of this emulator")),
        other => Err(Refusal::invalid(format!("resources: `{other}` is unknown or lacks a field"))),
    }
}

/// `GET /v1/sessions/{id}/resources`
pub(crate) fn list(db: &Db, call: &Call, session: &str) -> Result<Value, Refusal> {
    let resources = array(find_session(db, session)?, "resources").iter().cloned();
    page((0u64..).zip(resources).collect(), &call.query, RULES, session, |resource| resource)
}

/// `GET /v1/sessions/{id}/resources/{id}`
pub(crate) fn find(db: &Db, session: &str, id: &str) -> Result<Value, Refusal> {
    let found =
        array(find_session(db, session)?, "resources").iter().find(|resource| text(resource, "id") == id);
    found.cloned().ok_or_else(|| Refusal::not_found(format!("no resource `{id}` in this session")))
}

/// `POST /v1/sessions/{id}/resources`: adds a file.
pub(crate) fn add(world: &World, db: &mut Db, call: &Call, session: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &["type", "file_id", "mount_path"])?;
    let part = |key: &str| body.get(key).cloned().unwrap_or(Value::Null);
    if part("type") != json!("file") {
        return Err(Refusal::invalid("type: only a file can be added"));
    }
    find_session(db, session)?;
    let sent = json!({"type": "file", "file_id": part("file_id"), "mount_path": part("mount_path")});
    let (resource, _) = resolve(db, &sent)?;
    change(world, db, session, |resources| resources.push(resource.clone()))?;
    Ok(resource)
}

/// `POST /v1/sessions/{id}/resources/{id}`: a new token for a repository.
pub(crate) fn update(
    world: &World,
    db: &mut Db,
    call: &Call,
    session: &str,
    id: &str,
) -> Result<Value, Refusal> {
    let token =
        Body::parse(&call.body, &["authorization_token"])?.required("authorization_token", 1, 10_000)?;
    let mut resource = find(db, session, id)?;
    if text(&resource, "type") != "github_repository" {
        return Err(Refusal::invalid("only a repository has a token"));
    }
    set(&mut resource, "updated_at", db.now());
    let changed = resource.clone();
    if let Some(mut journal) = Journal::open(world, db, session) {
        journal.inner.tokens.insert(id.to_owned(), token);
        journal.save()?;
    }
    change(world, db, session, |resources| {
        resources
            .iter_mut()
            .filter(|known| text(known, "id") == id)
            .for_each(|known| *known = changed.clone());
    })?;
    Ok(resource)
}

/// `DELETE /v1/sessions/{id}/resources/{id}`
pub(crate) fn delete(world: &World, db: &mut Db, session: &str, id: &str) -> Result<Value, Refusal> {
    find(db, session, id)?;
    change(world, db, session, |resources| resources.retain(|known| text(known, "id") != id))?;
    Ok(json!({"id": id, "type": "session_resource_deleted"}))
}

fn change(
    world: &World,
    db: &mut Db,
    session: &str,
    edit: impl FnOnce(&mut Vec<Value>),
) -> Result<(), Refusal> {
    let Some(mut journal) = Journal::open(world, db, session) else { return Ok(()) };
    let mut resources = field(journal.session(), "resources").as_array().cloned().unwrap_or_default();
    edit(&mut resources);
    set(journal.session_mut(), "resources", resources);
    journal.save().map(|_| ())
}

fn find_session<'a>(db: &'a Db, id: &str) -> Result<&'a Value, Refusal> {
    let row = db.get(Table::Sessions, id);
    row.map(|row| &row.public).ok_or_else(|| Refusal::not_found(format!("no session `{id}`")))
}
