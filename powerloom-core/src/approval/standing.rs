//! How the votes on a request stand, for those who look at it.

use crate::approval::electorate::entitled;
use crate::approval::inbox::Approvals;
use crate::approval::request::{ApprovalRequest, ApprovalState, Requirement, Vote};
use crate::approval::tally::{Count, count};
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::error::Result;
use crate::permission::Permission;
use crate::record::Record;

impl Approvals<'_> {
    /// Counts the votes on each requirement of a request, in their order.
    ///
    /// While it waits, a vote counts only if its voter may still cast it, as when the next vote is counted; once it is
    /// decided, all votes that stood then count.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn counts(&self, request: &Record<ApprovalRequest>) -> Result<Vec<Count>> {
        let plane = &self.loom.plane;
        let (snapshot, now) = (self.loom.authz(request.meta.org).await?, plane.now());
        let waits = request.status.state == ApprovalState::Pending;
        let stands = |need: &Requirement, vote: &Vote| {
            let voter = Caller::user(request.meta.org, vote.voter);
            let (permission, ou) = (Permission::APPROVAL_DECIDE, need.ou);
            let decides = AccessRequest { caller: &voter, permission, ou, at: now };
            vote.payload_hash == request.spec.payload_hash
                && plane.decide(&snapshot, &decides).is_allowed()
                && entitled(&snapshot, request, need, vote.voter, now).is_ok()
        };
        let counts = request.spec.requirements.iter().map(|need| {
            let votes = &request.status.votes;
            if waits { count(need, votes, |vote| stands(need, vote)) } else { count(need, votes, |_| true) }
        });
        Ok(counts.collect())
    }
}
