//! The work of a session: what happens between a user's message and the next rest.
//!
//! Nothing about a turn is kept outside of the stored events and the session's hidden half, so a turn goes on after
//! a restart. A tool call that was under way then is not made again, because nobody knows whether it had its effect:
//! it gets an error result that says so.

use crate::emulator::credentials::bearer_for;
use crate::emulator::environments::reaches_mcp;
use crate::emulator::fields::{field, list, set, text};
use crate::emulator::files;
use crate::emulator::incoming::answered;
use crate::emulator::journal::{Journal, Phase};
use crate::emulator::mcp::{Link, LinkError};
use crate::emulator::model::{Block, Conversation, Reply, Stop, Tool, ToolSource};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::Table;
use crate::emulator::tools::{AGENT_TOOLSET, BUILT_IN, tool_setting};
use crate::emulator::world::World;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// The most replies of the model in one turn.
const MOST_REPLIES: usize = 1000;

/// Makes sure that a task works on `session` until it rests.
pub(crate) fn kick(world: &Arc<World>, session: &str) {
    if !world.running.begin(session) {
        return;
    }
    let (world, session) = (Arc::clone(world), session.to_owned());
    tokio::spawn(async move {
        let stop = world.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = work(&world, &session) => {}
        }
    });
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
            world.running.end(session);
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
            begin(&mut journal, messages);
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

fn begin(journal: &mut Journal<'_>, messages: Vec<Value>) {
    let now = journal.db.next_seq();
    journal.inner.turn_start = journal.inner.outcome.take().unwrap_or(now);
    messages.into_iter().for_each(|event| journal.process(event));
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

/// How a tool use stands that has no result yet.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// It can be made.
    Due,
    /// The client has to answer.
    Asked,
    /// It must not be made, and why.
    Denied(String),
}

/// The tool uses of this turn that have no result.
fn open_uses(journal: &Journal<'_>) -> Vec<Value> {
    let turn = journal.stored(journal.inner.turn_start);
    let open = |tool: &&Value| {
        let kinds = ["agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"];
        kinds.contains(&text(tool, "type"))
            && !turn.iter().any(|event| answered(event) == Some(text(tool, "id")))
    };
    turn.iter().filter(open).cloned().collect()
}

fn state_of(journal: &Journal<'_>, tool: &Value) -> Use {
    if text(tool, "type") == "agent.custom_tool_use" {
        return Use::Asked;
    }
    match text(tool, "evaluated_permission") {
        "allow" => Use::Due,
        "deny" => Use::Denied("the tool is disabled".to_owned()),
        _ => {
            let turn = journal.stored(journal.inner.turn_start);
            let confirms = |event: &&Value| {
                text(event, "type") == "user.tool_confirmation"
                    && text(event, "tool_use_id") == text(tool, "id")
                    && !field(event, "processed_at").is_null()
            };
            match turn.iter().find(confirms) {
                None => Use::Asked,
                Some(event) if text(event, "result") == "allow" => Use::Due,
                Some(event) => match text(event, "deny_message") {
                    "" => Use::Denied("the user denied the call".to_owned()),
                    why => Use::Denied(why.to_owned()),
                },
            }
        }
    }
}

fn finish_use(journal: &mut Journal<'_>, tool: &Value, content: Value, is_error: bool) {
    let id = text(tool, "id");
    match text(tool, "type") {
        "agent.mcp_tool_use" => {
            let fields = json!({"mcp_tool_use_id": id, "content": content, "is_error": is_error});
            journal.emit("agent.mcp_tool_result", fields);
        }
        "agent.tool_use" => {
            let fields = json!({"tool_use_id": id, "content": content, "is_error": is_error});
            journal.emit("agent.tool_result", fields);
        }
        _ => {}
    }
}

/// The MCP servers of a session during one run.
#[derive(Debug, Default)]
struct Links {
    open: BTreeMap<String, Link>,
    failed: Vec<String>,
}

