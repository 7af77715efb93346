//! Starting and stopping sessions (rows P69–P75; sem. 2.7).

use crate::audit::Change;
use crate::digest::Digest;
use crate::door::work::{Draft, Halt, Step, Work};
use crate::error::{Conflict, Error, Result};
use crate::id::{ResourceId, SessionId};
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::reconcile::state::{RemoteRef, SyncState};
use crate::record::{KindName, Record, RecordRow, ResourceKey, Schema};
use crate::resource::agent::Agent;
use crate::resource::mcp_server::McpServer;
use crate::resource::skill::Skill;
use crate::resource::vault::Vault;
use crate::session::delegation::Delegation;
use crate::session::event::EventSeq;
use crate::session::record::{InvokeMode, SessionRecord, SessionSnapshot};
use crate::session::status::SessionStatus;
use crate::store::{MAX_PAGE, Precondition, SessionQuery, Write};
use serde_json::json;
use std::time::Duration;

/// The kind sessions have in the audit trail.
pub(crate) const SESSION: KindName = KindName::known("Session");

/// What is asked of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) agent: ResourceId,
    pub(crate) prompt: &'a str,
    pub(crate) mode: InvokeMode,
    pub(crate) title: Option<&'a str>,
    pub(crate) timeout_seconds: Option<u32>,
}

/// Checks and writes an `invoke`, in the order of sem. 2.7: whoever may not invoke learns nothing of the sync state.
pub(crate) async fn invoke(work: &mut Work<'_>, asked: Invocation<'_>) -> Step<Draft> {
    check_text(work, asked)?;
    let key = ResourceKey::of::<Agent>(asked.agent);
    let row = work.row(&key).await?;
    let agent = Record::<Agent>::read(&row)?;
    work.about(&Agent::KIND, asked.agent, "invoke", row.meta.ou);
    if !row.is_live() {
        // Only somebody who may invoke it is told what has become of it.
        work.require(Permission::AGENT_INVOKE, row.meta.ou)?;
        return Err(Conflict::AgentArchived { agent: row.meta.name }.into());
    }
    work.require(Permission::AGENT_INVOKE, row.meta.ou)?;
    work.replay().await?;

    let agent_remote = synced(work, &key)
        .await?
        .map_err(|status| Conflict::AgentNotSynced { agent: row.meta.name.clone(), status })?;
    let environment = match work.plane.environment(&work.org).await? {
        Some(environment) => synced(work, &environment).await?,
        None => Err("missing".to_owned()),
    };
    let environment = environment.map_err(|status| Conflict::EnvironmentNotSynced { status })?;
    if !work.snapshot.knows(&Principal::Agent(asked.agent)) {
        return Err(Halt::Outdated);
    }
    if powerless(work, &agent) {
        return Err(Conflict::AgentPowerless { agent: row.meta.name }.into());
    }
    let parent = parent(work, asked.agent).await?;
    check_quota(work, asked.agent).await?;

    let limits = &work.plane.limits;
    let wanted = asked.timeout_seconds.or(agent.spec.session_timeout_seconds);
    let timeout = wanted.map_or(limits.session_timeout, |seconds| Duration::from_secs(seconds.into()));
    let id = SessionId::generate(work.now, work.plane.entropy.as_ref());
    let (snapshot, delegation) = snapshot(work, &row, agent_remote, environment).await?;
    let started_by = work.caller.principal.to_string();
    let session = SessionRecord {
        id,
        org: work.org.id,
        agent_id: asked.agent,
        ou: row.meta.ou,
        on_behalf_of: parent
            .as_ref()
            .map_or_else(|| started_by.clone(), |parent| parent.on_behalf_of.clone()),
        started_by,
        depth: parent.as_ref().map_or(1, |parent| parent.depth + 1),
        parent: parent.map(|parent| parent.id),
        title: asked.title.map(str::to_owned),
        prompt: asked.prompt.to_owned(),
        mode: asked.mode,
        snapshot,
        delegation,
        status: SessionStatus::Pending,
        error: None,
        remote_id: None,
        unsure: false,
        created_at: work.now,
        running_at: None,
        settled_at: None,
        timeout_ms: u64::try_from(timeout.min(limits.session_timeout_max).as_millis()).unwrap_or(u64::MAX),
        cancel_requested: false,
        last_seq: EventSeq::START,
        event_count: 0,
        mcp_tool_use_count: 0,
        mcp_error_count: 0,
        degradation_flagged: false,
        degradation_reason: None,
        usage: None,
        cost: None,
        lease: None,
        fence: 0,
        version: 1,
    };
    let change = Change {
        after: json!({
            "session": id, "mode": asked.mode, "title": asked.title, "agent_version": row.meta.version,
            "prompt_sha256": Digest::of(asked.prompt.as_bytes()), "parent": session.parent,
        }),
        ..Change::default()
    };
    let mut draft = Draft::new(None, change);
    draft.session = Some(id);
    draft.expect.push(Precondition::RecordVersion { key, version: row.meta.version });
    draft.expect.push(Precondition::SessionVersion { id, version: 0 });
    draft.write.push(Write::PutSession(Box::new(session)));
    Ok(draft)
}

