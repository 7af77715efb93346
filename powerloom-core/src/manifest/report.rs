//! What became of a plan, resource by resource.

use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::target::Target;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of one step (sem. 2.3.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a report must know every result")]
pub enum StepResult {
    /// It was declared.
    Created {
        /// Its id.
        id: ResourceId,
    },
    /// Fields changed.
    Updated,
    /// It was as wanted.
    Unchanged,
    /// It was archived and declared anew.
    Replaced {
        /// The new one's id.
        id: ResourceId,
    },
    /// It was archived.
    Archived,
    /// It waits for somebody's approval.
    PendingApproval {
        /// The request.
        #[cfg_attr(feature = "schema", schema(value_type = crate::approval::ApprovalId))]
        request_id: String,
    },
    /// It was not tried: what it depends on failed, waits or was not tried either.
    Skipped {
        /// What it depends on.
        dependency: Target,
    },
    /// It was refused or went wrong.
    Failed {
        /// What the caller can do.
        kind: ErrorKind,
        /// Why, for people.
        message: String,
    },
}

impl StepResult {
    /// The resource is now as wanted.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        match self {
            Self::Created { .. }
            | Self::Updated
            | Self::Unchanged
            | Self::Replaced { .. }
            | Self::Archived => true,
            Self::PendingApproval { .. } | Self::Skipped { .. } | Self::Failed { .. } => false,
        }
    }
}

impl fmt::Display for StepResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { .. } => f.write_str("created"),
            Self::Updated => f.write_str("updated"),
            Self::Unchanged => f.write_str("unchanged"),
            Self::Replaced { .. } => f.write_str("replaced"),
            Self::Archived => f.write_str("archived"),
            Self::PendingApproval { request_id } => write!(f, "waits for approval {request_id}"),
            Self::Skipped { dependency } => write!(f, "skipped: it depends on {dependency}"),
            Self::Failed { kind, message } => write!(f, "failed ({}): {message}", kind.code()),
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApplyLine))]
#[non_exhaustive]
pub struct Line {
    /// Which resource.
    pub target: Target,
    /// What became of it.
    #[serde(flatten)]
    pub result: StepResult,
    /// The fields that were left as they are, because somebody else has changed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// What became of a plan, in the order of its steps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ApplyReport))]
#[non_exhaustive]
pub struct Report {
    /// One line per step.
    pub lines: Vec<Line>,
}

impl Report {
    /// Every resource is now as wanted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lines.iter().all(|line| line.result.is_done() && line.left.is_empty())
    }

    /// What became of one resource.
    #[must_use]
    pub fn result(&self, target: &Target) -> Option<&StepResult> {
        self.lines.iter().find(|line| line.target == *target).map(|line| &line.result)
    }
}

/// One line per resource.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", line.target, line.result)?;
            if !line.left.is_empty() {
                write!(f, "; left to others: {}", line.left.join(", "))?;
            }
        }
        Ok(())
    }
}
