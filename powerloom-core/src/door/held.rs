//! A change that waits: what is committed in its place.

use crate::approval::notifier::ApprovalNotice;
use crate::audit::AuditDraft;
use crate::store::{Precondition, Write};

/// What is committed instead of a change that is held back.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The request, `req_…`.
    pub(crate) request_id: String,
    pub(crate) expect: Vec<Precondition>,
    pub(crate) write: Vec<Write>,
    pub(crate) audit: Vec<AuditDraft>,
    pub(crate) notices: Vec<ApprovalNotice>,
}
