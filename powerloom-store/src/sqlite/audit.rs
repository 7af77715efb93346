//! Reads of the audit chain.

use crate::sqlite::error::{damaged, read_error};
use crate::sqlite::row::{AUDIT_COLUMNS, audit_entry, hash, number};
use crate::sqlite::store::SqliteStore;
use async_trait::async_trait;
use powerloom_core::audit::{AuditEntry, AuditHead, AuditQuery, MAX_AUDIT_LIMIT};
use powerloom_core::id::OrgId;
use powerloom_core::store::{AuditLog, MAX_PAGE, StoreResult};
use sqlx::{QueryBuilder, Sqlite};

fn bound(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn audit_head(&self, org: OrgId) -> StoreResult<AuditHead> {
        let query = sqlx::query("SELECT seq, hash FROM audit_rows WHERE org = ? ORDER BY seq DESC LIMIT 1");
        match query.bind(org.to_string()).fetch_optional(&self.readers).await.map_err(read_error)? {
            Some(row) => Ok(AuditHead { seq: number(&row, 0)?, hash: hash(&row, 1)? }),
            None => Ok(AuditHead::GENESIS),
        }
    }

    async fn audit_rows(&self, org: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT ");
        sql.push(AUDIT_COLUMNS).push("WHERE a.org = ").push_bind(org.to_string());
        sql.push(" AND a.seq > ").push_bind(bound(after));
        sql.push(" ORDER BY a.seq LIMIT ").push_bind(i64::try_from(limit.min(MAX_PAGE)).unwrap_or(0));
        let found = sql.build().fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(audit_entry).collect()
    }

    async fn audit_query(&self, org: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT ");
        sql.push(AUDIT_COLUMNS).push("WHERE a.org = ").push_bind(org.to_string());
        for (column, wanted) in [
            (" AND a.actor = ", query.actor.as_deref()),
            (" AND a.verb = ", query.verb.as_deref()),
            (" AND a.resource_kind = ", query.resource_kind.as_deref()),
            (" AND a.resource_id = ", query.resource_id.as_deref()),
            (" AND a.session = ", query.session.as_deref()),
            (" AND a.approval = ", query.approval.as_deref()),
            (" AND a.decision = ", query.decision.map(|decision| decision.as_str())),
        ] {
            if let Some(wanted) = wanted {
                sql.push(column).push_bind(wanted.to_owned());
            }
        }
        for (column, wanted) in [
            (" AND a.seq >= ", query.from_seq.map(bound)),
            (" AND a.seq <= ", query.to_seq.map(bound)),
            (" AND a.ts >= ", query.from.map(|from| from.as_micros())),
            (" AND a.ts < ", query.to.map(|to| to.as_micros())),
        ] {
            if let Some(wanted) = wanted {
                sql.push(column).push_bind(wanted);
            }
        }
        if let Some(ous) = &query.ous {
            let wanted = serde_json::to_string(ous)
                .map_err(|error| damaged("the OUs of a query cannot be written", error))?;
            sql.push(" AND a.seq IN (SELECT o.seq FROM audit_ous o WHERE o.org = ")
                .push_bind(org.to_string());
            sql.push(" AND o.ou IN (SELECT j.value FROM jsonb_each(").push_bind(wanted).push(") j)");
            sql.push(" AND o.seq BETWEEN ").push_bind(query.from_seq.map_or(0, bound));
            sql.push(" AND ").push_bind(query.to_seq.map_or(i64::MAX, bound)).push(")");
        }
        sql.push(" ORDER BY a.seq DESC LIMIT ").push_bind(i64::from(query.limit.min(MAX_AUDIT_LIMIT)));
        let found = sql.build().fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(audit_entry).collect()
    }
}
