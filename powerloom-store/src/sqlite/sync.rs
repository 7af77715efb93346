//! The reconciler's bookkeeping.

use crate::sqlite::error::read_error;
use crate::sqlite::job::{Done, Job};
use crate::sqlite::records::keys_argument;
use crate::sqlite::row::{body, column};
use crate::sqlite::store::{SqliteStore, mismatch};
use async_trait::async_trait;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::OrgId;
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, SyncState};
use powerloom_core::record::ResourceKey;
use powerloom_core::store::{ClaimRequest, MAX_PAGE, Pause, Settlement, StoreResult, SyncQueue};

const SWEEP: &str = "SELECT body FROM sync WHERE in_sync = 1 AND (org, kind, id) > (?, ?, ?) \
     ORDER BY org, kind, id LIMIT ?";
const NEXT_DUE: &str = "SELECT min(max(s.due_at, coalesce(o.paused_until, s.due_at))) FROM ( \
     SELECT org, min(due_at) AS due_at FROM sync WHERE due_at IS NOT NULL GROUP BY org) s JOIN orgs o ON o.id = s.org";
const BY_KEYS: &str = "SELECT s.body FROM (SELECT DISTINCT value ->> 0 AS kind, value ->> 1 AS id FROM json_each(?)) j \
     CROSS JOIN sync s ON s.org = ? AND s.kind = j.kind AND s.id = j.id";

#[async_trait]
impl SyncQueue for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> StoreResult<Vec<SyncState>> {
        match self.write(Job::Claim(request.clone())).await? {
            Done::States(states) => Ok(states),
            other => Err(mismatch(&other)),
        }
    }

    async fn renew(&self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> StoreResult<Vec<bool>> {
        self.taken(Job::Renew { claims: claims.to_vec(), until }).await
    }

    async fn settle(
        &self,
        results: Vec<Settlement>,
        now: Timestamp,
        backoff: &Backoff,
    ) -> StoreResult<Vec<bool>> {
        self.taken(Job::Settle { results, now, backoff: *backoff }).await
    }

    async fn observe(
        &self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: Observation,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let job = Job::Observe { org, key: key.clone(), version, observation, now };
        Ok(self.taken(job).await?.contains(&true))
    }

    async fn sweep(&self, after: Option<&(OrgId, ResourceKey)>, limit: usize) -> StoreResult<Vec<SyncState>> {
        let (org, kind, id) = after
            .map(|(org, key)| (org.to_string(), key.kind.to_string(), key.id.to_string()))
            .unwrap_or_default();
        let limit = i64::try_from(limit.min(MAX_PAGE)).unwrap_or(0);
        let query = sqlx::query(SWEEP).bind(org).bind(kind).bind(id).bind(limit);
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(|row| body(row, 0)).collect()
    }

    async fn next_due(&self, _now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let row = sqlx::query(NEXT_DUE).fetch_one(&self.readers).await.map_err(read_error)?;
        Ok(column::<Option<i64>>(&row, 0)?.map(Timestamp::from_micros))
    }

    async fn sync_state(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<SyncState>> {
        let query = sqlx::query("SELECT body FROM sync WHERE org = ? AND kind = ? AND id = ?");
        let query = query.bind(org.to_string()).bind(key.kind.to_string()).bind(key.id.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| body(&row, 0)).transpose()
    }

    async fn sync_states(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<SyncState>> {
        let query = sqlx::query(BY_KEYS).bind(keys_argument(keys)?).bind(org.to_string());
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(|row| body(row, 0)).collect()
    }

    async fn pause(&self, org: OrgId, pause: Option<Pause>) -> StoreResult<()> {
        self.taken(Job::Pause { org, pause }).await?;
        Ok(())
    }
}
