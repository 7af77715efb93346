//! How a stream over a WebSocket ends, and what its client is told.

use axum::extract::ws::{CloseCode, CloseFrame};
use powerloom_core::error::{Conflict, Error};
use powerloom_core::session::event::EventSeq;
use tokio_tungstenite::tungstenite::Error as WireError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The session has ended, and its last frame was sent.
    Over,
    /// The program is about to end.
    Stopping,
    /// The ticket is used, expired, foreign, unknown or absent. Which is not said (vectors 4.7).
    TicketRefused,
    /// Who opened it may no longer follow: disabled, without the permission, or with a token that is no longer good.
    Forbidden,
    /// Another client has the stream.
    Held,
    /// The client does not take what it is sent.
    Slow,
    /// The client does not answer a ping.
    Silent,
    /// `after` is a number the log has not reached.
    Beyond,
    /// The client sent a message longer than any it may send.
    TooLong,
    /// The client does not speak the protocol.
    Misspoken,
    /// The client sent a text that is none.
    NoText,
    /// The store cannot be asked.
    Failed,
    /// The client has gone, with or without a word.
    Gone,
}

impl End {
    /// What the client is told, whose last frame was `sent`.
    pub(crate) fn frame(self, sent: EventSeq) -> Option<CloseFrame> {
        let (code, word, resumable): (CloseCode, _, _) = match self {
            Self::Gone => return None,
            Self::Over => (1000, "ended", false),
            Self::Stopping => (1001, "stopping", true),
            Self::Misspoken => (1002, "protocol", false),
            Self::NoText => (1007, "not_utf8", false),
            Self::Beyond => (1008, "after: the log does not reach there", false),
            Self::TooLong => (1009, "too_long", true),
            Self::Failed => (1011, "unavailable", true),
            Self::TicketRefused => (4401, "ticket_refused", false),
            Self::Forbidden => (4403, "forbidden", false),
            Self::Slow => (4408, "slow", true),
            Self::Silent => (4408, "silent", true),
            Self::Held => (4409, "stream_held", true),
        };
        let reason = if resumable { format!("{word}; after={sent}") } else { word.to_owned() };
        Some(CloseFrame { code, reason: reason.into() })
    }

    /// What an error on the socket comes to.
    pub(crate) fn of_wire(error: axum::Error) -> Self {
        match error.into_inner().downcast_ref::<WireError>() {
            Some(WireError::Capacity(_)) => Self::TooLong,
            Some(WireError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Gone,
            Some(WireError::Protocol(_)) => Self::Misspoken,
            Some(WireError::Utf8(_)) => Self::NoText,
            _ => Self::Gone,
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::TicketRefused => Self::TicketRefused,
            Error::Conflict(Conflict::StreamHeld { .. }) => Self::Held,
            Error::Invalid(_) => Self::Beyond,
            error => {
                tracing::warn!(%error, "a stream cannot go on");
                Self::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a client can go on, it is told from where; a close reason has 123 bytes at most (RFC 6455, 5.5).
    #[test]
    fn a_resumable_end_says_behind_which_number() {
        let most = EventSeq::new(u64::MAX);
        let reason = |end: End| end.frame(most).map(|frame| frame.reason.to_string());
        assert_eq!(reason(End::Slow).unwrap(), "slow; after=18446744073709551615");
        assert_eq!(reason(End::TicketRefused).unwrap(), "ticket_refused");
        for end in [End::Stopping, End::Held, End::Silent, End::Failed, End::Beyond, End::TooLong] {
            assert!(reason(end).unwrap().len() <= 123);
        }
        assert_eq!(End::Gone.frame(most), None);
    }
}
