//! The MCP servers of a session during one run: connected when it begins to run, with the credentials of that moment.

use crate::emulator::credentials::{credential_for, store_tokens};
use crate::emulator::environments::reaches_mcp;
use crate::emulator::fields::{field, list, text};
use crate::emulator::journal::Journal;
use crate::emulator::mcp::{Link, LinkError};
use crate::emulator::oauth::{bearer, is_stale, refresh};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::Table;
use crate::emulator::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

/// The MCP servers of a session during one run.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) open: BTreeMap<String, Link>,
    pub(crate) failed: Vec<String>,
}

/// A server to connect to, with the credential it gets.
struct Wanted {
    name: String,
    url: String,
    credential: Option<(String, Value)>,
    allowed: bool,
}

/// Connects to every MCP server of the agent. What fails is told by `session.error` and left out.
pub(crate) async fn connect(world: &World, session: &str) -> Result<Links, Refusal> {
    let mut links = Links::default();
    for server in wanted(world, session) {
        let bearer = match server.credential {
            None => None,
            Some((id, auth)) => bearer(&current(world, &id, auth).await?),
        };
        let opened = match server.allowed {
            true => Link::open(&world.http, &server.name, &server.url, bearer).await,
            false => Err(LinkError::Unreachable("the environment's network does not allow it".to_owned())),
        };
        match opened {
            Ok(link) => {
                links.open.insert(server.name, link);
            }
            Err(error) => {
                report(world, session, &server.name, &error)?;
                links.failed.push(server.name);
            }
        }
    }
    Ok(links)
}

/// Tells of a server that fails.
pub(crate) fn report(world: &World, session: &str, server: &str, error: &LinkError) -> Result<(), Refusal> {
    let mut db = world.db();
    let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
    let error = json!({"type": error.kind(), "message": format!("{error} (`{server}`)"),
        "mcp_server_name": server, "retry_status": {"type": "retrying"}});
    journal.emit("session.error", json!({"error": error}));
    journal.save().map(|_| ())
}

/// The secrets of a credential, refreshed first if they have expired and that works.
async fn current(world: &World, id: &str, auth: Value) -> Result<Value, Refusal> {
    if !is_stale(&auth) {
        return Ok(auth);
    }
    let Ok(fresh) = refresh(&world.http, &auth).await else { return Ok(auth) };
    store_tokens(&mut world.db(), id, &fresh)?;
    Ok(fresh)
}

fn wanted(world: &World, session: &str) -> Vec<Wanted> {
    let db = world.db();
    let Some(row) = db.get(Table::Sessions, session) else { return Vec::new() };
    let (agent, vaults) = (field(&row.public, "agent"), list(&row.public, "vault_ids"));
    let environment = db.get(Table::Environments, text(&row.public, "environment_id"));
    let wanted = |server: &Value| {
        let url = text(server, "url");
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        Wanted {
            name: text(server, "name").to_owned(),
            url: url.to_owned(),
            credential: credential_for(&db, vaults, url),
            allowed: environment.is_none_or(|row| reaches_mcp(&row.public, &host)),
        }
    };
    list(agent, "mcp_servers").iter().map(wanted).collect()
}
