//! Trying a parked resource again (row P44; sem. 2.4).

use crate::audit::Change;
use crate::door::work::{Draft, Step, Work};
use crate::error::Error;
use crate::permission::Permission;
use crate::record::ResourceKey;
use crate::store::{Precondition, Write};
use serde_json::json;

/// Checks and writes a `reset_sync`. It also ends the organization's pause: somebody says the cause is mended.
pub(crate) async fn reset(work: &mut Work<'_>, target: &ResourceKey) -> Step<Draft> {
    let row = work.row(target).await?;
    work.about(&target.kind, target.id, "reset_sync", row.meta.ou);
    work.require(Permission::SYNC_RESET, row.meta.ou)?;
    work.replay().await?;

    let state = work.plane.store.sync_state(work.org.id, target).await?;
    let state = state.ok_or_else(|| Error::not_found("sync state", target))?;
    let change = Change {
        before: json!({
            "status": state.status(work.now).word(), "attempts": state.attempts, "last_error": state.last_error,
        }),
        after: json!({ "attempts": 0 }),
        ..Change::default()
    };
    let mut draft = Draft::new(Some(row.clone()), change);
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.write.push(Write::ResetSync(target.clone()));
    Ok(draft)
}
