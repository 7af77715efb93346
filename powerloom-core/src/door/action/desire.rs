//! What a change makes dirty: the record itself, and those whose projection looks at it (rows P33, P53).

use crate::digest::Digest;
use crate::door::work::Work;
use crate::error::Result;
use crate::record::RecordRow;
use crate::resource::kind::{ProjectError, Related};
use crate::store::Write;

impl Work<'_> {
    /// The sync writes that follow from putting `changed`.
    pub(crate) async fn desire(&self, changed: &[RecordRow]) -> Result<Vec<Write>> {
        let environment = self.plane.environment(&self.org).await?;
        let mut affected: Vec<RecordRow> = Vec::new();
        for row in changed {
            let kind = self.kind_of(row)?;
            if kind.on_runtime() && row.is_live() {
                affected.push(row.clone());
            }
            if kind.followed() {
                affected.extend(self.plane.store.referrers(self.org.id, &row.key()).await?);
            }
        }
        let mut writes = Vec::new();
        for row in affected {
            let kind = self.kind_of(&row)?;
            let newer = changed.iter().any(|new| new.key() == row.key() && new != &row);
            if !kind.on_runtime() || !row.is_live() || newer {
                continue;
            }
            let mut related =
                Related::new(self.plane.store.records(self.org.id, &row.refs).await?, environment.clone());
            for new in changed {
                related.put(new.clone());
            }
            let desired = match kind.project(&row, &related) {
                Ok(Some(projection)) => projection.desired(&row.kind)?,
                Ok(None) => continue,
                // It cannot be said yet what it should be: any hash that is not the actual one keeps it dirty.
                Err(ProjectError::NotReady { on }) => Digest::of_parts(&[b"waits for ", on.as_bytes()]),
                Err(ProjectError::Misshapen(error)) => return Err(error.into()),
            };
            writes.push(Write::Desire { key: row.key(), desired });
        }
        Ok(writes)
    }
}
