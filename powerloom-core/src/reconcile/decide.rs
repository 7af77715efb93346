//! What to do about a claimed row.

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::Result;
use crate::id::OrgId;
use crate::plane::Plane;
use crate::reconcile::batch::{Batch, Candidate, Subject};
use crate::reconcile::reconciler::Work;
use crate::reconcile::state::{SyncOutcome, SyncState};
use crate::record::{Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::agent::Agent;
use crate::resource::credential::Credential;
use crate::resource::kind::{ProjectError, Projection};
use crate::resource::skill::{Skill, SkillStatus};
use crate::resource::skill_version::SkillVersion;
use crate::resource::vault::Vault;
use crate::runtime::{Payload, Placed, Push};
use crate::store::{Commit, Precondition, Refused, SessionQuery, StoreError, Write};
use serde_json::Value;

/// What to do about a row.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing that needs a call.
    Settle(SyncOutcome),
    /// Make it real; what is sent hashes to `pushed`.
    Push { work: Box<Work>, pushed: Digest },
    /// Take it off the runtime, then archive the record.
    Remove(Box<Work>),
}

fn not_ready(on: impl Into<String>) -> Verdict {
    Verdict::Settle(SyncOutcome::NotReady { on: on.into() })
}

fn permanent(error: impl ToString) -> Verdict {
    Verdict::Settle(SyncOutcome::Permanent { error: error.to_string() })
}

/// Decides about one candidate of `batch`.
pub(crate) async fn decide(plane: &Plane, batch: &Batch, candidate: Candidate) -> Result<Verdict> {
    let Candidate { state, record } = candidate;
    let Some(subject) = record else {
        return Ok(if state.removing {
            Verdict::Settle(SyncOutcome::Removed)
        } else {
            permanent("its record is lost")
        });
    };
    if subject.row.meta.stage == Stage::Live {
        return live(plane, batch, &state, subject).await;
    }
    if !state.removing && !repaired(plane, &subject.row, Write::Remove(state.key.clone())).await? {
        return Ok(Verdict::Settle(SyncOutcome::Released));
    }
    if subject.row.meta.stage == Stage::Archived {
        return Ok(Verdict::Settle(SyncOutcome::Removed));
    }
    leaving(plane, batch, &state, subject).await
}

