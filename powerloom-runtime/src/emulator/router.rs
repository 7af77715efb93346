//! Which request goes to which room.

use crate::emulator::call::{Answer, Call};
use crate::emulator::faults::Fault;
use crate::emulator::refusal::Refusal;
use crate::emulator::upload::Upload;
use crate::emulator::world::World;
use crate::emulator::{
    agents, credentials, environments, events, files, resources, sessions, skills, stream, threads, validate,
    vaults,
};
use axum::http::Method;
use std::sync::Arc;

/// Answers `call`; `faults` are those that strike an event stream.
pub(crate) async fn route(world: &Arc<World>, call: &Call, faults: &[Fault]) -> Result<Answer, Refusal> {
    let segments: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    let Some((&"v1", rest)) = segments.split_first() else { return Err(unknown(call)) };
    match rest.split_first() {
        Some((&"agents", rest)) => agents(world, call, rest),
        Some((&"environments", rest)) => environments(world, call, rest),
        Some((&"vaults", rest)) => vaults(world, call, rest).await,
        Some((&"sessions", rest)) => sessions(world, call, rest, faults),
        Some((&"skills", rest)) => skills(world, call, rest).await,
        Some((&"files", rest)) => files(world, call, rest).await,
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> Refusal {
    Refusal::not_found(format!("no such path: {} {}", call.method, call.path))
}

fn agents(world: &Arc<World>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::POST, []) => agents::create(db, call),
        (&Method::GET, []) => agents::list(db, call),
        (&Method::GET, [id]) => agents::retrieve(db, call, id),
        (&Method::POST, [id]) => agents::update(db, call, id),
        (&Method::POST, [id, "archive"]) => agents::archive(db, id),
        (&Method::GET, [id, "versions"]) => agents::versions(db, call, id),
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}

fn environments(world: &Arc<World>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::POST, []) => environments::create(db, call),
        (&Method::GET, []) => environments::list(db, call),
        (&Method::GET, [id]) => environments::find(db, id).cloned(),
        (&Method::POST, [id]) => environments::update(db, call, id),
        (&Method::DELETE, [id]) => environments::delete(db, id),
        (&Method::POST, [id, "archive"]) => environments::archive(db, id),
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}

async fn vaults(world: &Arc<World>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    if let (&Method::POST, [vault, "credentials", id, "mcp_oauth_validate"]) = (&call.method, rest) {
        return validate::validate(world, vault, id).await.map(Answer::from);
    }
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::POST, []) => vaults::create(db, call),
        (&Method::GET, []) => vaults::list(db, call),
        (&Method::GET, [id]) => vaults::find(db, id).cloned(),
        (&Method::POST, [id]) => vaults::update(db, call, id),
        (&Method::DELETE, [id]) => vaults::delete(db, id),
        (&Method::POST, [id, "archive"]) => vaults::archive(db, id),
        (&Method::POST, [vault, "credentials"]) => credentials::create(db, call, vault),
        (&Method::GET, [vault, "credentials"]) => credentials::list(db, call, vault),
        (&Method::GET, [vault, "credentials", id]) => {
            credentials::find(db, vault, id).map(|row| row.public.clone())
        }
        (&Method::POST, [vault, "credentials", id]) => credentials::update(db, call, vault, id),
        (&Method::DELETE, [vault, "credentials", id]) => credentials::delete(db, vault, id),
        (&Method::POST, [vault, "credentials", id, "archive"]) => credentials::archive(db, vault, id),
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}

fn sessions(world: &Arc<World>, call: &Call, rest: &[&str], faults: &[Fault]) -> Result<Answer, Refusal> {
    match (&call.method, rest) {
        (&Method::POST, []) => return sessions::create(world, call).map(Answer::from),
        (&Method::POST, [id, "events"]) => return events::send(world, call, id).map(Answer::from),
        (&Method::GET, [id, "events", "stream"]) => {
            return stream::open(world, call, id, faults).map(Answer::Stream);
        }
        (&Method::GET, [id, "threads", thread, "stream"]) => {
            threads::find(&world.db(), id, thread)?;
            return stream::open(world, call, id, faults).map(Answer::Stream);
        }
        _ => {}
    }
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::GET, []) => sessions::list(db, call),
        (&Method::GET, [id]) => sessions::find(db, id).cloned(),
        (&Method::POST, [id]) => sessions::update(world, db, call, id),
        (&Method::DELETE, [id]) => sessions::delete(world, db, id),
        (&Method::POST, [id, "archive"]) => sessions::archive(world, db, id),
        (&Method::GET, [id, "events"]) => events::list(db, call, id),
        (&Method::GET, [id, "resources"]) => resources::list(db, call, id),
        (&Method::POST, [id, "resources"]) => resources::add(world, db, call, id),
        (&Method::GET, [id, "resources", resource]) => resources::find(db, id, resource),
        (&Method::POST, [id, "resources", resource]) => resources::update(world, db, call, id, resource),
        (&Method::DELETE, [id, "resources", resource]) => resources::delete(world, db, id, resource),
        (&Method::GET, [id, "threads"]) => threads::list(db, call, id),
        (&Method::GET, [id, "threads", thread]) => threads::find(db, id, thread),
        (&Method::POST, [id, "threads", thread, "archive"]) => threads::archive(db, id, thread),
        (&Method::GET, [id, "threads", thread, "events"]) => {
            threads::find(db, id, thread).and_then(|_| events::list(db, call, id))
        }
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}

async fn skills(world: &Arc<World>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let uploads = matches!((&call.method, rest), (&Method::POST, [] | [_, "versions"]));
    let upload = if uploads { Upload::read(call, "files").await? } else { Upload::default() };
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::POST, []) => skills::create(db, call, upload),
        (&Method::GET, []) => skills::list(db, call),
        (&Method::GET, [id]) => skills::retrieve(db, call, id),
        (&Method::DELETE, [id]) => skills::delete(db, call, id),
        (&Method::POST, [id, "versions"]) => skills::create_version(db, call, id, upload),
        (&Method::GET, [id, "versions"]) => skills::list_versions(db, call, id),
        (&Method::GET, [id, "versions", version]) => skills::retrieve_version(db, call, id, version),
        (&Method::DELETE, [id, "versions", version]) => skills::delete_version(db, call, id, version),
        (&Method::GET, [id, "versions", version, "content"]) => return skills::download(db, id, version),
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}

async fn files(world: &Arc<World>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let uploads = matches!((&call.method, rest), (&Method::POST, []));
    let upload = if uploads { Upload::read(call, "file").await? } else { Upload::default() };
    let db = &mut world.db();
    let value = match (&call.method, rest) {
        (&Method::POST, []) => files::create(db, upload),
        (&Method::GET, []) => files::list(db, call),
        (&Method::GET, [id]) => files::find(db, id).map(|row| row.public.clone()),
        (&Method::GET, [id, "content"]) => return files::download(db, id),
        (&Method::DELETE, [id]) => files::delete(db, id),
        _ => Err(unknown(call)),
    };
    value.map(Answer::from)
}
