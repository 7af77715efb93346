//! A store that does not heed the authorization epoch: what would happen without that precondition.

use async_trait::async_trait;
use bytes::Bytes;
use powerloom_core::audit::{AuditEntry, AuditHead, AuditQuery};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, SyncState};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::SealedSecret;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::{
    AuditLog, ClaimRequest, Commit, Commits, Committed, EventLog, IdempotencyRow, OrgRow, Pause,
    Precondition, RecordQuery, Records, SessionQuery, SessionQueue, Settlement, Store, StoreResult,
    SyncQueue,
};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Heedless {
    pub(crate) inner: Arc<dyn Store>,
}

#[async_trait]
impl Commits for Heedless {
    async fn commit(&self, mut commit: Commit) -> StoreResult<Committed> {
        commit.expect.retain(|expect| !matches!(expect, Precondition::AuthzEpoch(_)));
        self.inner.commit(commit).await
    }
}

#[async_trait]
impl Records for Heedless {
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>> {
        self.inner.org(org).await
    }
    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>> {
        self.inner.org_by_slug(slug).await
    }
    async fn orgs(&self) -> StoreResult<Vec<OrgRow>> {
        self.inner.orgs().await
    }
    async fn record(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        self.inner.record(org, key).await
    }
    async fn records(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>> {
        self.inner.records(org, keys).await
    }
    async fn record_by_unique_key(
        &self,
        org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>> {
        self.inner.record_by_unique_key(org, kind, key).await
    }
    async fn list_records(&self, org: OrgId, query: &RecordQuery) -> StoreResult<Vec<RecordRow>> {
        self.inner.list_records(org, query).await
    }
    async fn referrers(&self, org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>> {
        self.inner.referrers(org, target).await
    }
    async fn secret(&self, org: OrgId, owner: ResourceId) -> StoreResult<Option<SealedSecret>> {
        self.inner.secret(org, owner).await
    }
    async fn secrets(
        &self,
        org: OrgId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> StoreResult<Vec<(ResourceId, SealedSecret)>> {
        self.inner.secrets(org, after, limit).await
    }
    async fn blob(&self, org: OrgId, digest: &Digest) -> StoreResult<Option<Bytes>> {
        self.inner.blob(org, digest).await
    }
    async fn idempotency(
        &self,
        org: OrgId,
        key: &str,
        now: Timestamp,
    ) -> StoreResult<Option<IdempotencyRow>> {
        self.inner.idempotency(org, key, now).await
    }
}

#[async_trait]
impl AuditLog for Heedless {
    async fn audit_head(&self, org: OrgId) -> StoreResult<AuditHead> {
        self.inner.audit_head(org).await
    }
    async fn audit_rows(&self, org: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        self.inner.audit_rows(org, after, limit).await
    }
    async fn audit_query(&self, org: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>> {
        self.inner.audit_query(org, query).await
    }
}

#[async_trait]
impl SyncQueue for Heedless {
    async fn claim(&self, request: &ClaimRequest) -> StoreResult<Vec<SyncState>> {
        self.inner.claim(request).await
    }
    async fn renew(&self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> StoreResult<Vec<bool>> {
        self.inner.renew(claims, until).await
    }
    async fn settle(
        &self,
        results: Vec<Settlement>,
        now: Timestamp,
        backoff: &Backoff,
    ) -> StoreResult<Vec<bool>> {
        self.inner.settle(results, now, backoff).await
    }
    async fn observe(
        &self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: Observation,
        now: Timestamp,
    ) -> StoreResult<bool> {
        self.inner.observe(org, key, version, observation, now).await
    }
    async fn sweep(&self, after: Option<&(OrgId, ResourceKey)>, limit: usize) -> StoreResult<Vec<SyncState>> {
        self.inner.sweep(after, limit).await
    }
    async fn next_due(&self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        self.inner.next_due(now).await
    }
    async fn sync_state(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<SyncState>> {
        self.inner.sync_state(org, key).await
    }
    async fn sync_states(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<SyncState>> {
        self.inner.sync_states(org, keys).await
    }
    async fn pause(&self, org: OrgId, pause: Option<Pause>) -> StoreResult<()> {
        self.inner.pause(org, pause).await
    }
}

#[async_trait]
impl EventLog for Heedless {
    async fn session(&self, org: OrgId, id: SessionId) -> StoreResult<Option<SessionRecord>> {
        self.inner.session(org, id).await
    }
    async fn sessions(&self, org: OrgId, query: &SessionQuery) -> StoreResult<Vec<SessionRecord>> {
        self.inner.sessions(org, query).await
    }
    async fn events(
        &self,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>> {
        self.inner.events(org, session, after, limit).await
    }
}

#[async_trait]
impl SessionQueue for Heedless {
    async fn claim_sessions(&self, request: &ClaimRequest) -> StoreResult<Vec<SessionRecord>> {
        self.inner.claim_sessions(request).await
    }
    async fn renew_session(
        &self,
        org: OrgId,
        id: SessionId,
        fence: u64,
        until: Timestamp,
    ) -> StoreResult<bool> {
        self.inner.renew_session(org, id, fence, until).await
    }
    async fn release_session(&self, org: OrgId, id: SessionId, fence: u64) -> StoreResult<bool> {
        self.inner.release_session(org, id, fence).await
    }
    async fn ticket(&self, digest: &Digest) -> StoreResult<Option<TicketRow>> {
        self.inner.ticket(digest).await
    }
}
