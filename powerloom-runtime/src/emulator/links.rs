//! The MCP servers of a session during one run: connected when it begins to run, with the credentials of that moment.

use crate::emulator::credentials::bearer_for;
use crate::emulator::environments::reaches_mcp;
use crate::emulator::fields::{field, list, text};
use crate::emulator::journal::Journal;
use crate::emulator::mcp::{Link, LinkError};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::Table;
use crate::emulator::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use url::Url;

/// The MCP servers of a session during one run.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) open: BTreeMap<String, Link>,
    pub(crate) failed: Vec<String>,
}

/// Connects to every MCP server with an enabled toolset. What fails is told by `session.error` and left out.
pub(crate) async fn connect(world: &World, session: &str) -> Result<Links, Refusal> {
    let wanted: Vec<(String, String, Option<String>, bool)> = {
        let db = world.db();
        let Some(row) = db.get(Table::Sessions, session) else { return Ok(Links::default()) };
        let (agent, vaults) = (field(&row.public, "agent"), list(&row.public, "vault_ids"));
        let environment = db.get(Table::Environments, text(&row.public, "environment_id"));
        let servers = list(agent, "mcp_servers").iter();
        servers
            .map(|server| {
                let url = text(server, "url");
                let host = Url::parse(url)
                    .ok()
                    .and_then(|url| url.host_str().map(str::to_owned))
                    .unwrap_or_default();
                let reached = environment.is_none_or(|row| reaches_mcp(&row.public, &host));
                (text(server, "name").to_owned(), url.to_owned(), bearer_for(&db, vaults, url), reached)
            })
            .collect()
    };
    let mut links = Links::default();
    for (name, url, bearer, reached) in wanted {
        let opened = match reached {
            true => Link::open(&world.http, &name, &url, bearer).await,
            false => Err(LinkError::Unreachable("the environment's network does not allow it".to_owned())),
        };
        match opened {
            Ok(link) => {
                links.open.insert(name, link);
            }
            Err(error) => {
                report(world, session, &name, &error)?;
                links.failed.push(name);
            }
        }
    }
    Ok(links)
}

pub(crate) fn report(world: &World, session: &str, server: &str, error: &LinkError) -> Result<(), Refusal> {
    let mut db = world.db();
    let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
    let error = json!({"type": error.kind(), "message": format!("{error} (`{server}`)"),
        "mcp_server_name": server, "retry_status": {"type": "retrying"}});
    journal.emit("session.error", json!({"error": error}));
    journal.save().map(|_| ())
}
