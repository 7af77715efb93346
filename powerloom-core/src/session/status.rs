//! The states of a session and the moves between them (rows P86–P92, sem. 3.4).

use crate::error_kind::ErrorKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new state must break every caller that decides on one")]
pub enum SessionStatus {
    /// The row exists; the runtime session is not started (row P87).
    Pending,
    /// The runtime session is active and events stream (row P88).
    Running,
    /// The runtime waits for a decision on a tool call.
    AwaitingApproval,
    /// A stop was asked for and is not confirmed yet.
    Cancelling,
    /// The turn is finished (row P90).
    IdleEndTurn,
    /// Ended by the runtime, complete (row P89).
    Terminated,
    /// Longer than allowed (row P91).
    Timeout,
    /// An error nothing recovers from (row P92).
    Failed,
    /// Stopped because somebody asked for it.
    Cancelled,
}

/// A move the state machine does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session cannot go from `{from}` to `{to}`")]
#[non_exhaustive]
pub struct IllegalTransition {
    /// Where it is.
    pub from: SessionStatus,
    /// Where it was to go.
    pub to: SessionStatus,
}

impl IllegalTransition {
    /// Always [`ErrorKind::Conflict`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}

impl SessionStatus {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Running,
        Self::AwaitingApproval,
        Self::Cancelling,
        Self::IdleEndTurn,
        Self::Terminated,
        Self::Timeout,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the session is over; only a runtime that can resume leads out of here, and only out of `idle_end_turn`.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::IdleEndTurn | Self::Terminated | Self::Timeout | Self::Failed | Self::Cancelled)
    }

    /// Goes to `to`.
    ///
    /// # Errors
    /// [`IllegalTransition`] for any move that sem. 3.4 does not list. `resumable` says whether the runtime can take
    /// another prompt, which alone allows `idle_end_turn` → `running`.
    pub fn transition(self, to: Self, resumable: bool) -> Result<Self, IllegalTransition> {
        use SessionStatus::{
            AwaitingApproval, Cancelled, Cancelling, Failed, IdleEndTurn, Pending, Running, Terminated,
            Timeout,
        };
        let legal = match (self, to) {
            (Pending, Running | Failed | Cancelled | Timeout)
            | (Running, AwaitingApproval | IdleEndTurn | Terminated | Timeout | Failed | Cancelling | Cancelled)
            | (AwaitingApproval, Running | Cancelling | Cancelled | Timeout | Failed)
            // The stop may come too late: the turn ends as it would have.
            | (Cancelling, Cancelled | IdleEndTurn | Terminated | Timeout | Failed)
            | (IdleEndTurn, Terminated) => true,
            (IdleEndTurn, Running) => resumable,
            _ => false,
        };
        if legal { Ok(to) } else { Err(IllegalTransition { from: self, to }) }
    }

    /// The six words of the deployment guide (row P86): waiting and stopping read as `running`, `cancelled` as
    /// `terminated`.
    #[must_use]
    pub const fn public_word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running | Self::AwaitingApproval | Self::Cancelling => "running",
            Self::IdleEndTurn => "idle_end_turn",
            Self::Terminated | Self::Cancelled => "terminated",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }

    /// The state in one word, as on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            other => other.public_word(),
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::SessionStatus::{self, *};

    /// Rows P86–P92; vector 4.8.
    #[test]
    fn only_the_listed_moves_are_legal() {
        let legal: Vec<(SessionStatus, Vec<SessionStatus>)> = vec![
            (Pending, vec![Running, Timeout, Failed, Cancelled]),
            (
                Running,
                vec![AwaitingApproval, Cancelling, IdleEndTurn, Terminated, Timeout, Failed, Cancelled],
            ),
            (AwaitingApproval, vec![Running, Cancelling, Timeout, Failed, Cancelled]),
            (Cancelling, vec![IdleEndTurn, Terminated, Timeout, Failed, Cancelled]),
            (IdleEndTurn, vec![Terminated]),
            (Terminated, vec![]),
            (Timeout, vec![]),
            (Failed, vec![]),
            (Cancelled, vec![]),
        ];
        for (from, targets) in legal {
            for to in SessionStatus::ALL {
                assert_eq!(from.transition(to, false).is_ok(), targets.contains(&to), "{from} -> {to}");
            }
        }
    }

    /// Vector 4.8: settled → running only on a runtime that can resume.
    #[test]
    fn a_settled_session_runs_again_only_where_the_runtime_can_resume() {
        assert!(IdleEndTurn.transition(Running, true).is_ok());
        for settled in [Terminated, Timeout, Failed, Cancelled] {
            assert!(settled.is_settled() && settled.transition(Running, true).is_err());
        }
    }

    #[test]
    fn a_state_is_written_as_its_word() {
        for status in SessionStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
        }
    }
}