fn check_text(work: &Work<'_>, asked: Invocation<'_>) -> Result<()> {
    let limits = &work.plane.limits;
    let length = asked.prompt.chars().count();
    if !(1..=limits.prompt_chars).contains(&length) {
        let allowed = format!("1 to {} characters", limits.prompt_chars);
        return Err(Invalid::new("prompt", format!("{length} characters"), allowed).into());
    }
    if let Some(title) = asked.title.filter(|title| !(1..=255).contains(&title.chars().count())) {
        return Err(Invalid::new("title", title, "1 to 255 characters").into());
    }
    let most = limits.session_timeout_max.as_secs();
    match asked.timeout_seconds {
        Some(seconds) if seconds == 0 || u64::from(seconds) > most => {
            Err(Invalid::new("timeout_seconds", seconds, format!("1 to {most} seconds")).into())
        }
        _ => Ok(()),
    }
}

/// Where a resource is on the runtime; if it is not in sync, its status in one word.
async fn synced(work: &Work<'_>, key: &ResourceKey) -> Result<std::result::Result<RemoteRef, String>> {
    let state: Option<SyncState> = work.plane.store.sync_state(work.org.id, key).await?;
    Ok(match state {
        Some(state) => match (&state.remote, state.is_dirty() || state.removing) {
            (Some(remote), false) => Ok(remote.clone()),
            _ => Err(state.status(work.now).word().to_owned()),
        },
        None => Err("pending".to_owned()),
    })
}

/// A `user` agent whose owner can do nothing can do nothing either, and is not invocable (sem. 2.2.8).
fn powerless(work: &Work<'_>, agent: &Record<Agent>) -> bool {
    match &agent.spec.owner_principal {
        Principal::User(_) if agent.spec.agent_kind == crate::authz::AgentKind::User => {
            work.snapshot.effective_user(agent.meta.id).is_none()
        }
        _ => false,
    }
}

/// The session out of which an agent invokes, in its own name or, by a delegated token, in that of a user; refuses chains
/// that are too deep or bite their tail.
async fn parent(work: &Work<'_>, agent: ResourceId) -> Result<Option<SessionRecord>> {
    let id = match (&work.caller.principal, work.caller.delegated_from_session) {
        (_, Some(id)) => id,
        (Principal::Agent(_), None) => {
            let allowed = "the session out of which the agent invokes";
            return Err(Invalid::hidden("parent_session_id", allowed).into());
        }
        _ => return Ok(None),
    };
    let first =
        work.plane.store.session(work.org.id, id).await?.ok_or_else(|| Error::not_found("session", id))?;
    let own = match &work.caller.principal {
        Principal::Agent(caller) => first.agent_id == *caller,
        _ => true,
    };
    if !own || first.status.is_settled() {
        let allowed = "a running session of the agent that invokes";
        return Err(Invalid::new("parent_session_id", id, allowed).into());
    }
    let most = work.plane.limits.session_depth;
    if first.depth >= most {
        let reason = format!("agents may invoke one another at most {most} deep");
        return Err(Conflict::SessionLimit { reason }.into());
    }
    let mut above = Some(first.clone());
    while let Some(session) = above {
        if session.agent_id == agent {
            let reason = "the agent is already in the chain of sessions that leads here".to_owned();
            return Err(Conflict::SessionLimit { reason }.into());
        }
        above = match session.parent {
            Some(parent) => work.plane.store.session(work.org.id, parent).await?,
            None => None,
        };
    }
    Ok(Some(first))
}

