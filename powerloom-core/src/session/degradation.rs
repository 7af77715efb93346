//! Whether a session ran without its MCP servers and nobody noticed (rows P93–P95; vectors 4.8).

use crate::session::record::DegradationReason;
use crate::session::status::SessionStatus;
use crate::session::tally::Tally;

/// From this many events of the runtime on, a session without one MCP call is suspicious (row P94).
pub const DEGRADATION_EVENTS: u64 = 10;

/// Judges a session once, when it settles.
///
/// Only a completed one is judged (`idle_end_turn`, `terminated`), and by the MCP servers it was started with. An
/// error that names an MCP server or a credential is reason enough; otherwise ten events without an MCP call are.
///
/// ```
/// use powerloom_core::session::degradation::judge;
/// use powerloom_core::session::record::DegradationReason;
/// use powerloom_core::session::status::SessionStatus;
/// use powerloom_core::session::tally::Tally;
///
/// let tally = Tally { event_count: 10, ..Tally::default() };
/// let servers = ["orders".to_owned()];
/// assert_eq!(judge(SessionStatus::IdleEndTurn, &servers, &tally), Some(DegradationReason::NoMcpCalls));
/// assert_eq!(judge(SessionStatus::Failed, &servers, &tally), None);
/// ```
#[must_use]
pub fn judge(status: SessionStatus, mcp_servers: &[String], tally: &Tally) -> Option<DegradationReason> {
    let completed = matches!(status, SessionStatus::IdleEndTurn | SessionStatus::Terminated);
    if !completed || mcp_servers.is_empty() {
        return None;
    }
    if tally.mcp_error_count > 0 {
        return Some(DegradationReason::McpErrorEvent);
    }
    let silent = tally.mcp_tool_use_count == 0 && tally.event_count >= DEGRADATION_EVENTS;
    silent.then_some(DegradationReason::NoMcpCalls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flagged(
        status: SessionStatus,
        servers: usize,
        events: u64,
        calls: u64,
        errors: u64,
    ) -> Option<DegradationReason> {
        let servers = vec!["orders".to_owned(); servers];
        let tally = Tally {
            event_count: events,
            mcp_tool_use_count: calls,
            mcp_error_count: errors,
            ..Tally::default()
        };
        judge(status, &servers, &tally)
    }

    /// Row P94; vector 4.8.
    #[test]
    fn ten_events_without_an_mcp_call_are_suspicious_and_nine_are_not() {
        use SessionStatus::{IdleEndTurn, Terminated};
        for completed in [IdleEndTurn, Terminated] {
            assert_eq!(flagged(completed, 1, 9, 0, 0), None);
            assert_eq!(flagged(completed, 1, 10, 0, 0), Some(DegradationReason::NoMcpCalls));
            assert_eq!(flagged(completed, 1, 10, 1, 0), None);
            assert_eq!(flagged(completed, 0, 10, 0, 0), None);
        }
    }

    /// Vector 4.8: a session that did not complete is not judged.
    #[test]
    fn only_a_completed_session_is_judged() {
        for status in SessionStatus::ALL {
            let completed = matches!(status, SessionStatus::IdleEndTurn | SessionStatus::Terminated);
            assert_eq!(flagged(status, 1, 10, 0, 0).is_some(), completed, "{status}");
            assert_eq!(flagged(status, 1, 10, 0, 1).is_some(), completed, "{status}");
        }
    }

    /// Sem. 2.5: the runtime does not stop for a bad credential, it only says so.
    #[test]
    fn an_mcp_error_is_reason_enough() {
        assert_eq!(flagged(SessionStatus::IdleEndTurn, 1, 3, 2, 1), Some(DegradationReason::McpErrorEvent));
    }
}
