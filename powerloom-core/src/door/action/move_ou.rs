//! Moving an OU with all below it (sem. 2.1).

use crate::audit::Change;
use crate::door::action::create::refuse_taken_name;
use crate::door::work::{AuthzEffect, Draft, Step, Work, refuse_archived, refuse_other_version};
use crate::error::{Conflict, Error};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::ou_path::MAX_OU_DEPTH;
use crate::permission::Permission;
use crate::record::{ResourceKey, Schema};
use crate::resource::ou::Ou;
use crate::store::{Precondition, Write};
use serde_json::json;

/// Checks and writes a `move`: it needs `ou:update` on the OU, `ou:create` on its new parent, and everything the move
/// gives to others.
pub(crate) async fn move_ou(
    work: &mut Work<'_>,
    ou: ResourceId,
    to: ResourceId,
    expect: Option<u64>,
) -> Step<Draft> {
    let row = work.row(&ResourceKey::of::<Ou>(ou)).await?;
    let parent = work.row(&ResourceKey::of::<Ou>(to)).await?;
    work.about(&Ou::KIND, ou, "move", ou);
    work.subject.ous.push(to);
    work.require(Permission::OU_UPDATE, ou)?;
    work.require(Permission::OU_CREATE, to)?;
    work.guard_move(&row, to).await?;
    work.replay().await?;

    refuse_archived(&row)?;
    refuse_archived(&parent)?;
    refuse_other_version(&row, expect)?;
    if ou == work.org.root_ou {
        return Err(Invalid::new("ou", &row.meta.name, "an OU below the root").into());
    }
    if row.meta.ou == to {
        return Ok(Draft::unchanged(row));
    }
    if work.snapshot.is_within(to, ou) {
        return Err(Conflict::Cycle { path: vec![work.path(ou), work.path(to), work.path(ou)] }.into());
    }
    let depth = |ou| work.snapshot.ou_path(ou).map_or(0, crate::ou_path::OuPath::depth);
    let height = work.snapshot.subtree(ou).map(depth).max().unwrap_or(0).saturating_sub(depth(ou));
    if depth(to) + 1 + height > MAX_OU_DEPTH {
        return Err(Invalid::new(
            "to",
            work.path(to),
            format!("a place where the tree stays at most {MAX_OU_DEPTH} deep"),
        )
        .into());
    }
    let kind = work.plane.catalogue.kind(&Ou::KIND)?.clone();
    let mut next = row.clone();
    next.meta.ou = to;
    next.meta.version += 1;
    next.meta.updated_at = work.now;
    next.unique_key = kind.unique_key(to, &next.meta.name);
    refuse_taken_name(work, &kind, &next).await?;

    let path = work
        .snapshot
        .ou_path(to)
        .ok_or_else(|| Error::not_found("OU", to))?
        .child(&row.meta.name.parse()?)?;
    // Paths are for people; by these ids the move can be undone in the mind, see `answers`.
    let change = Change {
        before: json!({ "path": work.path(ou) }),
        after: json!({ "path": path }),
        detail: Some(json!({ "from": row.meta.ou, "to": to })),
        ..Change::default()
    };
    let mut draft = Draft::new(Some(next.clone()), change);
    // The tree must still be one, and what is denied to an OU may now reach an OrgAdmin: judged on a preview, committed
    // only if nothing of it has moved meanwhile.
    work.guard_last_org_admin(std::slice::from_ref(&next)).await?;
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.expect.push(Precondition::Live(parent.key()));
    draft.authz = AuthzEffect::Other;
    draft.write.push(Write::BumpAuthzEpoch);
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(draft)
}
