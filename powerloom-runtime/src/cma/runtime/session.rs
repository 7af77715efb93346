//! Sessions on the service.

use crate::cma::agent_ref::AgentRef;
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::event::Event;
use crate::cma::event_log::ListEvents;
use crate::cma::outgoing::OutgoingEvent;
use crate::cma::page::Order;
use crate::cma::runtime::event::told;
use crate::cma::runtime::failure::{failed, found, on_object};
use crate::cma::runtime::tag::{Metadata, ORG, PAGE, first};
use crate::cma::session::{CreateSession, ListSessions, Session, SessionStatus, SessionUsage};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use powerloom_core::runtime::{
    RemoteSession, RemoteStatus, RuntimeErrorClass, RuntimeEvent, RuntimeResult, StartSession, ToolAnswer,
};
use powerloom_core::session::record::Usage;
use serde_json::Value;
use std::time::Duration;

/// Our session, in the metadata.
const SESSION: &str = "powerloom_session";
const ARCHIVE: &str = "archive a session";
/// How long to wait before each further attempt to archive a session: its status lags behind its events.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_600),
];

pub(crate) async fn start(client: &CmaClient, start: &StartSession) -> RuntimeResult<String> {
    let metadata = Metadata::from([
        (SESSION.to_owned(), start.session.to_string()),
        (ORG.to_owned(), start.org.to_string()),
    ]);
    if start.unsure
        && let Some(session) = lost(client, &start.agent.id, &metadata).await?
    {
        return Ok(session);
    }
    let agent = AgentRef::Pinned { id: start.agent.id.clone(), version: start.agent.version };
    let mut session = CreateSession::new(agent, &start.environment.id);
    session.vault_ids.clone_from(&start.vault_ids);
    session.title.clone_from(&start.title);
    session.metadata = metadata;
    let made = client.sessions().create(&session).await;
    made.map(|session| session.id).map_err(|error| failed("start a session", error))
}

/// The session that was made although the answer never came.
async fn lost(client: &CmaClient, agent: &str, metadata: &Metadata) -> RuntimeResult<Option<String>> {
    let list = ListSessions {
        agent_id: Some(agent.to_owned()),
        limit: Some(PAGE),
        order: Some(Order::Desc),
        ..ListSessions::default()
    };
    let ours =
        |session: &Session| metadata.iter().all(|(name, value)| session.metadata.get(name) == Some(value));
    let found = first(client.sessions().all(list), ours).await;
    found
        .map(|session| session.map(|session| session.id))
        .map_err(|error| failed("look for a session", error))
}

pub(crate) async fn prompt(client: &CmaClient, id: &str, text: &str) -> RuntimeResult<()> {
    send(client, "prompt a session", id, OutgoingEvent::message(text)).await
}

pub(crate) async fn answer_tool(
    client: &CmaClient,
    id: &str,
    event: &str,
    answer: &ToolAnswer,
) -> RuntimeResult<()> {
    let confirmation = match answer {
        ToolAnswer::Allow => OutgoingEvent::allow(event),
        ToolAnswer::Deny(why) => OutgoingEvent::deny(event, why),
    };
    send(client, "answer a tool call", id, confirmation).await
}

pub(crate) async fn interrupt(client: &CmaClient, id: &str) -> RuntimeResult<()> {
    send(client, "interrupt a session", id, OutgoingEvent::interrupt()).await
}

async fn send(client: &CmaClient, operation: &str, id: &str, event: OutgoingEvent) -> RuntimeResult<()> {
    let sent = client.events().send(id, &[event]).await;
    sent.map(drop).map_err(|error| on_object(operation, error))
}

pub(crate) async fn stream(
    client: &CmaClient,
    id: &str,
) -> RuntimeResult<BoxStream<'static, RuntimeResult<RuntimeEvent>>> {
    let events = client.events().stream(id).await.map_err(|error| on_object("follow a session", error))?;
    Ok(in_our_words("follow a session", events))
}

pub(crate) fn history(client: &CmaClient, id: &str) -> BoxStream<'static, RuntimeResult<RuntimeEvent>> {
    let list = ListEvents { order: Some(Order::Asc), ..ListEvents::default() };
    in_our_words("list the events of a session", client.events().all(id, list))
}

fn in_our_words(
    operation: &'static str,
    events: BoxStream<'static, Result<Event, CmaError>>,
) -> BoxStream<'static, RuntimeResult<RuntimeEvent>> {
    let events = events.try_filter_map(|event| std::future::ready(Ok(told(event))));
    Box::pin(events.map_err(move |error| on_object(operation, error)))
}

pub(crate) async fn read(client: &CmaClient, id: &str) -> RuntimeResult<Option<RemoteSession>> {
    let session =
        found(client.sessions().retrieve(id).await).map_err(|error| failed("read a session", error))?;
    Ok(session.map(|session| {
        let status = match session.status {
            SessionStatus::Idle => RemoteStatus::Idle,
            SessionStatus::Running | SessionStatus::Rescheduling => RemoteStatus::Running,
            SessionStatus::Terminated => RemoteStatus::Terminated,
            SessionStatus::Other(_) => RemoteStatus::Unknown,
        };
        RemoteSession::new(status, usage(&session.usage), session.usage.list_cost)
    }))
}

/// The usage, if any of it is stated.
fn usage(stated: &SessionUsage) -> Option<Usage> {
    let created = stated.cache_creation.as_ref().and_then(Value::as_object);
    let created =
        created.map(|by_age| by_age.values().filter_map(Value::as_u64).fold(0, u64::saturating_add));
    let figures = [stated.input_tokens, stated.output_tokens, stated.cache_read_input_tokens, created];
    figures.iter().any(Option::is_some).then(|| Usage {
        input_tokens: stated.input_tokens.unwrap_or_default(),
        output_tokens: stated.output_tokens.unwrap_or_default(),
        cache_read_input_tokens: stated.cache_read_input_tokens.unwrap_or_default(),
        cache_creation_input_tokens: created.unwrap_or_default(),
    })
}

/// Archives the session. A running one is refused, and its status lags behind the event that says it rests: so it is
/// tried again for three seconds. After that the failure is transient: it may rest later.
pub(crate) async fn archive(client: &CmaClient, id: &str) -> RuntimeResult<()> {
    let mut waits = WAITS.into_iter();
    loop {
        let refused = match found(client.sessions().archive(id).await) {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.status(), Some(400 | 409)) => error,
            Err(error) => return Err(failed(ARCHIVE, error)),
        };
        let session = found(client.sessions().retrieve(id).await).map_err(|error| failed(ARCHIVE, error))?;
        let Some(session) = session.filter(|session| session.archived_at.is_none()) else { return Ok(()) };
        let Some(wait) = waits.next() else {
            let mut error = failed(ARCHIVE, refused);
            if matches!(session.status, SessionStatus::Running | SessionStatus::Rescheduling) {
                error.class = RuntimeErrorClass::Transient;
            }
            return Err(error);
        };
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn usage_that_is_not_stated_is_not_guessed() {
        let read = |stated: Value| usage(&serde_json::from_value(stated).unwrap());
        assert_eq!(read(json!({})), None);
        let stated = read(json!({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 1,
            "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 4}}));
        let expect = Usage {
            input_tokens: 5,
            output_tokens: 2,
            cache_read_input_tokens: 1,
            cache_creation_input_tokens: 7,
        };
        assert_eq!(stated, Some(expect));
    }
}
