//! Reads of the audit chain.

use crate::memory::state::MemoryStore;
use async_trait::async_trait;
use powerloom_core::audit::{AuditEntry, AuditHead, AuditQuery, MAX_AUDIT_LIMIT};
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::store::{AuditLog, MAX_PAGE, StoreResult};

#[async_trait]
impl AuditLog for MemoryStore {
    async fn audit_head(&self, org: OrgId) -> StoreResult<AuditHead> {
        Ok(self.tables().head(org))
    }

    async fn audit_rows(&self, org: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let tables = self.tables();
        let wanted = tables.audit.rows().iter().filter(|((of, seq), _)| *of == org && *seq > after);
        Ok(wanted.take(limit.min(MAX_PAGE)).map(|(_, entry)| entry.clone()).collect())
    }

    async fn audit_query(&self, org: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>> {
        let limit = usize::try_from(query.limit.min(MAX_AUDIT_LIMIT)).unwrap_or(MAX_PAGE);
        let tables = self.tables();
        let newest_first = tables.audit.rows().iter().rev().filter(|((of, _), _)| *of == org);
        let touches = |seq| {
            let touched = |ou: &ResourceId| tables.audit_ous.get(&(org, *ou, seq)).is_some();
            query.ous.as_ref().is_none_or(|ous| ous.iter().any(touched))
        };
        let wanted = newest_first
            .map(|(_, entry)| entry)
            .filter(|entry| query.matches(&entry.row) && touches(entry.row.seq));
        Ok(wanted.take(limit).cloned().collect())
    }
}
