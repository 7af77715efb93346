//! What a role definition writes: one permission, all of a resource, or everything.

use crate::invalid::Invalid;
use crate::permission::catalogue::Permission;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// `agent:create`, `agent:*` or `*:*`: allowed in role definitions, never in a request (rule 2.2.1).
///
/// Closed: what a pattern stands for decides what a role grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermissionPattern {
    /// `*:*`.
    Everything,
    /// `<resource>:*`; the resource is one of the catalogue.
    Resource(&'static str),
    /// One permission.
    Exact(Permission),
}

impl FromStr for PermissionPattern {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*:*" {
            return Ok(Self::Everything);
        }
        let Some(resource) = text.strip_suffix(":*") else {
            return text.parse().map(Self::Exact);
        };
        let resources = || Permission::ALL.iter().map(|permission| permission.resource());
        resources().find(|known| *known == resource).map(Self::Resource).ok_or_else(|| {
            let nearest = resources().min_by_key(|known| strsim::damerau_levenshtein(known, resource));
            Invalid::new(
                "permission",
                text,
                format!(
                    "`<resource>:*` of a known resource; the nearest is `{}:*`",
                    nearest.unwrap_or_default()
                ),
            )
        })
    }
}

impl Serialize for PermissionPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PermissionPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PermissionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*:*"),
            Self::Resource(resource) => write!(f, "{resource}:*"),
            Self::Exact(permission) => permission.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_reads_back_from_its_own_text() {
        for text in ["*:*", "agent:*", "approval_policy:*", "skill:use"] {
            assert_eq!(text.parse::<PermissionPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_pattern_is_refused_with_the_nearest_known_one() {
        let said = |text: &str| text.parse::<PermissionPattern>().unwrap_err().allowed;
        assert!(said("agnet:*").contains("`agent:*`"));
        assert!(said("skil:use").contains("`skill:use`"));
        for text in ["*", "*:read", ":*", "agent:**", "a*:read", "**"] {
            assert!(text.parse::<PermissionPattern>().is_err(), "{text}");
        }
    }
}
