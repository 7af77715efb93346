//! A signed token, on its way to whoever asked for it.

use crate::clock::Timestamp;
use std::fmt;

/// A signed token. `Debug` does not show it; it has no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken {
    text: String,
    expires_at: Timestamp,
}

impl SignedToken {
    pub(crate) const fn new(text: String, expires_at: Timestamp) -> Self {
        Self { text, expires_at }
    }

    /// The text, to be given to the bearer.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The first moment at which it is no longer valid.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
