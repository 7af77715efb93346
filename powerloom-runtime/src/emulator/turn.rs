//! The work of a session: what happens between a user's message and the next rest.
//!
//! Nothing about a turn is kept outside of the stored events and the session's hidden half, so a turn goes on after
//! a restart. A tool call that was under way then is not made again, because nobody knows whether it had its effect:
//! it gets an error result that says so.

use crate::emulator::fields::{field, set, text};
use crate::emulator::files;
use crate::emulator::journal::{Journal, Phase};
use crate::emulator::links::{Links, connect, report};
use crate::emulator::model::{Reply, Stop};
use crate::emulator::pending::{Use, finish_use, open_uses, state_of};
use crate::emulator::refusal::Refusal;
use crate::emulator::reply::{conversation, span_end, tell};
use crate::emulator::state::Table;
use crate::emulator::world::World;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The most replies of the model in one turn.
const MOST_REPLIES: usize = 1000;

/// Makes sure that a task works on `session` until it rests.
pub(crate) fn kick(world: &Arc<World>, session: &str) {
    if !world.running.begin(session) {
        return;
    }
    let (world, session) = (Arc::clone(world), session.to_owned());
    tokio::spawn(async move {
        let _leave = Leave { world: &world, session: &session };
        let stop = world.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = work(&world, &session) => {}
        }
    });
}

/// Lets the next [`kick`] begin anew even if a model panicked.
struct Leave<'a> {
    world: &'a World,
    session: &'a str,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.running.forget(self.session);
        }
    }
}

/// Takes up the sessions that were at work when the emulator was last stopped.
pub(crate) fn recover(world: &Arc<World>) -> Result<(), Refusal> {
    let sessions: Vec<String> = world.db().top(Table::Sessions).map(|(id, _)| id.to_owned()).collect();
    for session in sessions {
        let mut db = world.db();
        let Some(mut journal) = Journal::open(world, &mut db, &session) else { continue };
        if journal.inner.phase == Phase::Running {
            set(journal.session_mut(), "status", "running");
            let lost = "the call was interrupted by a restart; whether it had its effect is not known";
            let mut lost_uses = open_uses(&journal);
            lost_uses.retain(|tool| state_of(&journal, tool) == Use::Due);
            for tool in lost_uses {
                finish_use(&mut journal, &tool, json!([{"type": "text", "text": lost}]), true);
            }
            journal.save()?;
        }
        drop(db);
        kick(world, &session);
    }
    Ok(())
}

/// What has to be done next.
enum Next {
    Rest,
    Again,
    Interrupted,
    Use(Value),
    Think,
}

