//! Labels: what people and programs sort records by. No decision about permissions depends on one.

use crate::invalid::{Invalid, is_plain, shown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most labels a record has.
pub const MAX_LABELS: usize = 16;
/// Longest key, in characters.
pub const MAX_KEY: usize = 63;
/// Longest value, in characters.
pub const MAX_VALUE: usize = 255;
/// The label that names the set of manifests a record belongs to.
pub const OWNER: &str = "owner";

/// At most 16 labels: keys `^[a-z][a-z0-9_./-]{0,62}$`, values of at most 255 characters without control characters.
///
/// # Examples
/// ```
/// use powerloom_core::labels::Labels;
///
/// let labels = Labels::default().with("team", "search")?.with("owner", "platform")?;
/// assert_eq!(labels.owner(), Some("platform"));
/// assert!(labels.with("Team", "search").is_err());
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// These labels and one more, or one with another value.
    ///
    /// # Errors
    /// [`Invalid`] names the label, below `labels`.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self, Invalid> {
        let (key, value) = (key.into(), value.into());
        let mut bytes = key.bytes();
        let good = key.len() <= MAX_KEY
            && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_./-".contains(&b));
        if !good {
            let allowed = "a key of lower-case letters, digits, `_`, `.`, `/` and `-`: a letter first, at most 63 of them";
            return Err(Invalid::new("labels", shown(&key), allowed));
        }
        if value.chars().count() > MAX_VALUE || !is_plain(&value) {
            let allowed = format!("at most {MAX_VALUE} characters, none of them for control");
            return Err(Invalid::hidden(format!("labels.{key}"), allowed));
        }
        self.0.insert(key, value);
        if self.0.len() > MAX_LABELS {
            return Err(Invalid::new("labels", self.0.len(), format!("at most {MAX_LABELS} labels")));
        }
        Ok(self)
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The set of manifests it belongs to.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.get(OWNER)
    }

    /// Every label, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = Invalid;
    fn try_from(map: BTreeMap<String, String>) -> Result<Self, Invalid> {
        if map.len() > MAX_LABELS {
            return Err(Invalid::new("labels", map.len(), format!("at most {MAX_LABELS} labels")));
        }
        map.into_iter().try_fold(Self::default(), |labels, (key, value)| labels.with(key, value))
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_in_number_keys_and_values() {
        let many = |n: usize| (0..n).map(|n| (format!("l{n}"), String::new())).collect::<BTreeMap<_, _>>();
        assert!(Labels::try_from(many(16)).is_ok() && Labels::try_from(many(17)).is_err());
        for good in ["a", "a.b/c-d_e9", &"a".repeat(63)] {
            assert!(Labels::default().with(good, "é".repeat(255)).is_ok(), "{good}");
        }
        for bad in ["", "A", "9a", "a b", "é", &"a".repeat(64)] {
            assert!(Labels::default().with(bad, "x").is_err(), "{bad}");
        }
        assert!(Labels::default().with("a", "x".repeat(256)).is_err());
        let secret = Labels::default().with("a", "hunter2\u{0}").unwrap_err().to_string();
        assert!(!secret.contains("hunter2"), "{secret}");
        assert!(serde_json::from_str::<Labels>(r#"{"A":"x"}"#).is_err());
    }
}