async fn check_quota(work: &Work<'_>, agent: ResourceId) -> Result<()> {
    let most = work.plane.limits.active_sessions.min(MAX_PAGE);
    let query = SessionQuery { agent: Some(agent), active: true, after: None, limit: most };
    if most > 0 && work.plane.store.sessions(work.org.id, &query).await?.len() >= most {
        let reason = format!("the agent has {most} active sessions already");
        return Err(Conflict::SessionLimit { reason }.into());
    }
    Ok(())
}

/// What runs, and to whom the session delegates, frozen: later changes of the agent do not touch the session.
async fn snapshot(
    work: &Work<'_>,
    agent: &RecordRow,
    remote: RemoteRef,
    environment: RemoteRef,
) -> Result<(SessionSnapshot, Option<Delegation>)> {
    let store = &work.plane.store;
    let related = store.records(work.org.id, &agent.refs).await?;
    let names = |kind: KindName| {
        let mut names: Vec<String> =
            related.iter().filter(|row| row.kind == kind).map(|row| row.meta.name.clone()).collect();
        names.sort();
        names
    };
    let vaults: Vec<ResourceKey> = store
        .referrers(work.org.id, &agent.key())
        .await?
        .iter()
        .filter(|row| row.kind == Vault::KIND)
        .map(RecordRow::key)
        .collect();
    let states = store.sync_states(work.org.id, &vaults).await?;
    let mut delegating = Vec::new();
    for row in related.iter().filter(|row| row.kind == McpServer::KIND) {
        let server = Record::<McpServer>::read(row)?.spec;
        delegating.extend(server.url.filter(|_| server.delegating));
    }
    let snapshot = SessionSnapshot {
        agent_name: agent.meta.name.clone(),
        agent: remote,
        environment,
        skills: names(Skill::KIND),
        mcp_servers: names(McpServer::KIND),
        vault_ids: states.into_iter().filter_map(|state| state.remote.map(|remote| remote.id)).collect(),
    };
    Ok((snapshot, Delegation::to(delegating)))
}

/// Checks and writes a `cancel`: by whoever started the session, or who holds `session:cancel`.
pub(crate) async fn cancel(work: &mut Work<'_>, id: SessionId) -> Step<Draft> {
    let session =
        work.plane.store.session(work.org.id, id).await?.ok_or_else(|| Error::not_found("session", id))?;
    work.about(&SESSION, id, "cancel", session.ou);
    let starter = session.started_by == work.caller.principal.to_string() && !work.caller.is_narrow();
    // Whoever is disabled or gone starts and stops nothing: nobody covers them, not even themselves.
    if !starter || !work.snapshot.covers(&work.caller.principal, &work.caller.principal) {
        work.require(Permission::SESSION_CANCEL, session.ou)?;
    }
    work.replay().await?;

    if session.status.is_settled() {
        let status = session.status.to_string();
        return Err(Conflict::SessionSettled { session: id, status }.into());
    }
    let change = Change {
        before: json!({ "status": session.status }),
        after: json!({ "cancel_requested": true }),
        ..Change::default()
    };
    let mut draft = Draft::new(None, change);
    draft.session = Some(id);
    draft.unchanged = session.cancel_requested;
    draft.expect.push(Precondition::SessionVersion { id, version: session.version });
    let next = SessionRecord { cancel_requested: true, version: session.version + 1, ..session };
    draft.write.push(Write::PutSession(Box::new(next)));
    Ok(draft)
}