async fn work(world: &Arc<World>, session: &str) {
    let mut links: Option<Links> = None;
    loop {
        let next = {
            let mut db = world.db();
            match Journal::open(world, &mut db, session) {
                None => Ok(Next::Rest),
                Some(journal) => {
                    let next = advance(journal, &mut links);
                    if matches!(next, Ok(Next::Interrupted)) {
                        // Under the lock, so that it cannot swallow an interrupt that comes right after.
                        world.running.rearm(session);
                    }
                    next
                }
            }
        };
        let outcome = match next {
            Ok(Next::Rest) if world.running.end(session) => return,
            Ok(Next::Rest | Next::Again | Next::Interrupted) => Ok(()),
            Ok(next) => {
                let interruption = world.running.interruption(session);
                let step = async {
                    let links = match &links {
                        Some(links) => links,
                        None => links.insert(connect(world, session).await?),
                    };
                    match next {
                        Next::Use(tool) => use_tool(world, session, links, &tool).await,
                        _ => think(world, session, links).await,
                    }
                };
                tokio::select! {
                    () = interruption.cancelled() => Ok(()),
                    outcome = step => outcome,
                }
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = outcome {
            tracing::error!(session, ?refusal, "the session's work stops here");
            world.running.forget(session);
            return;
        }
    }
}

/// Does what can be done without waiting, and tells what comes next.
fn advance(mut journal: Journal<'_>, links: &mut Option<Links>) -> Result<Next, Refusal> {
    if journal.is_over() {
        return Ok(Next::Rest);
    }
    let inbox = journal.inbox();
    if inbox.iter().any(|event| text(event, "type") == "user.interrupt") {
        interrupt(&mut journal, &inbox);
        journal.save()?;
        return Ok(Next::Interrupted);
    }
    let (confirmations, messages): (Vec<Value>, Vec<Value>) =
        inbox.into_iter().partition(|event| text(event, "type") == "user.tool_confirmation");
    match journal.inner.phase {
        Phase::Idle if messages.is_empty() && journal.inner.outcome.is_none() => Ok(Next::Rest),
        Phase::Idle => {
            *links = None;
            journal.run();
            journal.begin_turn(messages);
            journal.save()?;
            Ok(Next::Again)
        }
        _ if !confirmations.is_empty() => {
            confirmations.into_iter().for_each(|event| journal.process(event));
            journal.save()?;
            Ok(Next::Again)
        }
        Phase::Waiting => {
            let open = open_uses(&journal);
            let rest: Vec<String> = open
                .iter()
                .filter(|tool| state_of(&journal, tool) == Use::Asked)
                .map(|tool| text(tool, "id").to_owned())
                .collect();
            if rest == journal.inner.waiting {
                return Ok(Next::Rest);
            }
            if rest.is_empty() {
                *links = None;
                journal.run();
                journal.save()?;
                return Ok(Next::Again);
            }
            wait_for(&mut journal, rest);
            journal.save()?;
            Ok(Next::Rest)
        }
        Phase::Running => {
            let open = open_uses(&journal);
            if let Some(denied) = open.iter().find_map(|tool| match state_of(&journal, tool) {
                Use::Denied(why) => Some((tool.clone(), why)),
                _ => None,
            }) {
                finish_use(&mut journal, &denied.0, json!([{"type": "text", "text": denied.1}]), true);
                journal.save()?;
                return Ok(Next::Again);
            }
            if let Some(due) = open.iter().find(|tool| state_of(&journal, tool) == Use::Due) {
                return Ok(Next::Use(due.clone()));
            }
            if open.is_empty() {
                return Ok(Next::Think);
            }
            wait_for(&mut journal, open.iter().map(|tool| text(tool, "id").to_owned()).collect());
            journal.save()?;
            Ok(Next::Again)
        }
    }
}

fn wait_for(journal: &mut Journal<'_>, ids: Vec<String>) {
    journal.rest(json!({"type": "requires_action", "event_ids": ids}), Value::Null);
    journal.inner.waiting = ids;
}

fn interrupt(journal: &mut Journal<'_>, inbox: &[Value]) {
    let worked = journal.inner.phase != Phase::Idle;
    let turn = journal.stored(journal.inner.turn_start);
    for event in inbox.iter().filter(|event| text(event, "type") != "user.message") {
        journal.process(event.clone());
    }
    if !worked {
        return;
    }
    let started = turn.iter().rfind(|event| text(event, "type") == "span.model_request_start");
    let ended = |id: &str| turn.iter().any(|event| text(event, "model_request_start_id") == id);
    if let Some(started) = started.map(|event| text(event, "id")).filter(|id| !ended(id)) {
        journal.emit("span.model_request_end", span_end(started, 0, 0, true));
    }
    for tool in open_uses(journal) {
        finish_use(journal, &tool, json!([{"type": "text", "text": "interrupted by the user"}]), true);
    }
    journal.inner.waiting.clear();
    journal.rest(json!({"type": "end_turn"}), Value::Null);
}

async fn use_tool(world: &World, session: &str, links: &Links, tool: &Value) -> Result<(), Refusal> {
    let input = field(tool, "input").as_object().cloned().unwrap_or_default();
    let plain = |text: String| json!([{"type": "text", "text": text}]);
    let (content, is_error) = match text(tool, "mcp_server_name") {
        "" => (plain(simulate(world, session, text(tool, "name"), &input)?), false),
        server => match links.open.get(server) {
            None => (plain(format!("the MCP server `{server}` cannot be reached")), true),
            Some(link) => match link.call(text(tool, "name"), input).await {
                Ok(result) => result,
                Err(error) => {
                    report(world, session, server, &error)?;
                    (plain(error.to_string()), true)
                }
            },
        },
    };
    let mut db = world.db();
    let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
    finish_use(&mut journal, tool, content, is_error);
    journal.save().map(|_| ())
}

/// What a built-in tool would have answered. A file written to `/mnt/session/outputs/` becomes a file of the session.
fn simulate(world: &World, session: &str, tool: &str, input: &Map<String, Value>) -> Result<String, Refusal> {
    let of = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
    if let ("write", Some(name)) = (tool, of("file_path").strip_prefix("/mnt/session/outputs/")) {
        let scope = json!({"scope": {"type": "session", "id": session}});
        files::store(&mut world.db(), name, "text/plain", of("content").as_bytes(), scope)?;
    }
    let echoed = of("command").strip_prefix("echo ").map(str::to_owned);
    Ok(echoed.unwrap_or_else(|| format!("{tool}: done (simulated)")))
}

async fn think(world: &World, session: &str, links: &Links) -> Result<(), Refusal> {
    let (conversation, span) = {
        let mut db = world.db();
        let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
        let conversation = conversation(&journal, session, links);
        let span = journal.emit("span.model_request_start", json!({}));
        journal.save()?;
        (conversation, text(&span, "id").to_owned())
    };
    let reply = if conversation.replies() < MOST_REPLIES {
        world.model.next(&conversation).await
    } else {
        let kind = "tool_use_limit_reached_error".to_owned();
        Reply::new()
            .stop(Stop::Failed { kind, message: format!("more than {MOST_REPLIES} replies in one turn") })
    };
    tokio::time::sleep(reply.after).await;
    let pause = {
        let mut db = world.db();
        let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
        let pause = tell(&mut journal, &conversation, &span, reply);
        journal.save()?;
        pause
    };
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
        let mut db = world.db();
        let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
        journal.run();
        journal.save()?;
    }
    Ok(())
}
