//! The reconciler's bookkeeping.

use crate::memory::state::MemoryStore;
use crate::tables::{due_at, is_in_sync};
use async_trait::async_trait;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::OrgId;
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, SyncState};
use powerloom_core::record::ResourceKey;
use powerloom_core::store::{ClaimRequest, MAX_PAGE, Pause, Settlement, StoreResult, SyncQueue};

#[async_trait]
impl SyncQueue for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> StoreResult<Vec<SyncState>> {
        Ok(self.tables().claim(request))
    }

    async fn renew(&self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> StoreResult<Vec<bool>> {
        Ok(self.tables().renew(claims, until))
    }

    async fn settle(
        &self,
        results: Vec<Settlement>,
        now: Timestamp,
        backoff: &Backoff,
    ) -> StoreResult<Vec<bool>> {
        Ok(self.tables().settle(&results, now, backoff))
    }

    async fn observe(
        &self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: Observation,
        now: Timestamp,
    ) -> StoreResult<bool> {
        Ok(self.tables().observe(org, key, version, &observation, now))
    }

    async fn sweep(&self, after: Option<&(OrgId, ResourceKey)>, limit: usize) -> StoreResult<Vec<SyncState>> {
        let tables = self.tables();
        let rest = tables.sync.rows().iter().filter(|(key, _)| after.is_none_or(|after| *key > after));
        Ok(rest
            .map(|(_, state)| state)
            .filter(|state| is_in_sync(state))
            .take(limit.min(MAX_PAGE))
            .cloned()
            .collect())
    }

    async fn next_due(&self, _now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let tables = self.tables();
        let moments = tables.sync.rows().iter().filter_map(|((org, _), state)| {
            let paused = tables.orgs.get(org).and_then(|row| row.paused.as_ref()).map(|pause| pause.until);
            let due = due_at(state)?;
            Some(paused.map_or(due, |until| until.max(due)))
        });
        Ok(moments.min())
    }

    async fn sync_state(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<SyncState>> {
        Ok(self.tables().sync.get(&(org, key.clone())).cloned())
    }

    async fn sync_states(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<SyncState>> {
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        let tables = self.tables();
        Ok(keys.into_iter().filter_map(|key| tables.sync.get(&(org, key)).cloned()).collect())
    }

    async fn pause(&self, org: OrgId, pause: Option<Pause>) -> StoreResult<()> {
        Ok(self.tables().pause(org, pause.as_ref())?)
    }
}
