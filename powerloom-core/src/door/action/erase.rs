//! Erasing what an audit row says in detail, without breaking the chain (sem. 2.9).

use crate::audit::Change;
use crate::door::work::{Draft, Step, Work};
use crate::error::Error;
use crate::permission::Permission;
use crate::record::KindName;
use crate::store::Write;
use serde_json::json;

/// Checks and writes an `erase`. The erasure is itself on the chain.
pub(crate) async fn erase(work: &mut Work<'_>, seq: u64) -> Step<Draft> {
    let root = work.org.root_ou;
    work.about(&KindName::known("AuditEntry"), seq, "erase", root);
    work.require(Permission::ORGANIZATION_UPDATE, root)?;
    work.replay().await?;

    let rows = work.plane.store.audit_rows(work.org.id, seq.saturating_sub(1), 1).await?;
    let entry = rows.into_iter().find(|entry| entry.row.seq == seq && seq > 0);
    let entry = entry.ok_or_else(|| Error::not_found("audit entry", seq))?;
    let change = Change {
        before: json!({ "seq": seq, "verb": entry.row.verb, "erased": entry.is_erased() }),
        after: json!({ "seq": seq, "erased": true }),
        ..Change::default()
    };
    let mut draft = Draft::new(None, change);
    draft.unchanged = entry.is_erased();
    draft.write.push(Write::EraseAuditPayload(seq));
    Ok(draft)
}
