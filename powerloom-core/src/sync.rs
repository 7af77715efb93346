//! Reading where resources stand on the runtime (rows P30, P42, M36).

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::reconcile::state::{SyncState, SyncStatus};
use crate::record::{RecordRow, ResourceKey};
use std::collections::BTreeMap;

impl ControlPlane {
    /// Where a resource stands on the runtime.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`].
    pub async fn sync_state(&self, caller: &Caller, key: &ResourceKey) -> Result<(SyncState, SyncStatus)> {
        let row = self.get(caller, key).await?;
        self.require(caller, Permission::SYNC_READ, row.meta.ou).await?;
        let state = self.plane.store.sync_state(caller.org, key).await?;
        let state = state.ok_or_else(|| Error::not_found("sync state", key))?;
        let status = state.status(self.plane.now());
        Ok((state, status))
    }

    /// Where those of `rows` stand that touch the runtime and whose state the caller may read; the others are left out.
    /// The rows are what the caller was given before, by [`get`](Self::get) or [`list`](Self::list).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sync_states(
        &self,
        caller: &Caller,
        rows: &[RecordRow],
    ) -> Result<BTreeMap<ResourceId, (SyncState, SyncStatus)>> {
        let mut keys = Vec::new();
        for row in rows.iter().filter(|row| row.meta.org == caller.org) {
            let touches = self.plane.kind_of(row).is_ok_and(|kind| kind.on_runtime());
            if touches && self.decide(caller, Permission::SYNC_READ, row.meta.ou).await?.is_allowed() {
                keys.push(row.key());
            }
        }
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let states = self.plane.store.sync_states(caller.org, &keys).await?;
        let now = self.plane.now();
        Ok(states.into_iter().map(|state| (state.key.id, (state.clone(), state.status(now)))).collect())
    }
}
