//! A value that is sent and never shown.

use serde::Serializer;
use std::fmt;
use zeroize::Zeroizing;

/// A key, token or password: `Debug` shows nothing of it, and its memory is wiped when it is dropped.
///
/// It implements neither `Display` nor `Serialize`. A request that holds one serializes it, because that is how it
/// is sent; the bytes of a sent request are not wiped.
///
/// ```
/// # use powerloom_runtime::cma::Secret;
/// assert_eq!(format!("{:?}", Secret::new("tok_example")), "Secret(…)");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Holds `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Writes the value into a request.
    pub(crate) fn send<S: Serializer>(secret: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    /// Writes the value into a request, where there is one.
    pub(crate) fn send_some<S: Serializer>(secret: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_str(secret.reveal()),
            None => serializer.serialize_none(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let shown = format!("{:?} {:#?}", Secret::new("sk-ant-1"), Some(Secret::new("sk-ant-1")));
        assert!(!shown.contains("sk-ant"), "{shown}");
    }
}
