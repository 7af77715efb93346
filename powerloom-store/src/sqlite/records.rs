//! Reads of declared things.

use crate::page::page;
use crate::sqlite::error::{damaged, read_error};
use crate::sqlite::row::{body, column, parsed};
use crate::sqlite::store::SqliteStore;
use async_trait::async_trait;
use bytes::Bytes;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::SealedSecret;
use powerloom_core::store::{IdempotencyRow, MAX_PAGE, Order, OrgRow, RecordQuery, Records, StoreResult};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

const REFERRERS: &str = "SELECT r.body FROM refs f CROSS JOIN records r \
     ON r.org = f.org AND r.kind = f.kind AND r.id = f.id \
     WHERE f.org = ? AND f.target_kind = ? AND f.target_id = ? ORDER BY r.kind, r.name, r.id";
const BY_UNIQUE_KEY: &str = "SELECT r.body FROM names n CROSS JOIN records r \
     ON r.org = n.org AND r.kind = n.kind AND r.id = n.id \
     WHERE n.org = ? AND n.kind = ? AND n.unique_key = ?";
const BY_KEYS: &str = "SELECT r.body FROM (SELECT DISTINCT value ->> 0 AS kind, value ->> 1 AS id FROM json_each(?)) j \
     CROSS JOIN records r ON r.org = ? AND r.kind = j.kind AND r.id = j.id";

/// Keys as one argument.
pub(super) fn keys_argument(keys: &[ResourceKey]) -> StoreResult<String> {
    let keys: Vec<_> = keys.iter().map(|key| (&key.kind, key.id)).collect();
    serde_json::to_string(&keys).map_err(|error| damaged("a key cannot be written", error))
}

fn record(row: &SqliteRow) -> StoreResult<RecordRow> {
    body(row, 0)
}

#[async_trait]
impl Records for SqliteStore {
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>> {
        let query = sqlx::query("SELECT body FROM orgs WHERE id = ?").bind(org.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| body(&row, 0)).transpose()
    }

    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>> {
        let query = sqlx::query("SELECT body FROM orgs WHERE slug = ?").bind(slug.to_owned());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| body(&row, 0)).transpose()
    }

    async fn orgs(&self) -> StoreResult<Vec<OrgRow>> {
        let query = sqlx::query("SELECT body FROM orgs ORDER BY slug");
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(|row| body(row, 0)).collect()
    }

    async fn record(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        let query = sqlx::query("SELECT body FROM records WHERE org = ? AND kind = ? AND id = ?");
        let query = query.bind(org.to_string()).bind(key.kind.to_string()).bind(key.id.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.as_ref().map(record).transpose()
    }

    async fn records(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>> {
        let query = sqlx::query(BY_KEYS).bind(keys_argument(keys)?).bind(org.to_string());
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(record).collect()
    }

    async fn record_by_unique_key(
        &self,
        org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>> {
        let query =
            sqlx::query(BY_UNIQUE_KEY).bind(org.to_string()).bind(kind.to_string()).bind(key.to_owned());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.as_ref().map(record).transpose()
    }

    async fn list_records(&self, org: OrgId, query: &RecordQuery) -> StoreResult<Vec<RecordRow>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT body FROM records WHERE org = ");
        sql.push_bind(org.to_string());
        if let Some(kind) = &query.kind {
            sql.push(" AND kind = ").push_bind(kind.to_string());
        }
        if let Some(ou) = &query.ou {
            sql.push(" AND ou = ").push_bind(ou.to_string());
        }
        if !query.archived {
            sql.push(" AND archived = 0");
        }
        // Within one kind the index gives the order without sorting, if the cursor is compared within it too.
        let (beyond, way) = match query.order {
            Order::Ascending => (" > (", ""),
            Order::Descending => (" < (", " DESC"),
        };
        let within = query.after.as_ref().filter(|after| query.kind.as_ref() == Some(&after.kind));
        if let Some(after) = within {
            sql.push(" AND (name, id)").push(beyond).push_bind(after.name.clone());
            sql.push(", ").push_bind(after.id.to_string()).push(")");
        } else if let Some(after) = &query.after {
            sql.push(" AND (kind, name, id)").push(beyond).push_bind(after.kind.to_string());
            sql.push(", ").push_bind(after.name.clone());
            sql.push(", ").push_bind(after.id.to_string()).push(")");
        }
        let columns: &[&str] = if query.kind.is_some() { &["name", "id"] } else { &["kind", "name", "id"] };
        for (index, column) in columns.iter().enumerate() {
            sql.push(if index == 0 { " ORDER BY " } else { ", " }).push(column).push(way);
        }
        sql.push(" LIMIT ").push_bind(i64::try_from(page(query.limit)).unwrap_or(0));
        let found = sql.build().fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(record).collect()
    }

    async fn referrers(&self, org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>> {
        let query = sqlx::query(REFERRERS);
        let query = query.bind(org.to_string()).bind(target.kind.to_string()).bind(target.id.to_string());
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(record).collect()
    }

    async fn secret(&self, org: OrgId, owner: ResourceId) -> StoreResult<Option<SealedSecret>> {
        let query = sqlx::query("SELECT sealed FROM secrets WHERE org = ? AND owner = ?");
        let query = query.bind(org.to_string()).bind(owner.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| sealed(&row, 0)).transpose()
    }

    async fn secrets(
        &self,
        org: OrgId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> StoreResult<Vec<(ResourceId, SealedSecret)>> {
        let query = sqlx::query(
            "SELECT owner, sealed FROM secrets WHERE org = ? AND owner > ? ORDER BY owner LIMIT ?",
        );
        let after = after.map(|owner| owner.to_string()).unwrap_or_default();
        let query =
            query.bind(org.to_string()).bind(after).bind(i64::try_from(limit.min(MAX_PAGE)).unwrap_or(0));
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(|row| Ok((parsed(row, 0)?, sealed(row, 1)?))).collect()
    }

    async fn blob(&self, org: OrgId, digest: &Digest) -> StoreResult<Option<Bytes>> {
        let query = sqlx::query("SELECT bytes FROM blobs WHERE org = ? AND digest = ?");
        let query = query.bind(org.to_string()).bind(digest.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| Ok(column::<Vec<u8>>(&row, 0)?.into())).transpose()
    }

    async fn idempotency(
        &self,
        org: OrgId,
        key: &str,
        now: Timestamp,
    ) -> StoreResult<Option<IdempotencyRow>> {
        let query = sqlx::query("SELECT body FROM idempotency WHERE org = ? AND key = ? AND expires_at > ?");
        let query = query.bind(org.to_string()).bind(key.to_owned()).bind(now.as_micros());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| body(&row, 0)).transpose()
    }
}

/// The sealed form is kept as its own text, which is a JSON string without the quotes.
fn sealed(row: &SqliteRow, index: usize) -> StoreResult<SealedSecret> {
    serde_json::from_value(serde_json::Value::String(column(row, index)?))
        .map_err(|error| damaged("a sealed secret cannot be read", error))
}
