//! Commits.

use crate::memory::state::MemoryStore;
use async_trait::async_trait;
use powerloom_core::store::{Commit, Commits, Committed, StoreResult};

#[async_trait]
impl Commits for MemoryStore {
    async fn commit(&self, commit: Commit) -> StoreResult<Committed> {
        Ok(self.tables().apply(&commit)?)
    }
}
