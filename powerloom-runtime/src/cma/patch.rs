//! The three things an update can do to a field.

use serde::{Serialize, Serializer};

/// What an update does to one field: nothing, empty it, or give it a value.
///
/// All updates of the service are partial: an omitted field stays, `null` (or `[]`) clears. A request field of this
/// type is omitted for [`Keep`](Patch::Keep), `null` for [`Clear`](Patch::Clear).
///
/// ```
/// # use powerloom_runtime::cma::{Patch, UpdateSession};
/// let mut update = UpdateSession::default();
/// update.title = Patch::Clear;
/// assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"title":null}"#);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "absent, null and a value are all that JSON has")]
pub enum Patch<T> {
    /// The field is not sent: it stays as it is.
    #[default]
    Keep,
    /// `null` is sent: the field is emptied, or set back to its default.
    Clear,
    /// The value is sent: it replaces what is there.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the field is left out of the request.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// A full definition: what is not there is cleared.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}
