//! The path of an organizational unit, such as `/acme/engineering/platform` (rows P19, P64).

use crate::invalid::Invalid;
use crate::name::{Name, SLUG, is_slug};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most levels an OU tree may have.
pub const MAX_OU_DEPTH: usize = 32;

/// An absolute path of OU names; the first segment is the root OU, which bears the organization's slug.
///
/// A trailing slash is accepted and dropped. Ancestry is by whole segments: `/acme/eng` is not an ancestor of
/// `/acme/engineering`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OuPath(String);

impl OuPath {
    /// The path of a root OU.
    #[must_use]
    pub fn root(name: &Name) -> Self {
        Self(format!("/{name}"))
    }

    /// The text, always without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The OU names, root first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// How many segments the path has; a root has one.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.segments().count()
    }

    /// The last segment: the OU's own name.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path one level up; `None` for a root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .filter(|(above, _)| !above.is_empty())
            .map(|(above, _)| Self(above.to_owned()))
    }

    /// The path of the OU called `name` directly below this one.
    ///
    /// # Errors
    /// [`Invalid`] if the tree would be deeper than [`MAX_OU_DEPTH`].
    pub fn child(&self, name: &Name) -> Result<Self, Invalid> {
        format!("{}/{name}", self.0).parse()
    }

    /// Whether this OU is `other` or lies above it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// This path, then each one above it, up to the root.
    pub fn self_and_ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }
}

impl FromStr for OuPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |why: &str| {
            Invalid::new("ou_path", text, format!("an absolute path such as `/acme/engineering`: {why}"))
        };
        let path = text.strip_suffix('/').unwrap_or(text);
        let rest = path.strip_prefix('/').ok_or_else(|| refused("it starts with `/`"))?;
        if !rest.split('/').all(is_slug) {
            return Err(refused(&format!("each segment is {SLUG}")));
        }
        if rest.split('/').count() > MAX_OU_DEPTH {
            return Err(refused(&format!("it has at most {MAX_OU_DEPTH} segments")));
        }
        Ok(Self(path.to_owned()))
    }
}

impl TryFrom<String> for OuPath {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<OuPath> for String {
    fn from(path: OuPath) -> Self {
        path.0
    }
}

impl fmt::Display for OuPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OuPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OuPath({})", self.0)
    }
}

/// `<ou_path>/<name>`: how a manifest names a resource from anywhere (row P64).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourcePath {
    /// The OU the resource lives in.
    pub ou: OuPath,
    /// Its name there.
    pub name: Name,
}

impl FromStr for ResourcePath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused =
            || Invalid::new("path", text, "`<ou_path>/<name>` such as `/acme/engineering/code-reviewer`");
        // An OU's path may end with `/`; here that would be one too many.
        let is_ou = |ou: &str| !ou.is_empty() && !ou.ends_with('/');
        let (ou, name) = text.rsplit_once('/').filter(|(ou, _)| is_ou(ou)).ok_or_else(refused)?;
        Ok(Self { ou: ou.parse().map_err(|_| refused())?, name: name.parse().map_err(|_| refused())? })
    }
}

impl TryFrom<String> for ResourcePath {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<ResourcePath> for String {
    fn from(path: ResourcePath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ou, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> OuPath {
        text.parse().unwrap()
    }

    /// Row P19 and the prefix trap of rule 2.1.
    #[test]
    fn ancestry_is_by_segments() {
        assert!(path("/acme/eng").contains(&path("/acme/eng/platform")));
        assert!(path("/acme/eng").contains(&path("/acme/eng/")));
        assert!(!path("/acme/eng").contains(&path("/acme/engineering")));
        assert!(!path("/acme/eng").contains(&path("/acme")));
    }

    #[test]
    fn bad_paths_are_refused() {
        for bad in ["", "/", "acme", "//", "/acme//eng", "/acme/./x", "/acme/..", "/Acme", "/acme/a b"] {
            assert!(bad.parse::<OuPath>().is_err(), "{bad}");
        }
        assert!(format!("/a{}", "/b".repeat(MAX_OU_DEPTH)).parse::<OuPath>().is_err());
    }

    #[test]
    fn a_path_knows_its_parts() {
        let platform = path("/acme/engineering/platform/");
        assert_eq!(platform.as_str(), "/acme/engineering/platform");
        assert_eq!(platform.leaf(), "platform");
        assert_eq!(platform.depth(), 3);
        let up: Vec<String> = platform.self_and_ancestors().map(String::from).collect();
        assert_eq!(up, ["/acme/engineering/platform", "/acme/engineering", "/acme"]);
    }

    /// Row P64.
    #[test]
    fn a_resource_path_is_the_ou_path_and_the_name() {
        let path: ResourcePath = "/acme/engineering/platform/pg-writer".parse().unwrap();
        assert_eq!((path.ou.as_str(), path.name.as_str()), ("/acme/engineering/platform", "pg-writer"));
        for bad in ["/acme", "pg-writer", "/acme//pg-writer", "//pg-writer", "/acme/pg-writer/"] {
            assert!(bad.parse::<ResourcePath>().is_err(), "{bad}");
        }
    }
}
