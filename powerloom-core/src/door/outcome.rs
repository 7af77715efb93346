//! What a mutation came to.

use crate::audit::AuditHead;
use crate::id::SessionId;
use crate::record::RecordRow;
use serde::{Deserialize, Serialize};

/// What a mutation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new outcome must break every caller that decides on one")]
pub enum Outcome {
    /// It happened (201, or 200).
    Applied(Applied),
    /// It was already so; nothing was written.
    Unchanged {
        /// What is there.
        #[cfg_attr(feature = "schema", schema(required))]
        record: Option<Box<RecordRow>>,
    },
    /// It waits for somebody's approval (202; row P97).
    Pending {
        /// The request, `req_…`.
        #[cfg_attr(feature = "schema", schema(value_type = crate::approval::ApprovalId))]
        request_id: String,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Applied {
    /// The record it is about, as it is now.
    #[cfg_attr(feature = "schema", schema(required))]
    pub record: Option<Box<RecordRow>>,
    /// The session it started or stopped.
    #[cfg_attr(feature = "schema", schema(required))]
    pub session: Option<SessionId>,
    /// It made something that was not there: a record, a version of a skill, something an agent has (201). Otherwise
    /// it changed what was there, or made an older version the current one (200).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// What speaks against it though nothing held it back: policies of mode `warn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The audit row that says so.
    pub audit: AuditHead,
}

impl Outcome {
    /// The record it is about, whether it was changed or was so already.
    #[must_use]
    pub fn record(&self) -> Option<&RecordRow> {
        match self {
            Self::Applied(Applied { record, .. }) | Self::Unchanged { record } => record.as_deref(),
            Self::Pending { .. } => None,
        }
    }
}
