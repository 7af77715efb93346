//! One attempt on one claimed row: the call to the runtime, and what came of it.

use crate::audit::{AuditDecision, AuditDraft, Change};
use crate::digest::{Digest, desired_hash};
use crate::door::work::snake_case;
use crate::reconcile::claims::Claim;
use crate::reconcile::crew::Crew;
use crate::reconcile::decide::Verdict;
use crate::reconcile::reconciler::Work;
use crate::reconcile::state::{Observation, SyncOutcome};
use crate::record::{Record, RecordRow, Schema, Stage};
use crate::resource::credential::Credential;
use crate::resource::kind::AuthzPart;
use crate::resource::skill_version::SkillVersion;
use crate::runtime::{RuntimeError, RuntimeErrorClass};
use crate::secret::SealContext;
use crate::store::{AuditWrite, Commit, Precondition, Write};
use serde_json::json;

/// Who is answerable for what the loop does by itself.
const ACTOR: &str = "service:reconciler";

fn transient(error: impl ToString) -> SyncOutcome {
    SyncOutcome::Transient { error: error.to_string(), retry_after: None, unsure: false }
}

fn permanent(error: impl ToString) -> SyncOutcome {
    SyncOutcome::Permanent { error: error.to_string() }
}

/// Carries out a verdict, once it is its turn.
#[tracing::instrument(name = "reconcile", level = "debug", skip_all, fields(org = %claim.org, resource = %claim.key))]
pub(crate) async fn attempt(crew: &Crew, claim: &Claim, verdict: Verdict) -> SyncOutcome {
    let outcome = match verdict {
        Verdict::Settle(outcome) => return outcome,
        Verdict::Push { work, pushed } => push(crew, claim, *work, pushed).await,
        Verdict::Remove(work) => remove(crew, claim, &work).await,
    };
    match &outcome {
        SyncOutcome::Transient { error, .. } => {
            tracing::warn!(org = %claim.org, resource = %claim.key, attempt = claim.attempts + 1, error, "failed");
        }
        SyncOutcome::Permanent { error } => {
            tracing::error!(org = %claim.org, resource = %claim.key, error, "parked");
        }
        outcome => tracing::debug!(?outcome, "done"),
    }
    outcome
}

async fn push(crew: &Crew, claim: &Claim, mut work: Work, pushed: Digest) -> SyncOutcome {
    let Some(_slot) = crew.slot(claim).await else { return SyncOutcome::Released };
    if !crew.pace().await {
        return SyncOutcome::Released;
    }
    if let Err(outcome) = furnish(crew, &mut work).await {
        return outcome;
    }
    let reconciler = crew.reconciler(&claim.key.kind);
    let answer = crew.guarded("push", reconciler.reconcile(&work)).await;
    // What only the push needed does not live a moment longer.
    work.push.bearer = None;
    work.push.files = Vec::new();
    match answer {
        Ok(remote) => SyncOutcome::Pushed { pushed, remote },
        Err(error) if work.push.remote.is_some() && error.class == RuntimeErrorClass::Gone => {
            SyncOutcome::Observed(Observation::Gone)
        }
        Err(error) if work.push.remote.is_some() && error.class == RuntimeErrorClass::Conflict => {
            look_again(crew, &work, error).await
        }
        Err(error) => failed(crew, claim, error).await,
    }
}

/// Adds the bytes of files and the bearer. The bearer is opened here and nowhere else (row P68).
async fn furnish(crew: &Crew, work: &mut Work) -> Result<(), SyncOutcome> {
    let (plane, org) = (&crew.plane, work.push.org);
    if work.record.kind == SkillVersion::KIND {
        let version = Record::<SkillVersion>::read(&work.record).map_err(permanent)?;
        for file in version.spec.files {
            let bytes = plane.store.blob(org, &file.digest).await.map_err(transient)?;
            let bytes = bytes.ok_or_else(|| permanent(format!("the bytes of `{}` are lost", file.path)))?;
            work.push.files.push((file, bytes));
        }
    }
    if work.record.kind == Credential::KIND {
        let id = work.record.meta.id;
        let sealed = plane.store.secret(org, id).await.map_err(transient)?;
        let sealed = sealed.ok_or_else(|| permanent("its bearer is lost: rotate the credential"))?;
        let (kind, row) = (Credential::KIND, id.to_string());
        let context = SealContext { org, kind: kind.as_str(), row: &row };
        let sealer = plane.sealer().map_err(transient)?;
        work.push.bearer = Some(sealer.open(&context, &sealed).await.map_err(transient)?);
    }
    Ok(())
}

