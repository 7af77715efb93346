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
