//! The idempotency key of a tool call: the same call, told twice, changes once (sem. 2.15, "Retry safety").

use crate::digest::Digest;
use crate::id::SessionId;

/// The idempotency key of the mutation that the tool call `call` of `session` makes: `tool:` and 64 hexadecimal digits.
///
/// `call` is the runtime's id of the call's event, or whatever else names the call the same way when it is told again.
/// `step` tells the mutations of one call apart; a tool that makes one says `0`. The session must be that of the
/// [handle](crate::session::handle) or the token the call came with, never an argument of the call.
///
/// ```
/// use powerloom_core::session::tool_key::tool_idempotency_key;
/// let session = "00000000-0000-7000-8000-000000000003".parse()?;
/// let key = tool_idempotency_key(session, "sevt_01", 0);
/// assert_eq!(key, tool_idempotency_key(session, "sevt_01", 0));
/// assert_ne!(key, tool_idempotency_key(session, "sevt_02", 0));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[must_use]
pub fn tool_idempotency_key(session: SessionId, call: &str, step: u32) -> String {
    let id = session.as_uuid();
    // The parts before the last have a fixed length, so no two calls share their bytes.
    let parts: [&[u8]; 4] =
        [b"powerloom/tool-call/v1\n", id.as_bytes(), &step.to_be_bytes(), call.as_bytes()];
    format!("tool:{}", Digest::of_parts(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    /// Sem. 2.15.
    #[test]
    fn each_mutation_of_each_call_of_each_session_has_its_own_key() {
        let mut keys = BTreeSet::new();
        for session in [1, 2] {
            let session = SessionId::from_uuid(Uuid::from_u128(session));
            for call in ["", "sevt_1", "sevt_10", "sevt_1\u{0}"] {
                for step in [0, 1, u32::MAX] {
                    let key = tool_idempotency_key(session, call, step);
                    assert!(key.len() == 5 + 64 && keys.insert(key));
                }
            }
        }
        assert_eq!(keys.len(), 24);
    }
}