/// Somebody else changed the object: the next attempt works on what is there now.
async fn look_again(crew: &Crew, work: &Work, error: RuntimeError) -> SyncOutcome {
    let reconciler = crew.reconciler(&work.record.kind);
    match crew.guarded("observe", reconciler.observe(work)).await {
        Ok(None) => SyncOutcome::Observed(Observation::Gone),
        Ok(Some((payload, remote))) if Some(&remote) != work.push.remote.as_ref() => {
            match desired_hash(work.record.kind.as_str(), &payload) {
                Ok(actual) => SyncOutcome::Observed(Observation::Present { actual, remote }),
                Err(_) => transient(error),
            }
        }
        // The conflict is about something else: it counts, else it would be tried for ever.
        Ok(Some(_)) | Err(_) => transient(error),
    }
}

async fn failed(crew: &Crew, claim: &Claim, error: RuntimeError) -> SyncOutcome {
    let (text, unsure) = (error.to_string(), error.maybe_applied);
    match error.class {
        RuntimeErrorClass::AuthFailed => {
            crew.rest(claim.org, &error).await;
            SyncOutcome::Released
        }
        RuntimeErrorClass::RateLimited { retry_after } => {
            crew.throttle.slow(retry_after);
            SyncOutcome::Transient { error: text, retry_after, unsure }
        }
        RuntimeErrorClass::Permanent => SyncOutcome::Permanent { error: text },
        RuntimeErrorClass::Transient | RuntimeErrorClass::Gone | RuntimeErrorClass::Conflict => {
            SyncOutcome::Transient { error: text, retry_after: None, unsure }
        }
    }
}

async fn remove(crew: &Crew, claim: &Claim, work: &Work) -> SyncOutcome {
    let Some(_slot) = crew.slot(claim).await else { return SyncOutcome::Released };
    if work.push.remote.is_some() || work.push.unsure {
        if !crew.pace().await {
            return SyncOutcome::Released;
        }
        let reconciler = crew.reconciler(&claim.key.kind);
        match crew.guarded("remove", reconciler.remove(work)).await {
            Err(error) if error.class != RuntimeErrorClass::Gone => return failed(crew, claim, error).await,
            Ok(()) | Err(_) => {}
        }
    }
    match archive(crew, &work.record).await {
        Ok(()) => SyncOutcome::Removed,
        // Removing once more is harmless: the next pass does all of it again.
        Err(error) => {
            tracing::warn!(org = %claim.org, resource = %claim.key, %error, "could not be archived yet");
            SyncOutcome::Released
        }
    }
}

/// The record follows its remote object. The name is free from here on.
async fn archive(crew: &Crew, row: &RecordRow) -> crate::error::Result<()> {
    let (plane, org) = (&crew.plane, row.meta.org);
    let now = plane.now();
    let mut commit = Commit::new(org, now);
    commit.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    let mut next = row.clone();
    next.meta.stage = Stage::Archived;
    next.meta.version += 1;
    next.meta.updated_at = now;
    commit.write.push(Write::PutRecord(Box::new(next)));
    if row.kind == Credential::KIND {
        commit.write.push(Write::DeleteSecret(row.meta.id));
    }
    let authz = plane.kind_of(row)?.authz() != AuthzPart::None;
    if authz {
        commit.write.push(Write::BumpAuthzEpoch);
    }
    let draft = AuditDraft {
        ts: now,
        actor: ACTOR.to_owned(),
        verb: format!("{}.archived", snake_case(row.kind.as_str())),
        resource_kind: row.kind.to_string(),
        resource_id: row.meta.id.to_string(),
        decision: AuditDecision::Allow,
        delegated_from_session: None,
        approval_request_id: None,
        change: Change {
            before: json!({ "stage": row.meta.stage }),
            after: json!({ "stage": Stage::Archived }),
            detail: None,
            ous: vec![crate::door::work::Work::judged_at(row)],
        },
    };
    commit.audit.push(AuditWrite { draft, salt: plane.salt() });
    plane.store.commit(commit).await?;
    if authz {
        plane.authz.doubt(org);
    }
    Ok(())
}
