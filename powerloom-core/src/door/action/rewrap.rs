//! Bringing sealed secrets under the present master key after a rotation (sem. 2.6): only the wrapped keys change.

use crate::audit::Change;
use crate::door::work::{Draft, Step, Work};
use crate::permission::Permission;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::credential::Credential;
use crate::secret::SealContext;
use crate::store::{MAX_PAGE, Precondition, Write};
use serde_json::json;

/// How many secrets one pass brings under the present key.
const BATCH: usize = 100;

/// Checks and writes a `rewrap`: at most [`BATCH`] secrets. Nothing left to do is unchanged, so a caller goes on until
/// then; killed in between, it goes on where it was.
pub(crate) async fn rewrap(work: &mut Work<'_>) -> Step<Draft> {
    let root = work.org.root_ou;
    work.about(&KindName::known("Secret"), work.org.id, "rewrap", root);
    work.require(Permission::ORGANIZATION_UPDATE, root)?;
    work.replay().await?;

    let sealer = work.plane.sealer()?;
    let current = sealer.current_key_id().await?;
    let mut draft = Draft::new(None, Change::default());
    let mut after = None;
    while draft.write.len() < BATCH {
        let page = work.plane.store.secrets(work.org.id, after, MAX_PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        let old = page.into_iter().filter(|(_, sealed)| *sealed.key_id() != current);
        for (owner, sealed) in old.take(BATCH - draft.write.len()) {
            let row = work.row(&ResourceKey::of::<Credential>(owner)).await?;
            let (kind, id) = (Credential::KIND, owner.to_string());
            let context = SealContext { org: work.org.id, kind: kind.as_str(), row: &id };
            let sealed = sealer.rewrap(&context, &sealed).await?;
            // A bearer that is rotated meanwhile raises the version: it is never overwritten by the old one.
            draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
            draft.write.push(Write::PutSecret { owner, sealed });
        }
    }
    draft.unchanged = draft.write.is_empty();
    draft.change.after = json!({ "secrets": draft.write.len(), "key_id": current.as_str() });
    Ok(draft)
}
