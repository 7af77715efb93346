//! Taking a resource out of use (row P103): mark it, take along what only exists for it, clear the runtime.

use crate::audit::Change;
use crate::door::work::{AuthzEffect, Draft, Step, Work, refuse_other_version, refuse_own_actions};
use crate::error::{Conflict, Result};
use crate::record::{RecordRow, ResourceKey, Schema, Stage};
use crate::resource::environment::{Environment, SHARED_ENVIRONMENT};
use crate::resource::kind::AuthzPart;
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::role_binding::RoleBinding;
use crate::store::{Precondition, Write};
use serde_json::json;

/// Checks and writes an `archive`.
pub(crate) async fn archive(work: &mut Work<'_>, target: &ResourceKey, expect: Option<u64>) -> Step<Draft> {
    let kind = work.plane.catalogue.kind(&target.kind)?.clone();
    refuse_own_actions(&kind)?;
    let row = work.row(target).await?;
    work.about(&target.kind, target.id, "archive", Work::judged_at(&row));
    work.require(kind.permissions().archive, Work::judged_at(&row))?;
    work.replay().await?;

    if !row.is_live() {
        return Ok(Draft::unchanged(row));
    }
    refuse_other_version(&row, expect)?;
    refuse_needed(work, &row).await?;
    let mut draft = Draft::new(None, Change::default());
    if row.kind == Ou::KIND {
        draft.expect.push(Precondition::EmptyOu(row.meta.id));
    }
    let gone = take_along(work, row.clone(), &mut draft).await?;
    let names: Vec<String> = gone.iter().skip(1).map(|row| row.key().to_string()).collect();
    draft.change.before = json!({ "name": row.meta.name, "ou": work.path(row.meta.ou), "spec": row.spec });
    draft.prior = Some(row.spec.clone());
    if !names.is_empty() {
        draft.change.detail = Some(json!({ "also_archived": names }));
    }
    draft.record = gone.first().cloned();
    work.guard_lifted(&gone).await?;
    if touches_authz(work, &gone)? {
        draft.write.push(Write::BumpAuthzEpoch);
        draft.authz = match gone.as_slice() {
            [row] if row.kind == RoleBinding::KIND => AuthzEffect::Unbound(row.meta.id),
            _ => AuthzEffect::Other,
        };
        work.guard_last_org_admin(&gone).await?;
    }
    draft.write.extend(gone.into_iter().map(|row| Write::PutRecord(Box::new(row))));
    Ok(draft)
}

fn touches_authz(work: &Work<'_>, rows: &[RecordRow]) -> Result<bool> {
    for row in rows {
        if work.kind_of(row)?.authz() != AuthzPart::None {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Some things stay as long as others need them, whoever asks.
async fn refuse_needed(work: &Work<'_>, row: &RecordRow) -> Result<()> {
    if row.kind == Ou::KIND && row.meta.id == work.org.root_ou {
        return Err(Conflict::InUse {
            target: "the root OU".to_owned(),
            by: vec!["the organization".to_owned()],
        }
        .into());
    }
    if row.kind == Environment::KIND && row.meta.name == SHARED_ENVIRONMENT && row.meta.ou == work.org.root_ou
    {
        let by = vec!["every agent of the organization".to_owned()];
        return Err(Conflict::InUse { target: format!("environment `{}`", row.meta.name), by }.into());
    }
    if row.kind == McpServer::KIND {
        let owner = row.status.get("deployment").and_then(serde_json::Value::as_str);
        if let Some(owner) = owner {
            let by = vec![format!("MCPDeployment/{owner}, which owns it: archive that")];
            return Err(Conflict::InUse { target: format!("MCP server `{}`", row.meta.name), by }.into());
        }
    }
    Ok(())
}

/// The row and all that only exists for it, as they will be; adds the conditions and the removals.
///
/// # Errors
/// [`Conflict::InUse`] names what else refers to one of them.
async fn take_along(work: &Work<'_>, row: RecordRow, draft: &mut Draft) -> Result<Vec<RecordRow>> {
    let mut gone: Vec<RecordRow> = Vec::new();
    let mut next = vec![row];
    while let Some(row) = next.pop() {
        if gone.iter().any(|other| other.key() == row.key()) {
            continue;
        }
        let referrers = work.plane.store.referrers(work.org.id, &row.key()).await?;
        let mut blockers = Vec::new();
        for referrer in &referrers {
            let kind = work.kind_of(referrer)?;
            let owned = row.kind == McpDeployment::KIND && referrer.kind == McpServer::KIND;
            if kind.cascades() || owned {
                next.push(referrer.clone());
            } else if referrer.is_live() {
                blockers.push(referrer);
            }
        }
        if !blockers.is_empty() {
            let target = format!("{} `{}`", row.kind, row.meta.name);
            return Err(Conflict::InUse { target, by: shown(work, &blockers)? }.into());
        }
        if row.kind == Ou::KIND {
            refuse_inhabited(work, &row).await?;
        }
        draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
        draft.expect.push(Precondition::ReferredBy {
            target: row.key(),
            by: referrers.iter().map(RecordRow::key).collect(),
        });
        gone.push(mark(work, row, draft)?);
    }
    Ok(gone)
}

/// Lists what lives in an OU that is to go.
async fn refuse_inhabited(work: &Work<'_>, ou: &RecordRow) -> Result<()> {
    let query = crate::store::RecordQuery { ou: Some(ou.meta.id), limit: 10, ..Default::default() };
    let inside = work.plane.store.list_records(work.org.id, &query).await?;
    let inside: Vec<&RecordRow> = inside.iter().filter(|row| row.meta.id != ou.meta.id).collect();
    if inside.is_empty() {
        return Ok(());
    }
    Err(Conflict::InUse { target: format!("OU `{}`", ou.meta.name), by: shown(work, &inside)? }.into())
}

/// Those of `rows` the caller may read by name, at most ten; the others are only counted.
fn shown(work: &Work<'_>, rows: &[&RecordRow]) -> Result<Vec<String>> {
    let mut shown = Vec::new();
    for row in rows {
        if shown.len() < 10 && work.may(work.kind_of(row)?.permissions().read, Work::judged_at(row)) {
            shown.push(format!("{} `{}` in {}", row.kind, row.meta.name, work.path(row.meta.ou)));
        }
    }
    match rows.len() - shown.len() {
        0 => {}
        hidden if shown.is_empty() => shown.push(format!("{hidden} you may not read")),
        hidden => shown.push(format!("{hidden} more")),
    }
    Ok(shown)
}

/// What is on the runtime is removed there first; the rest is archived at once.
fn mark(work: &Work<'_>, mut row: RecordRow, draft: &mut Draft) -> Result<RecordRow> {
    let on_runtime = work.kind_of(&row)?.on_runtime();
    row.meta.version += 1;
    row.meta.updated_at = work.now;
    row.meta.stage = if on_runtime { Stage::Archiving } else { Stage::Archived };
    if on_runtime {
        draft.write.push(Write::Remove(row.key()));
    }
    Ok(row)
}
