//! What a change makes dirty: the record itself, and those whose projection looks at it (rows P33, P53).

use crate::digest::Digest;
use crate::door::work::{Draft, Work};
use crate::error::Result;
use crate::record::{RecordRow, ResourceKey};
use crate::resource::kind::{ProjectError, Related};
use crate::store::{Precondition, Write};
use std::collections::BTreeMap;

impl Work<'_> {
    /// Adds the sync writes that follow from putting `changed`, and what they were computed from as conditions: who
    /// begins to follow a record while it changes is never forgotten, and no hash is kept of what was just replaced.
    pub(crate) async fn desire(&self, changed: &[RecordRow], draft: &mut Draft) -> Result<()> {
        let mut affected: Vec<RecordRow> = Vec::new();
        for row in changed {
            let kind = self.kind_of(row)?;
            if kind.on_runtime() && row.is_live() {
                affected.push(row.clone());
            }
            // Nobody refers to what has just been made.
            if kind.followed() && row.meta.version > 1 {
                let followers = self.plane.store.referrers(self.org.id, &row.key()).await?;
                let by = followers.iter().map(RecordRow::key).collect();
                draft.expect.push(Precondition::ReferredBy { target: row.key(), by });
                for follower in followers {
                    let again = changed.iter().chain(&affected).any(|other| other.key() == follower.key());
                    if !again && follower.is_live() && self.kind_of(&follower)?.on_runtime() {
                        affected.push(follower);
                    }
                }
            }
        }
        if affected.is_empty() {
            return Ok(());
        }
        let environment = self.plane.environment(&self.org).await?;
        let related = self.related(&affected, changed, draft).await?;
        for row in affected {
            let rows = row.refs.iter().filter_map(|key| related.get(key).cloned());
            let desired = match self.kind_of(&row)?.project(&row, &Related::new(rows, environment.clone())) {
                Ok(Some(projection)) => projection.desired(&row.kind)?,
                Ok(None) => continue,
                // It cannot be said yet what it should be: any hash that is not the actual one keeps it dirty.
                Err(ProjectError::NotReady { on }) => Digest::of_parts(&[b"waits for ", on.as_bytes()]),
                Err(ProjectError::Misshapen(error)) => return Err(error.into()),
            };
            if !changed.iter().any(|new| new.key() == row.key()) {
                draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
            }
            draft.write.push(Write::Desire { key: row.key(), desired });
        }
        Ok(())
    }

    /// What the affected refer to, as it will be, in one read.
    async fn related(
        &self,
        affected: &[RecordRow],
        changed: &[RecordRow],
        draft: &mut Draft,
    ) -> Result<BTreeMap<ResourceKey, RecordRow>> {
        let mut keys: Vec<ResourceKey> = affected.iter().flat_map(|row| row.refs.iter().cloned()).collect();
        keys.sort();
        keys.dedup();
        keys.retain(|key| !changed.iter().any(|new| new.key() == *key));
        let stored = self.plane.store.records(self.org.id, &keys).await?;
        for row in &stored {
            // The others look the same to whoever refers to them, whatever becomes of them.
            if self.kind_of(row)?.followed() {
                draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
            }
        }
        Ok(stored.into_iter().chain(changed.iter().cloned()).map(|row| (row.key(), row)).collect())
    }
}
