//! The approval gate: what may hold a change back until somebody agrees (sem. 2.8).

use crate::audit::AuditDraft;
use crate::door::caller::Caller;
use crate::door::mutation::Mutation;
use crate::error::Result;
use crate::id::ResourceId;
use crate::record::{KindName, RecordRow};
use crate::store::Write;
use async_trait::async_trait;
use serde_json::Value;
use std::fmt;

/// A change that is valid and permitted, about to be made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Proposal<'a> {
    /// Who wants it.
    pub caller: &'a Caller,
    /// The change itself: what would be parked and replayed.
    pub mutation: &'a Mutation,
    /// The kind of what it is about.
    pub kind: &'a KindName,
    /// The verb, such as `agent.create`.
    pub verb: &'a str,
    /// The OUs it touches; policies at any of them or above apply.
    pub ous: &'a [ResourceId],
    /// What the audit row will say of it before: of an update, the fields that change.
    pub before: &'a Value,
    /// What the audit row will say of it after.
    pub after: &'a Value,
    /// The whole record as it would be: conditions are judged on this. `None` where it is about none, such as a session.
    pub record: Option<&'a RecordRow>,
    /// Why the caller wants it, in their own words.
    pub justification: Option<&'a str>,
}

/// What the gate says. A closed set: an unknown answer must never let a change through.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a new verdict must break the door")]
pub enum Verdict {
    /// Nothing stands in the way.
    Open,
    /// Somebody must agree first.
    Hold(Hold),
}

/// A parked change: written in one commit instead of the change itself.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data between the gate and the door")]
pub struct Hold {
    /// The request, `req_…` (row M34).
    pub request_id: String,
    /// The rows that keep it.
    pub write: Vec<Write>,
    /// What the audit chain says about it (row P101).
    pub audit: Vec<AuditDraft>,
}

/// Decides whether a valid and permitted change is made now or waits.
///
/// # Guarantees every implementation gives
/// 1. **After authorization**: it is asked only about changes the caller may make; it can hold back, never permit.
/// 2. **Closed on failure**: an error refuses the change; it never lets it through.
/// 3. **Pure**: judging writes nothing. What a hold needs is in the [`Hold`], and the door commits it.
///
/// # Examples
/// No role is archived without a reason given:
/// ```
/// use async_trait::async_trait;
/// use powerloom_core::door::gate::{Gate, Proposal, Verdict};
/// use powerloom_core::error::Result;
/// use powerloom_core::invalid::Invalid;
///
/// #[derive(Debug)]
/// struct Reasons;
///
/// #[async_trait]
/// impl Gate for Reasons {
///     async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict> {
///         if proposal.verb == "role.archive" && proposal.justification.is_none() {
///             return Err(Invalid::hidden("justification", "why the role is not needed any more").into());
///         }
///         Ok(Verdict::Open)
///     }
/// }
/// ```
#[async_trait]
pub trait Gate: fmt::Debug + Send + Sync + 'static {
    /// Judges one change.
    ///
    /// # Errors
    /// Any error refuses the change.
    async fn judge(&self, proposal: &Proposal<'_>) -> Result<Verdict>;
}

/// The gate of an organization without approval policies.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPolicy;

#[async_trait]
impl Gate for NoPolicy {
    async fn judge(&self, _proposal: &Proposal<'_>) -> Result<Verdict> {
        Ok(Verdict::Open)
    }
}
