//! Reads of declared things.

use crate::memory::state::MemoryStore;
use crate::page::page;
use async_trait::async_trait;
use bytes::Bytes;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::record::{KindName, RecordRow, ResourceKey, Stage};
use powerloom_core::secret::SealedSecret;
use powerloom_core::store::{
    IdempotencyRow, MAX_PAGE, Order, OrgRow, RecordCursor, RecordQuery, Records, StoreResult,
};

fn place(row: &RecordRow) -> (&KindName, &str, ResourceId) {
    (&row.kind, &row.meta.name, row.meta.id)
}

#[async_trait]
impl Records for MemoryStore {
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>> {
        Ok(self.tables().orgs.get(&org).cloned())
    }

    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>> {
        Ok(self.tables().orgs.rows().values().find(|row| row.slug == slug).cloned())
    }

    async fn orgs(&self) -> StoreResult<Vec<OrgRow>> {
        let mut rows: Vec<OrgRow> = self.tables().orgs.rows().values().cloned().collect();
        rows.sort_by(|a, b| a.slug.cmp(&b.slug));
        Ok(rows)
    }

    async fn record(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        Ok(self.tables().records.get(&(org, key.clone())).cloned())
    }

    async fn records(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>> {
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        let tables = self.tables();
        Ok(keys.into_iter().filter_map(|key| tables.records.get(&(org, key)).cloned()).collect())
    }

    async fn record_by_unique_key(
        &self,
        org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>> {
        let tables = self.tables();
        let holder = tables.names.get(&(org, kind.clone(), key.to_owned())).copied();
        Ok(holder.and_then(|id| tables.records.get(&(org, ResourceKey { kind: kind.clone(), id })).cloned()))
    }

    async fn list_records(&self, org: OrgId, query: &RecordQuery) -> StoreResult<Vec<RecordRow>> {
        let beyond = |row: &RecordRow, after: &RecordCursor| {
            let (here, there) = (place(row), (&after.kind, after.name.as_str(), after.id));
            if query.order == Order::Ascending { here > there } else { here < there }
        };
        let wanted = |row: &&RecordRow| {
            query.kind.as_ref().is_none_or(|kind| row.kind == *kind)
                && query.ou.is_none_or(|ou| row.meta.ou == ou)
                && (query.archived || row.meta.stage != Stage::Archived)
                && query.after.as_ref().is_none_or(|after| beyond(row, after))
        };
        let tables = self.tables();
        let of_org = tables.records.rows().iter().filter(|((of, _), _)| *of == org);
        let mut rows: Vec<&RecordRow> = of_org.map(|(_, row)| row).filter(wanted).collect();
        rows.sort_by(|a, b| place(a).cmp(&place(b)));
        if query.order == Order::Descending {
            rows.reverse();
        }
        Ok(rows.into_iter().take(page(query.limit)).cloned().collect())
    }

    async fn referrers(&self, org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>> {
        let refers = |row: &&RecordRow| row.refs.contains(target) && row.meta.stage != Stage::Archived;
        let tables = self.tables();
        let of_org = tables.records.rows().iter().filter(|((of, _), _)| *of == org);
        let mut rows: Vec<RecordRow> = of_org.map(|(_, row)| row).filter(refers).cloned().collect();
        rows.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok(rows)
    }

    async fn secret(&self, org: OrgId, owner: ResourceId) -> StoreResult<Option<SealedSecret>> {
        Ok(self.tables().secrets.get(&(org, owner)).cloned())
    }

    async fn secrets(
        &self,
        org: OrgId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> StoreResult<Vec<(ResourceId, SealedSecret)>> {
        let tables = self.tables();
        let wanted =
            tables.secrets.rows().iter().filter(|((of, owner), _)| *of == org && Some(*owner) > after);
        Ok(wanted.take(limit.min(MAX_PAGE)).map(|((_, owner), sealed)| (*owner, sealed.clone())).collect())
    }

    async fn blob(&self, org: OrgId, digest: &Digest) -> StoreResult<Option<Bytes>> {
        Ok(self.tables().blobs.get(&(org, *digest)).cloned())
    }

    async fn idempotency(
        &self,
        org: OrgId,
        key: &str,
        now: Timestamp,
    ) -> StoreResult<Option<IdempotencyRow>> {
        let row = self.tables().idempotency.get(&(org, key.to_owned())).cloned();
        Ok(row.filter(|row| now < row.expires_at))
    }
}