/// Writes what the convergence record should have said already; `false` if the record was just changed.
pub(crate) async fn repaired(plane: &Plane, row: &RecordRow, write: Write) -> Result<bool> {
    let mut commit = Commit::new(row.meta.org, plane.now());
    commit.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    commit.write.push(write);
    match plane.store.commit(commit).await {
        Ok(_) => Ok(true),
        Err(StoreError::Refused(Refused::Precondition(_))) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn live(plane: &Plane, batch: &Batch, state: &SyncState, subject: Subject) -> Result<Verdict> {
    let Subject { row, kind, projection } = subject;
    if kind.is_none() {
        return Ok(Verdict::Settle(SyncOutcome::Released));
    }
    let projection = match projection {
        Ok(Some(projection)) => projection,
        Ok(None) => return Ok(permanent(format!("a {} has no counterpart on the runtime", row.kind))),
        Err(ProjectError::NotReady { on }) => return Ok(not_ready(on)),
        Err(error) => return Ok(permanent(error)),
    };
    let desired = match projection.desired(&row.kind) {
        Ok(desired) => desired,
        Err(error) => return Ok(permanent(error)),
    };
    if (desired != state.desired || state.removing)
        && !repaired(plane, &row, Write::Desire { key: state.key.clone(), desired }).await?
    {
        return Ok(Verdict::Settle(SyncOutcome::Released));
    }
    if state.actual == Some(desired) {
        return Ok(Verdict::Settle(SyncOutcome::Released));
    }
    let now = plane.now();
    for key in &projection.depends_on {
        if let Some(on) = waits_for(plane, &row, key, batch.states.get(key), now) {
            return Ok(not_ready(on));
        }
    }
    let mut placed = batch.placed(&projection.depends_on);
    if let Payload::SkillVersion(_) = &projection.payload {
        place_sibling(plane, batch, &row, &mut placed).await?;
    }
    Ok(Verdict::Push { work: work(state, row, projection.payload, placed), pushed: desired })
}

fn work(state: &SyncState, record: RecordRow, payload: Payload, placed: Placed) -> Box<Work> {
    let push = Push {
        org: state.org,
        key: state.key.clone(),
        payload,
        remote: state.remote.clone(),
        placed,
        files: Vec::new(),
        bearer: None,
        unsure: state.unsure,
    };
    Box::new(Work { record, push })
}

/// Why `row` cannot be pushed yet: what it depends on is not in sync (rows P37, P38, P40).
fn waits_for(
    plane: &Plane,
    row: &RecordRow,
    key: &ResourceKey,
    state: Option<&SyncState>,
    now: Timestamp,
) -> Option<String> {
    let Some(state) = state else {
        let elsewhere = plane.catalogue.kind(&key.kind).is_ok_and(|kind| !kind.on_runtime());
        return (!elsewhere).then(|| format!("{key} is not declared"));
    };
    let ready = !state.removing && !state.is_dirty() && state.remote.is_some();
    // A version that failed for good or is gone must not keep the next one, which may mend it, from the runtime.
    let passed_over = row.kind == SkillVersion::KIND && (state.parked.is_some() || state.removed);
    (!ready && !passed_over).then(|| format!("{key} is {}", state.status(now).word()))
}

/// The runtime knows a skill by what any version of it has in `parent`: finds one, unless this is the first version.
async fn place_sibling(plane: &Plane, batch: &Batch, row: &RecordRow, placed: &mut Placed) -> Result<()> {
    if !placed.is_empty() {
        return Ok(());
    }
    let version = Record::<SkillVersion>::read(row)?.spec;
    let skill = ResourceKey::of::<Skill>(version.skill);
    let status = batch.referred.get(&skill).map(Record::<Skill>::read).transpose()?.map(|skill| skill.status);
    let current = status.and_then(|SkillStatus { current, .. }| current);
    if version.previous.is_none() && current.is_some_and(|current| current.id == row.meta.id) {
        return Ok(());
    }
    let siblings = plane.store.referrers(batch.org, &skill).await?;
    let siblings: Vec<ResourceKey> = siblings
        .iter()
        .map(RecordRow::key)
        .filter(|key| key.kind == SkillVersion::KIND && key.id != row.meta.id)
        .collect();
    let states = plane.store.sync_states(batch.org, &siblings).await?;
    let found = states.into_iter().find_map(|state| Some((state.key, state.remote?)));
    placed.extend(found);
    Ok(())
}

/// A record on its way out: it leaves the runtime when nothing there needs it any more (sem. 2.4, Deletion).
async fn leaving(plane: &Plane, batch: &Batch, state: &SyncState, subject: Subject) -> Result<Verdict> {
    let Subject { row, projection, .. } = subject;
    if let Some(on) = still_needed(plane, batch, &row).await? {
        return Ok(not_ready(on));
    }
    let lost = state.remote.is_none() && state.unsure;
    let (payload, placed) = match projection {
        Ok(Some(Projection { payload, depends_on })) => (payload, batch.placed(&depends_on)),
        Err(error) if lost => {
            let error = format!("it may be on the runtime, but it cannot be told what to look for: {error}");
            return Ok(Verdict::Settle(SyncOutcome::Transient { error, retry_after: None, unsure: true }));
        }
        Ok(None) | Err(_) => (Payload::Custom(Value::Null), Placed::new()),
    };
    Ok(Verdict::Remove(work(state, row, payload, placed)))
}

/// Why the record cannot leave yet.
async fn still_needed(plane: &Plane, batch: &Batch, row: &RecordRow) -> Result<Option<String>> {
    let org = row.meta.org;
    if let Some(agent) = served_agent(row)? {
        // A credential taken from an agent in use goes at once: somebody wants it gone.
        let stays = |key| batch.referred.get(key).is_some_and(RecordRow::is_live);
        if !stays(&ResourceKey::of::<Agent>(agent)) {
            let active = SessionQuery { agent: Some(agent), active: true, limit: 1, after: None };
            if let Some(session) = plane.store.sessions(org, &active).await?.first() {
                return Ok(Some(format!("session {} runs", session.id)));
            }
        }
    }
    let mut users = plane.store.referrers(org, &row.key()).await?;
    if row.kind == SkillVersion::KIND {
        for skill in &row.refs {
            let of_skill = plane.store.referrers(org, skill).await?;
            // Those who follow the skill have its current version; while it is live, the door has seen to it.
            let archived = batch.referred.get(skill).is_some_and(|skill| !skill.is_live());
            users.extend(of_skill.into_iter().filter(|user| archived && user.kind != SkillVersion::KIND));
        }
    }
    let user =
        users.into_iter().find(|user| plane.catalogue.kind(&user.kind).is_ok_and(|kind| kind.on_runtime()));
    Ok(user.map(|user| format!("{} is still there", user.key())))
}

/// The agent whose sessions use the record.
fn served_agent(row: &RecordRow) -> Result<Option<crate::id::ResourceId>> {
    Ok(match &row.kind {
        kind if *kind == Agent::KIND => Some(row.meta.id),
        kind if *kind == Vault::KIND => Some(Record::<Vault>::read(row)?.spec.agent),
        kind if *kind == Credential::KIND => Some(Record::<Credential>::read(row)?.spec.agent),
        _ => None,
    })
}

/// The rows of a claim by organization.
pub(crate) fn by_org(states: Vec<SyncState>) -> Vec<(OrgId, Vec<SyncState>)> {
    let mut groups: Vec<(OrgId, Vec<SyncState>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for state in states {
        let place = *places.entry(state.org).or_insert_with(|| {
            groups.push((state.org, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, group)) = groups.get_mut(place) {
            group.push(state);
        }
    }
    groups
}
