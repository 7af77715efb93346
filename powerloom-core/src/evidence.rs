//! What the audit trail shows a caller: entries by query, exports, and proofs about them.

mod export;
mod proofs;

pub use export::{AuditExport, ExportScope};

use crate::audit::{AuditEntry, AuditQuery};
use crate::authz::AuthzSnapshot;
use crate::control_plane::ControlPlane;
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::permission::Permission;
use std::collections::BTreeSet;

impl ControlPlane {
    /// The newest audit entries that match, newest first.
    ///
    /// With `audit:read` at the root everything is shown. Whoever holds it at an OU only asks for that OU or one below
    /// it: shown is what touches an OU they may read, and of an entry that is governed elsewhere (it merely uses
    /// something of theirs) the payload is withheld, as if it were erased. Archived OUs are in no subtree any more.
    ///
    /// # Errors
    /// [`Error::Denied`] without `audit:read` at the query's OU, or at the root where it has
    /// none; [`Error::Invalid`] for a query out of bounds.
    ///
    /// # Examples
    /// ```
    /// # use powerloom_core::{audit::AuditQuery, control_plane::ControlPlane, door::mutation::Action};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// # let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// # let admin = acme.admin_caller();
    /// let create = Action::create("OU".parse()?, acme.root_ou, &"engineering".parse()?, serde_json::Map::new());
    /// let engineering = cp.submit(&admin, create).await?.record().map(|ou| ou.meta.id);
    /// let query = AuditQuery { ou: engineering, ..AuditQuery::default() };
    /// assert!(cp.audit(&admin, &query).await?.is_empty(), "the OU was made in the root, and nothing in it yet");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn audit(&self, caller: &Caller, query: &AuditQuery) -> Result<Vec<AuditEntry>> {
        query.validate()?;
        let root = self.plane.org(caller.org).await?.root_ou;
        let Some(ou) = query.ou else {
            self.require(caller, Permission::AUDIT_READ, root).await?;
            return Ok(self.plane.store.audit_query(caller.org, query).await?);
        };
        let everything = self.decide(caller, Permission::AUDIT_READ, root).await?.is_allowed();
        if !everything {
            self.require(caller, Permission::AUDIT_READ, ou).await?;
        }
        let snapshot = self.authz(caller.org).await?;
        let at = self.plane.now();
        let may = |ou: &ResourceId| {
            let request = AccessRequest { caller, permission: Permission::AUDIT_READ, ou: *ou, at };
            everything || self.plane.decide(&snapshot, &request).is_allowed()
        };
        let readable: BTreeSet<ResourceId> =
            subtree(&snapshot, ou, query.depth).into_iter().filter(may).collect();
        let mut query = query.clone();
        let shown = match query.ous.take() {
            Some(narrower) => narrower.intersection(&readable).copied().collect(),
            None => readable,
        };
        query.ous = Some(shown);
        let mut entries = self.plane.store.audit_query(caller.org, &query).await?;
        for entry in &mut entries {
            if !everything && !governed_by(entry).as_ref().is_some_and(may) {
                entry.erase();
            }
        }
        Ok(entries)
    }

    /// One audit entry, by its place in the chain. With `ou`, as [`audit`](Self::audit) shows it to whoever asks for that OU.
    ///
    /// # Errors
    /// As [`audit`](Self::audit); [`Error::NotFound`] if there is no such entry, or none that touches that OU.
    pub async fn audit_entry(&self, caller: &Caller, seq: u64, ou: Option<ResourceId>) -> Result<AuditEntry> {
        let query =
            AuditQuery { ou, from_seq: Some(seq), to_seq: Some(seq), limit: 1, ..AuditQuery::default() };
        let found = self.audit(caller, &query).await?.into_iter().next();
        found.ok_or_else(|| Error::not_found("audit entry", seq))
    }
}

/// An OU and what is at most `depth` below it.
fn subtree(snapshot: &AuthzSnapshot, ou: ResourceId, depth: Option<u32>) -> Vec<ResourceId> {
    let level = |ou| snapshot.ou_path(ou).map_or(0, crate::ou_path::OuPath::depth);
    let most = depth.map_or(usize::MAX, |depth| level(ou).saturating_add(depth as usize));
    snapshot.subtree(ou).filter(|ou| level(*ou) <= most).collect()
}

/// The OU that governs what the entry is about: the first of those its payload names.
fn governed_by(entry: &AuditEntry) -> Option<ResourceId> {
    entry.change()?.get("ous")?.get(0)?.as_str()?.parse().ok()
}
