//! What an approval policy names must be there for it (sem. 2.8): a policy that could never match holds nothing back,
//! and an approver who could never hold their role agrees to nothing.

use crate::authz::RoleRef;
use crate::door::work::Work;
use crate::error::Result;
use crate::record::{Record, RecordRow};
use crate::resource::approval_policy::{ApprovalPolicy, Approver};

/// What changes besides the kinds of the catalogue: sessions, sealed secrets, what the audit log says.
const OTHER_KINDS: [&str; 3] = ["AuditEntry", "Secret", "Session"];

impl Work<'_> {
    /// Refuses a policy about kinds there are not, or of approvers by a role that is not usable in its scope.
    pub(crate) async fn guard_policy(&self, row: &RecordRow) -> Result<()> {
        let spec = Record::<ApprovalPolicy>::read(row)?.spec;
        for (index, kind) in spec.matches.resource_kinds.iter().enumerate() {
            if !OTHER_KINDS.contains(&kind.as_str()) {
                let within = |mut refused: crate::invalid::Invalid| {
                    refused.field = format!("spec.match.resource_kinds[{index}]");
                    refused
                };
                self.plane.catalogue.kind(kind).map_err(within)?;
            }
        }
        for (index, approver) in spec.approvers.iter().enumerate() {
            if let Approver::Role(role @ RoleRef::Custom(_)) = approver {
                self.refuse_unusable(&format!("approvers[{index}]"), role, row.meta.ou).await?;
            }
        }
        Ok(())
    }
}
