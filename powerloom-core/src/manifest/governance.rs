//! What a step of a plan will meet with at the door: permissions, approvals, and what it moves on the runtime.
//!
//! It is what would happen if the step were submitted when the plan was made. Everything is judged anew when it is.

use crate::manifest::target::Target;
use crate::permission::Permission;
use crate::resource::approval_policy::PolicyMode;
use serde::{Deserialize, Serialize};

/// What one step will meet with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanGovernance))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Governance {
    /// It is a guess: the step refers to something that does not exist yet, so it was not rehearsed at the door but
    /// judged by permissions and policies at the nearest OU that exists. What giving permissions away needs is not in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_forecast: bool,
    /// Whether the door lets it through.
    pub ruling: Ruling,
    /// The approval policies that apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Ask>,
    /// What will be something else on the runtime: itself, and those that follow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirty: Vec<Target>,
    /// How many more of these the caller may not read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: usize,
}

/// Whether the door lets a change through, before any approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanRuling))]
#[serde(tag = "ruling", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "a new ruling must not pass for an allowance")]
pub enum Ruling {
    /// It does.
    Allowed,
    /// A permission is missing (row M33).
    Denied {
        /// Which.
        permission: Permission,
        /// At which OU: its path.
        ou: String,
        /// The whole text, with who could help.
        message: String,
    },
    /// Something else stands in the way.
    Refused {
        /// The stable code of the error.
        code: String,
        /// The error's text.
        message: String,
    },
}

/// An approval policy that applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanAsk))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Ask {
    /// Its name.
    pub policy: String,
    /// The path of the OU it stands at.
    pub ou: String,
    /// What it demands.
    pub mode: PolicyMode,
    /// Who may approve, in the written form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many different people must, if the mode demands approval.
    pub quorum: u32,
}

impl Governance {
    /// Allowed, asks nobody, moves nothing.
    pub(crate) const fn clear() -> Self {
        Self { is_forecast: false, ruling: Ruling::Allowed, asks: Vec::new(), dirty: Vec::new(), hidden: 0 }
    }

    /// Whether nothing stands in the way and nobody is asked.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.ruling == Ruling::Allowed && self.asks.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}
