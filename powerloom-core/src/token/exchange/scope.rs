//! Scopes: what a token is good for at a resource (RFC 6749, 3.3).

use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Most scopes in a set.
pub const MAX_SCOPES: usize = 64;
/// Longest scope, in bytes.
const MAX_SCOPE_LEN: usize = 128;

/// One scope: 1 to 128 visible ASCII characters without `"` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl FromStr for Scope {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let good = (1..=MAX_SCOPE_LEN).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("scope", text, "1 to 128 visible ASCII characters without `\"` and `\\`"))
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of scopes. Written sorted, each once, separated by spaces, so that two equal sets have one text.
///
/// ```
/// use powerloom_core::token::exchange::ScopeSet;
///
/// let wanted: ScopeSet = "write read read".parse()?;
/// assert_eq!(wanted.to_string(), "read write");
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of these are among those of `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for ScopeSet {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let scopes: Self =
            text.split(' ').filter(|scope| !scope.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        if scopes.0.len() > MAX_SCOPES {
            return Err(Invalid::new("scope", scopes.0.len(), format!("at most {MAX_SCOPES} scopes")));
        }
        Ok(scopes)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}
