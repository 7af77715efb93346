//! A store that shows some records as they would be, and can write nothing: what a rehearsal runs on.

#![deny(clippy::missing_trait_methods)]

use crate::audit::{AuditEntry, AuditHead, AuditQuery};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, SyncState};
use crate::record::{KindName, RecordRow, ResourceKey, Stage};
use crate::secret::SealedSecret;
use crate::session::event::{EventSeq, SessionEvent};
use crate::session::record::SessionRecord;
use crate::session::ticket::TicketRow;
use crate::store::{
    AuditLog, ClaimRequest, Commit, Commits, Committed, EventLog, IdempotencyRow, MAX_PAGE, OrgRow, Pause,
    RecordCursor, RecordQuery, Records, SessionQuery, SessionQueue, Settlement, Store, StoreError,
    StoreResult, SyncQueue,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The records of one organization, some of them as they would be.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    inner: Arc<dyn Store>,
    org: OrgId,
    rows: BTreeMap<ResourceKey, RecordRow>,
    /// How often the authorization epoch would have been raised.
    raised: u64,
}

impl Overlay {
    pub(super) fn new(inner: Arc<dyn Store>, org: OrgId) -> Self {
        Self { inner, org, rows: BTreeMap::new(), raised: 0 }
    }

    /// Shows `row` from now on.
    pub(super) fn put(&mut self, row: RecordRow) {
        self.rows.insert(row.key(), row);
    }

    /// A record that is shown as it would be.
    pub(super) fn shown(&self, key: &ResourceKey) -> Option<&RecordRow> {
        self.rows.get(key)
    }

    /// The authorization data are to look changed.
    pub(super) fn raise(&mut self) {
        self.raised += 1;
    }

    fn of(&self, org: OrgId) -> impl Iterator<Item = &RecordRow> {
        self.rows.values().filter(move |_| org == self.org)
    }

    fn raised(&self, row: OrgRow) -> OrgRow {
        let more = if row.id == self.org { self.raised } else { 0 };
        OrgRow { authz_epoch: row.authz_epoch.saturating_add(more), ..row }
    }
}

fn cursor(row: &RecordRow) -> RecordCursor {
    RecordCursor { kind: row.kind.clone(), name: row.meta.name.clone(), id: row.meta.id }
}

/// Whether `row` comes after `cursor` in a list.
fn is_after(row: &RecordRow, cursor: &RecordCursor) -> bool {
    (&row.kind, &row.meta.name, row.meta.id) > (&cursor.kind, &cursor.name, cursor.id)
}

fn refused() -> StoreError {
    StoreError::Unavailable {
        message: "a rehearsal writes nothing".to_owned(),
        maybe_applied: false,
        source: None,
    }
}

#[async_trait]
impl Commits for Overlay {
    async fn commit(&self, _: Commit) -> StoreResult<Committed> {
        Err(refused())
    }
}

#[async_trait]
impl Records for Overlay {
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>> {
        Ok(self.inner.org(org).await?.map(|row| self.raised(row)))
    }

    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>> {
        Ok(self.inner.org_by_slug(slug).await?.map(|row| self.raised(row)))
    }

    async fn orgs(&self) -> StoreResult<Vec<OrgRow>> {
        Ok(self.inner.orgs().await?.into_iter().map(|row| self.raised(row)).collect())
    }

    async fn record(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        match self.rows.get(key).filter(|_| org == self.org) {
            Some(row) => Ok(Some(row.clone())),
            None => self.inner.record(org, key).await,
        }
    }

    async fn records(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>> {
        let mut found = self.inner.records(org, keys).await?;
        found.retain(|row| org != self.org || !self.rows.contains_key(&row.key()));
        found.extend(self.of(org).filter(|row| keys.contains(&row.key())).cloned());
        Ok(found)
    }

    async fn record_by_unique_key(
        &self,
        org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>> {
        let ours = self
            .of(org)
            .find(|row| row.kind == *kind && row.unique_key == key && row.meta.stage != Stage::Archived);
        if let Some(row) = ours {
            return Ok(Some(row.clone()));
        }
        let stored = self.inner.record_by_unique_key(org, kind, key).await?;
        Ok(stored.filter(|row| org != self.org || !self.rows.contains_key(&row.key())))
    }

    async fn list_records(&self, org: OrgId, query: &RecordQuery) -> StoreResult<Vec<RecordRow>> {
        let limit = if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) };
        let mut query = query.clone();
        loop {
            let stored = self.inner.list_records(org, &query).await?;
            // Beyond a full page more may be stored: only what comes up to its end can be put in order with it.
            let end = stored.last().filter(|_| stored.len() >= limit).map(cursor);
            let shown = self.of(org).filter(|row| {
                query.kind.as_ref().is_none_or(|kind| *kind == row.kind)
                    && query.ou.is_none_or(|ou| ou == row.meta.ou)
                    && (query.archived || row.meta.stage != Stage::Archived)
                    && query.after.as_ref().is_none_or(|after| is_after(row, after))
                    && end.as_ref().is_none_or(|end| !is_after(row, end))
            });
            let mut page: Vec<RecordRow> = stored
                .iter()
                .filter(|row| org != self.org || !self.rows.contains_key(&row.key()))
                .chain(shown)
                .cloned()
                .collect();
            page.sort_by(|a, b| (&a.kind, &a.meta.name, a.meta.id).cmp(&(&b.kind, &b.meta.name, b.meta.id)));
            page.truncate(limit);
            if page.is_empty() && end.is_some() {
                query.after = end;
                continue;
            }
            return Ok(page);
        }
    }

    async fn referrers(&self, org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>> {
        let mut found = self.inner.referrers(org, target).await?;
        found.retain(|row| org != self.org || !self.rows.contains_key(&row.key()));
        let ours = self.of(org).filter(|row| row.meta.stage != Stage::Archived && row.refs.contains(target));
        found.extend(ours.cloned());
        found.sort_by(|a, b| (&a.kind, &a.meta.name, a.meta.id).cmp(&(&b.kind, &b.meta.name, b.meta.id)));
        Ok(found)
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
impl AuditLog for Overlay {
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
impl SyncQueue for Overlay {
    async fn claim(&self, _: &ClaimRequest) -> StoreResult<Vec<SyncState>> {
        Err(refused())
    }

    async fn renew(&self, _: &[(OrgId, ResourceKey, u64)], _: Timestamp) -> StoreResult<Vec<bool>> {
        Err(refused())
    }

    async fn settle(&self, _: Vec<Settlement>, _: Timestamp, _: &Backoff) -> StoreResult<Vec<bool>> {
        Err(refused())
    }

    async fn observe(
        &self,
        _: OrgId,
        _: &ResourceKey,
        _: u64,
        _: Observation,
        _: Timestamp,
    ) -> StoreResult<bool> {
        Err(refused())
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

    async fn pause(&self, _: OrgId, _: Option<Pause>) -> StoreResult<()> {
        Err(refused())
    }
}

#[async_trait]
impl EventLog for Overlay {
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
impl SessionQueue for Overlay {
    async fn claim_sessions(&self, _: &ClaimRequest) -> StoreResult<Vec<SessionRecord>> {
        Err(refused())
    }

    async fn renew_session(&self, _: OrgId, _: SessionId, _: u64, _: Timestamp) -> StoreResult<bool> {
        Err(refused())
    }

    async fn release_session(&self, _: OrgId, _: SessionId, _: u64) -> StoreResult<bool> {
        Err(refused())
    }

    async fn ticket(&self, digest: &Digest) -> StoreResult<Option<TicketRow>> {
        self.inner.ticket(digest).await
    }
}
