//! What happens in a session: frames with a gapless number (rows P76–P82).

use crate::clock::Timestamp;
use crate::id::SessionId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Position in a session's log; the first event has 1, every next one is one higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventSeq(u64);

impl EventSeq {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for EventSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

// Written as a string: a JavaScript number stops counting by one at 2^53.
impl Serialize for EventSeq {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventSeq {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// An event about to be appended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewEvent {
    /// The runtime's id of it; a second event with the same id is dropped. `None` for our own `powerloom.*` frames.
    #[cfg_attr(feature = "schema", schema(required))]
    pub event_id: Option<String>,
    /// Its type, such as `agent.message`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its content.
    pub payload: Value,
    /// When it happened, or when we learnt of it.
    pub at: Timestamp,
}

/// An event of the log. The frame of row P76 is its `type` and `payload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionEvent {
    /// The session.
    pub session_id: SessionId,
    /// Its place in the log.
    pub seq: EventSeq,
    /// The event itself.
    #[serde(flatten)]
    pub event: NewEvent,
}

/// The first frame of a session (row P77).
pub const SESSION_CREATED: &str = "powerloom.session_created";
/// The last frame of a session (row P82); only this one ends a stream.
pub const SESSION_ENDED: &str = "powerloom.session_ended";
/// What a reader of a settled session gets after the replay (sem. 2.7); it is not part of the log.
pub const SESSION_ALREADY_ENDED: &str = "powerloom.session_already_ended";
