//! Verifying a whole chain out of any [`AuditLog`]: the program's own store, or a third party's.

use crate::audit::{AuditHead, Break, Verified, Verifier};
use crate::id::OrgId;
use crate::store::{AuditLog, MAX_PAGE, StoreResult};

/// The chain's count and head, or the first break in it.
pub type VerifyReport = Result<Verified, Break>;

/// Reads the chain of `org` from its first row, a page at a time, and verifies it. A `trusted` head kept elsewhere also
/// shows a cut tail.
///
/// A broken chain is not an error but the answer.
///
/// # Errors
/// Those of the log.
///
/// # Cancel safety
/// Reads only.
///
/// # Examples
/// A chain kept elsewhere, such as an export somebody holds, is verified like the store's own:
/// ```
/// use async_trait::async_trait;
/// use powerloom_core::audit::{AuditEntry, AuditHead, AuditQuery};
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::id::OrgId;
/// use powerloom_core::store::{AuditLog, StoreResult};
/// use powerloom_core::verify_log::verify_log;
///
/// #[derive(Debug)]
/// struct Export(Vec<AuditEntry>);
///
/// #[async_trait]
/// impl AuditLog for Export {
///     async fn audit_head(&self, _: OrgId) -> StoreResult<AuditHead> {
///         Ok(self.0.last().map_or(AuditHead::GENESIS, AuditEntry::head))
///     }
///     async fn audit_rows(&self, _: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
///         Ok(self.0.iter().filter(|entry| entry.row.seq > after).take(limit).cloned().collect())
///     }
///     async fn audit_query(&self, _: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>> {
///         Ok(self.0.iter().rev().filter(|entry| query.matches(&entry.row)).cloned().collect())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let mut export = Export(loom.store().audit_rows(acme.id, 0, 1000).await?);
/// let trusted = export.audit_head(acme.id).await?;
/// assert!(verify_log(&export, acme.id, Some(trusted)).await?.is_ok());
///
/// export.0.pop();
/// assert!(verify_log(&export, acme.id, Some(trusted)).await?.is_err(), "a trusted head shows a cut tail");
/// # Ok(())
/// # }
/// ```
pub async fn verify_log(
    log: &dyn AuditLog,
    org: OrgId,
    trusted: Option<AuditHead>,
) -> StoreResult<VerifyReport> {
    let mut verifier = Verifier::new(org, None, trusted);
    let mut after = 0;
    loop {
        let rows = log.audit_rows(org, after, MAX_PAGE).await?;
        let Some(last) = rows.last() else { return Ok(verifier.finish()) };
        after = last.row.seq;
        for row in &rows {
            if let Err(broken) = verifier.push(row) {
                return Ok(Err(broken));
            }
        }
    }
}