/// Connects to every MCP server with an enabled toolset. What fails is told by `session.error` and left out.
async fn connect(world: &World, session: &str) -> Result<Links, Refusal> {
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

fn report(world: &World, session: &str, server: &str, error: &LinkError) -> Result<(), Refusal> {
    let mut db = world.db();
    let Some(mut journal) = Journal::open(world, &mut db, session) else { return Ok(()) };
    let error = json!({"type": error.kind(), "message": format!("{error} (`{server}`)"),
        "mcp_server_name": server, "retry_status": {"type": "retrying"}});
    journal.emit("session.error", json!({"error": error}));
    journal.save().map(|_| ())
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

fn conversation(journal: &Journal<'_>, session: &str, links: &Links) -> Conversation {
    let done = |event: &Value| !field(event, "processed_at").is_null();
    let mut conversation = Conversation {
        session_id: session.to_owned(),
        agent: field(journal.session(), "agent").clone(),
        history: journal.stored(0).into_iter().filter(done).collect(),
        turn: journal.stored(journal.inner.turn_start).into_iter().filter(done).collect(),
        tools: Vec::new(),
        unreachable: links.failed.clone(),
    };
    for tool in list(&conversation.agent, "tools") {
        match text(tool, "type") {
            AGENT_TOOLSET => {
                let enabled = BUILT_IN.into_iter().filter(|name| tool_setting(tool, name).0);
                let schema = json!({"type": "object"});
                conversation
                    .tools
                    .extend(enabled.map(|name| Tool::new(ToolSource::BuiltIn, name, schema.clone())));
            }
            "mcp_toolset" => {
                let link = links.open.get(text(tool, "mcp_server_name"));
                let offered = link.map(Link::tools).unwrap_or_default().iter();
                conversation.tools.extend(offered.filter(|offer| tool_setting(tool, &offer.name).0).cloned());
            }
            _ => {
                let schema = field(tool, "input_schema").clone();
                conversation.tools.push(Tool::new(ToolSource::Custom, text(tool, "name"), schema));
            }
        }
    }
    conversation
}

/// Writes the events of a reply. Returns how long the session has to pause, if it was rescheduled.
fn tell(
    journal: &mut Journal<'_>,
    conversation: &Conversation,
    span: &str,
    reply: Reply,
) -> Option<std::time::Duration> {
    let mut output = 0;
    let mut uses = false;
    for block in reply.blocks {
        match block {
            Block::Thinking => {
                journal.emit("agent.thinking", json!({}));
            }
            Block::Say(said) => {
                output += tokens(&said);
                journal.emit("agent.message", json!({"content": [{"type": "text", "text": said}]}));
            }
            Block::Use { source, name, input } => {
                uses = true;
                output += tokens(&name) + tokens(&Value::Object(input.clone()).to_string());
                emit_use(journal, &conversation.agent, &source, &name, input);
            }
        }
    }
    let input = conversation.history.iter().map(|event| tokens(&field(event, "content").to_string())).sum();
    journal.emit("span.model_request_end", span_end(span, input, output, false));
    add_usage(journal, input, output);
    if uses {
        return None;
    }
    let error = |journal: &mut Journal<'_>, kind: &str, message: String, retry: &str| {
        let error = json!({"type": kind, "message": message, "retry_status": {"type": retry}});
        journal.emit("session.error", json!({"error": error}));
    };
    match reply.stop {
        Stop::Continue => {}
        Stop::EndTurn => {
            judge(journal, &conversation.turn);
            let queued = journal.inbox();
            if queued.iter().any(|event| text(event, "type") == "user.message") {
                begin(journal, queued);
            } else {
                journal.rest(json!({"type": "end_turn"}), Value::Null);
            }
        }
        Stop::Refusal { category, explanation } => {
            let details = json!({"type": "refusal", "category": category, "explanation": explanation});
            journal.rest(json!({"type": "refusal"}), details);
        }
        Stop::Failed { kind, message } => {
            error(journal, &kind, message, "exhausted");
            journal.rest(json!({"type": "retries_exhausted"}), Value::Null);
        }
        Stop::Terminated { message } => {
            error(journal, "unknown_error", message, "terminal");
            journal.terminate();
        }
        Stop::Rescheduled(pause) => {
            error(journal, "model_overloaded_error", "the model is overloaded".to_owned(), "retrying");
            set(journal.session_mut(), "status", "rescheduling");
            journal.emit("session.status_rescheduled", json!({}));
            return Some(pause);
        }
    }
    None
}

fn emit_use(
    journal: &mut Journal<'_>,
    agent: &Value,
    source: &ToolSource,
    name: &str,
    input: Map<String, Value>,
) {
    let policy = |matches: &dyn Fn(&Value) -> bool| {
        let toolset = list(agent, "tools").iter().find(|tool| matches(tool));
        toolset.map_or((false, String::new()), |toolset| tool_setting(toolset, name))
    };
    let (kind, (enabled, policy)) = match source {
        ToolSource::Custom => {
            journal.emit("agent.custom_tool_use", json!({"name": name, "input": input}));
            return;
        }
        ToolSource::BuiltIn => ("agent.tool_use", policy(&|tool| text(tool, "type") == AGENT_TOOLSET)),
        ToolSource::Mcp(server) => {
            ("agent.mcp_tool_use", policy(&|tool| text(tool, "mcp_server_name") == server.as_str()))
        }
    };
    let permission = match policy.as_str() {
        _ if !enabled => "deny",
        "always_ask" => "ask",
        _ => "allow",
    };
    let evaluation = match policy.as_str() {
        "auto" => json!({"type": "auto", "evaluated_permission": {"type": permission}}),
        policy => json!({"type": policy}),
    };
    let mut fields = json!({"name": name, "input": input, "evaluated_permission": permission});
    if enabled {
        set(&mut fields, "evaluation", evaluation);
    }
    if let ToolSource::Mcp(server) = source {
        set(&mut fields, "mcp_server_name", server.as_str());
    }
    journal.emit(kind, fields);
}

/// The outcomes that were asked for in this turn are always satisfied at its end.
fn judge(journal: &mut Journal<'_>, turn: &[Value]) {
    for asked in turn.iter().filter(|event| text(event, "type") == "user.define_outcome") {
        let id = text(asked, "outcome_id");
        let start = journal.emit("span.outcome_evaluation_start", json!({"outcome_id": id, "iteration": 1}));
        let usage = json!({"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0});
        let end = json!({"outcome_id": id, "iteration": 1, "outcome_evaluation_start_id": field(&start, "id"),
            "result": "satisfied", "explanation": "the emulator is always satisfied", "usage": usage});
        let end = journal.emit("span.outcome_evaluation_end", end);
        let mut evaluations = list(journal.session(), "outcome_evaluations").to_vec();
        for evaluation in evaluations.iter_mut().filter(|evaluation| text(evaluation, "outcome_id") == id) {
            set(evaluation, "result", "satisfied");
            set(evaluation, "iteration", 1);
            set(evaluation, "completed_at", field(&end, "processed_at").clone());
        }
        set(journal.session_mut(), "outcome_evaluations", evaluations);
    }
}

/// About four characters make a token; the point is that the same turn always costs the same.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(4)).unwrap_or(u64::MAX)
}

fn span_end(start: &str, input: u64, output: u64, is_error: bool) -> Value {
    let usage = json!({"input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0});
    json!({"model_request_start_id": start, "is_error": is_error, "model_usage": usage})
}

fn add_usage(journal: &mut Journal<'_>, input: u64, output: u64) {
    let mut usage = field(journal.session(), "usage").clone();
    for (key, more) in [("input_tokens", input), ("output_tokens", output)] {
        let sum = field(&usage, key).as_u64().unwrap_or(0) + more;
        set(&mut usage, key, sum);
    }
    set(journal.session_mut(), "usage", usage);
}
