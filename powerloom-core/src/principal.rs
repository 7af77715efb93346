//! Who acts: the [`PrincipalRef`] people write, and the [`Principal`] it is resolved to (rule 2.1, row P15).
//!
//! Names change and are reused; ids do not. What is stored is therefore the resolved form.

use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::name::{Email, Name};
use crate::ou_path::{OuPath, ResourcePath};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The written form: `user:<email>`, `group:<ou_path>/<name>`, `ou:<ou_path>`, `agent:<ou_path>/<name>`
/// or `service:<name>`.
///
/// Reading is strict: an unknown prefix is an error. Only an e-mail is compared without case.
///
/// ```
/// use powerloom_core::principal::PrincipalRef;
/// let ada: PrincipalRef = "user:Ada@ACME.com".parse()?;
/// assert_eq!(ada.to_string(), "user:ada@acme.com");
/// assert!("robot:ada".parse::<PrincipalRef>().is_err());
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
///
/// Closed: an authorizer must treat each kind, so a new one should break its callers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrincipalRef {
    /// A person, by e-mail.
    User(Email),
    /// A group, by its OU and name.
    Group(ResourcePath),
    /// Every user whose home OU is this one or lies below it.
    Ou(OuPath),
    /// An agent, by its OU and name.
    Agent(ResourcePath),
    /// A program of the organization, by name.
    Service(Name),
}

impl FromStr for PrincipalRef {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = || {
            Invalid::new(
                "principal",
                text,
                "`user:<email>`, `group:<ou_path>/<name>`, `ou:<ou_path>`, `agent:<ou_path>/<name>` or `service:<name>`",
            )
        };
        let (kind, rest) =
            text.split_once(':').filter(|(_, rest)| !rest.contains("//")).ok_or_else(refused)?;
        let parsed = match kind {
            "user" => rest.parse().map(Self::User),
            "group" => rest.parse().map(Self::Group),
            "ou" => rest.parse().map(Self::Ou),
            "agent" => rest.parse().map(Self::Agent),
            "service" => rest.parse().map(Self::Service),
            _ => return Err(refused()),
        };
        parsed.map_err(|_| refused())
    }
}

impl fmt::Display for PrincipalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(email) => write!(f, "user:{email}"),
            Self::Group(path) => write!(f, "group:{path}"),
            Self::Ou(path) => write!(f, "ou:{path}"),
            Self::Agent(path) => write!(f, "agent:{path}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

/// The resolved form, which every record keeps: the kind and the id, in text `user:<uuid>`; a service has no
/// id and stays `service:<name>`.
///
/// Closed for the same reason as [`PrincipalRef`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Principal {
    /// A person.
    User(ResourceId),
    /// A group and, through it, its members.
    Group(ResourceId),
    /// Every user whose home OU is this one or lies below it.
    Ou(ResourceId),
    /// An agent.
    Agent(ResourceId),
    /// A program of the organization.
    Service(Name),
}

impl Principal {
    /// The id, for all kinds but a service.
    #[must_use]
    pub const fn id(&self) -> Option<ResourceId> {
        match self {
            Self::User(id) | Self::Group(id) | Self::Ou(id) | Self::Agent(id) => Some(*id),
            Self::Service(_) => None,
        }
    }
}

impl FromStr for Principal {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = || {
            Invalid::new(
                "principal",
                text,
                "`user:<id>`, `group:<id>`, `ou:<id>`, `agent:<id>` or `service:<name>`",
            )
        };
        let (kind, rest) = text.split_once(':').ok_or_else(refused)?;
        let id = || rest.parse::<ResourceId>();
        let parsed = match kind {
            "user" => id().map(Self::User),
            "group" => id().map(Self::Group),
            "ou" => id().map(Self::Ou),
            "agent" => id().map(Self::Agent),
            "service" => rest.parse().map(Self::Service),
            _ => return Err(refused()),
        };
        parsed.map_err(|_| refused())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Ou(id) => write!(f, "ou:{id}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

macro_rules! text_form {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}
text_form!(PrincipalRef Principal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_principal_reads_back_from_its_own_text() {
        for text in [
            "user:ada@acme.com",
            "group:/acme/eng/reviewers",
            "ou:/acme/eng",
            "agent:/acme/eng/code-reviewer",
            "service:ci",
        ] {
            assert_eq!(text.parse::<PrincipalRef>().unwrap().to_string(), text);
            assert_eq!(
                serde_json::to_string(&text.parse::<PrincipalRef>().unwrap()).unwrap(),
                format!("{text:?}")
            );
        }
    }

    #[test]
    fn anything_else_is_no_principal() {
        for text in [
            "",
            "ada@acme.com",
            "user:",
            "user:ada",
            "User:ada@acme.com",
            " user:ada@acme.com",
            "group:reviewers",
            "group:/reviewers",
            "group:/acme//reviewers",
            "ou:acme",
            "agent:/acme/eng/",
            "service:",
            "service:CI",
            "robot:x",
        ] {
            assert_eq!(text.parse::<PrincipalRef>().unwrap_err().field, "principal", "{text}");
        }
    }

    #[test]
    fn a_resolved_principal_reads_back_from_its_own_text() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        for kind in ["user", "group", "ou", "agent"] {
            let text = format!("{kind}:{id}");
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
        assert_eq!("service:ci".parse::<Principal>().unwrap().to_string(), "service:ci");
        assert!("user:ada@acme.com".parse::<Principal>().is_err());
        assert!(format!("service:{id}:x").parse::<Principal>().is_err());
    }
}
