//! The name of an approval request: `req_` and a UUID (row M34).

use crate::id::ResourceId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What stands before the UUID.
const PREFIX: &str = "req_";

/// Names an approval request, in text `req_0198c0de-0000-7000-8000-000000000001`.
///
/// ```
/// use powerloom_core::approval::ApprovalId;
/// let id: ApprovalId = "req_0198c0de-0000-7000-8000-000000000001".parse()?;
/// assert_eq!(id.to_string(), "req_0198c0de-0000-7000-8000-000000000001");
/// assert!("0198c0de-0000-7000-8000-000000000001".parse::<ApprovalId>().is_err());
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApprovalId(ResourceId);

impl ApprovalId {
    /// The request whose record has this id.
    #[must_use]
    pub const fn of(record: ResourceId) -> Self {
        Self(record)
    }

    /// The id of its record.
    #[must_use]
    pub const fn record(self) -> ResourceId {
        self.0
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ApprovalId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused =
            || Invalid::new("request_id", text, "an id such as `req_0198c0de-0000-7000-8000-000000000001`");
        text.strip_prefix(PREFIX).and_then(|id| id.parse().ok()).map(Self).ok_or_else(refused)
    }
}

impl TryFrom<String> for ApprovalId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<ApprovalId> for String {
    fn from(id: ApprovalId) -> Self {
        id.to_string()
    }
}
