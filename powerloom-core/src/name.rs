//! Names people write: the slug of a resource and the e-mail address of a user.

use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a slug may be, for error texts.
pub(crate) const SLUG: &str =
    "1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit";

/// Whether `text` matches `^[a-z0-9][a-z0-9-]{0,62}$`.
pub(crate) fn is_slug(text: &str) -> bool {
    text.len() <= 63
        && !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

/// The name of a resource, unique per kind and OU: `^[a-z0-9][a-z0-9-]{0,62}$`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);
text_newtype!(Name);

impl FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if is_slug(text) { Ok(Self(text.to_owned())) } else { Err(Invalid::new("name", text, SLUG)) }
    }
}

/// A user's e-mail address, kept in lower case: two spellings of one address are one user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);
text_newtype!(Email);

impl FromStr for Email {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused =
            || Invalid::new("email", text, "an address such as `ada@acme.com` of at most 254 characters");
        let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
        let clean = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| {
                    !c.is_whitespace()
                        && !c.is_control()
                        && !matches!(c, '@' | ':' | '/' | '<' | '>' | ',' | ';' | '"')
                })
        };
        let dotted = domain.split('.').all(|label| !label.is_empty());
        if text.len() <= 254 && clean(local) && clean(domain) && dotted {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row P11; vector 4.11: nothing that means something elsewhere, such as `#` and `@` in a relation.
    #[test]
    fn a_name_is_a_slug() {
        for good in ["a", "code-reviewer", "0", "x-"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a b", "é", "x#y", "a@b", "a/b", "a:b", "{{foo}}", &"x".repeat(64)]
        {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_email_compares_without_case() {
        assert_eq!("Ada@ACME.com".parse::<Email>().unwrap(), "ada@acme.com".parse::<Email>().unwrap());
        for bad in ["", "ada", "@acme.com", "ada@", "a b@c.d", "user:a@b", "a@b@c", "a@.com"] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
