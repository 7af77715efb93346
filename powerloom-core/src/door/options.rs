//! How a change is submitted: an idempotency key, a reason, and the two ways past a wait.

use crate::approval::ApprovalId;
use crate::error::Result;
use crate::id::ResourceId;
use crate::invalid::{Invalid, is_plain};

/// How a change is submitted.
///
/// # Examples
/// ```
/// use powerloom_core::door::submit::SubmitOptions;
///
/// // Safe to send again, with a reason for the audit trail.
/// let careful = SubmitOptions::default().idempotency_key("deploy-42").justification("the review team asked for it");
/// // At once, past the policies that would hold it back; somebody will have to answer for it.
/// let urgent = SubmitOptions::default().break_glass().justification("it leaks customer names");
/// assert!(urgent.break_glass && !careful.break_glass);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// The same key with the same change is answered once (sem. 2.14): 1 to 255 visible ASCII characters.
    pub idempotency_key: Option<String>,
    /// Why, in the caller's own words: 1 to 2000 characters, no control characters but tabs and line breaks.
    pub justification: Option<String>,
    /// Make a change at once that policies would hold back (needs `approval:break_glass` and a justification): a review is
    /// opened, and until it is decided no other change in the same OU can be made so. Without effect on a change that
    /// nothing holds back.
    pub break_glass: bool,
    /// The change is a step of this approved plan: whom the plan has asked is not asked again. Each step is applied once,
    /// by whoever asked for the plan, within [`Limits::plan_validity`](crate::limits::Limits::plan_validity).
    pub under: Option<ApprovalId>,
    /// Only if what it is about belongs to this resource, as its kind's first reference says: a membership to its group.
    /// Otherwise it is `not_found`, but only for whoever may make the change.
    pub belonging_to: Option<ResourceId>,
}

impl SubmitOptions {
    /// Answers the same key with the same change once.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Says why.
    #[must_use]
    pub fn justification(mut self, why: impl Into<String>) -> Self {
        self.justification = Some(why.into());
        self
    }

    /// Makes the change at once, and lets people judge it afterwards.
    #[must_use]
    pub const fn break_glass(mut self) -> Self {
        self.break_glass = true;
        self
    }

    /// Makes the change as a step of this approved plan.
    #[must_use]
    pub const fn under(mut self, plan: ApprovalId) -> Self {
        self.under = Some(plan);
        self
    }

    /// Makes the change only if what it is about belongs to this resource.
    #[must_use]
    pub const fn belonging_to(mut self, owner: ResourceId) -> Self {
        self.belonging_to = Some(owner);
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if let Some(key) = &self.idempotency_key
            && (key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Invalid::new("idempotency_key", key, "1 to 255 visible ASCII characters").into());
        }
        if let Some(why) = &self.justification {
            let length = why.chars().count();
            if why.trim().is_empty() || length > MAX_JUSTIFICATION || !is_plain(why) {
                let allowed = format!("1 to {MAX_JUSTIFICATION} characters, none of them for control");
                return Err(Invalid::new("justification", format!("{length} characters"), allowed).into());
            }
        }
        Ok(())
    }
}

/// Longest justification, in characters.
const MAX_JUSTIFICATION: usize = 2000;
