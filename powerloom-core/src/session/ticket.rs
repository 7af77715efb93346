//! The one-time right to open a session's stream (rows P75, P83–P85; vectors 4.7).

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::id::{OrgId, SessionId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long a ticket is good for: valid while `now < issued + 60 s` (row P84).
pub const TICKET_TTL: Duration = Duration::from_secs(60);

/// The secret text a client presents: `tk_` and 32 random bytes in base64url.
///
/// The store keeps only its SHA-256. It stands in a URL, so it must never be logged: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(String);

impl Ticket {
    /// A fresh ticket.
    #[must_use]
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0u8; 32];
        entropy.fill(&mut bytes);
        Self(format!("tk_{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What a client presented; whether it is good only the store can tell.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(text.chars().take(128).collect())
    }

    /// Whether it looks like a ticket at all.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let random = self.0.strip_prefix("tk_").unwrap_or_default();
        random.len() == 43 && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }

    /// The text, to be given to the client once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Where it opens the stream of `session` (row P75). The ticket stands in it, so it must never be logged.
    #[must_use]
    pub fn url(&self, session: SessionId) -> String {
        format!("/sessions/{session}/stream?ticket={}", self.0)
    }

    /// What the store knows it by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(tk_…)")
    }
}

/// A ticket as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRow {
    /// SHA-256 of the ticket's text.
    pub digest: Digest,
    /// The organization.
    pub org: OrgId,
    /// The session it opens.
    pub session: SessionId,
    /// The principal it was given to.
    pub holder: String,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    /// Row P75; vector 4.7: a dump of the store has no usable ticket.
    #[test]
    fn a_ticket_shows_itself_only_when_asked() {
        let ticket = Ticket::mint(&SystemEntropy);
        assert!(ticket.reveal().starts_with("tk_") && ticket.reveal().len() == 3 + 43);
        assert!(!format!("{ticket:?}").contains(&ticket.reveal()[3..]));
        assert_ne!(ticket, Ticket::mint(&SystemEntropy));
        assert!(ticket.is_well_formed() && Ticket::presented(ticket.reveal()).is_well_formed());
        for other in ["", "tk_", "tk_nothing", &ticket.reveal()[3..], &format!("{}x", ticket.reveal())] {
            assert!(!Ticket::presented(other).is_well_formed(), "{other}");
        }
    }
}
