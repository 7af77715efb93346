//! The refusal of bad input: which field, what it held, what is allowed.

use std::fmt;

/// Longest piece of a refused value that is shown again, in characters.
const SHOWN: usize = 80;

/// A value that was refused before anything changed.
///
/// The value is shown shortened and with control characters escaped. A secret is never passed here: use
/// [`Invalid::hidden`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// The field, as a dotted path into what was given: `spec.skills[2]`.
    pub field: String,
    /// What it held, shortened; `None` where it was absent or may not be shown.
    pub value: Option<String>,
    /// What is allowed there.
    pub allowed: String,
}

impl Invalid {
    /// `value` is not allowed in `field`.
    pub fn new(field: impl Into<String>, value: impl fmt::Display, allowed: impl Into<String>) -> Self {
        Self { field: field.into(), value: Some(shown(&value.to_string())), allowed: allowed.into() }
    }

    /// `field` is absent, or holds something that may not be shown.
    pub fn hidden(field: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { field: field.into(), value: None, allowed: allowed.into() }
    }

    /// The same refusal seen from one level further out: `name` becomes `metadata.name`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() {
            outer.to_owned()
        } else if self.field.starts_with('[') {
            format!("{outer}{}", self.field)
        } else {
            format!("{outer}.{}", self.field)
        };
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => {
                write!(f, "`{}` is `{value}`, which is not allowed: expected {}", self.field, self.allowed)
            }
            None => write!(f, "`{}` is refused: expected {}", self.field, self.allowed),
        }
    }
}

/// Whether `text` holds no control characters but tabs and line breaks: shown on a terminal, it does nothing there.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// `text` made safe to show: at most 80 characters, control characters escaped.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == SHOWN {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_value_is_shown_short_and_without_control_characters() {
        let refused = Invalid::new("name", format!("\u{1b}[31m{}", "x".repeat(10_000)), "a short name");
        let text = refused.to_string();
        assert!(text.len() < 250 && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_field_is_named_from_the_outside() {
        assert_eq!(Invalid::hidden("name", "x").within("metadata").field, "metadata.name");
        assert_eq!(Invalid::hidden("[2]", "x").within("skills").within("spec").field, "spec.skills[2]");
    }
}
