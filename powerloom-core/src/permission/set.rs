//! Many permissions in 128 bits.

use crate::permission::catalogue::Permission;
use crate::permission::pattern::PermissionPattern;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::BitOr;

/// A set of permissions; `Copy`, sixteen bytes, usable in constants.
///
/// On the wire it is the list of its permissions in the order of the catalogue; on reading, each member may be a
/// [`PermissionPattern`].
///
/// ```
/// use powerloom_core::permission::{Permission, PermissionSet};
/// let set: PermissionSet = serde_json::from_str(r#"["approval:*", "agent:read"]"#)?;
/// assert!(set.contains(Permission::APPROVAL_DECIDE));
/// assert!(!set.contains(Permission::AGENT_CREATE));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u128);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);

    /// Every permission of the catalogue: what `*:*` stands for.
    pub const ALL: Self = Self::of(Permission::ALL);

    /// The set of these permissions.
    #[must_use]
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut bits, mut rest) = (0, permissions);
        while let [first, more @ ..] = rest {
            bits |= first.bit();
            rest = more;
        }
        Self(bits)
    }

    /// Every permission about `resource`; empty if the catalogue has no such resource.
    #[must_use]
    pub const fn of_resource(resource: &str) -> Self {
        let (mut bits, mut rest) = (0, Permission::ALL);
        while let [first, more @ ..] = rest {
            if let Some([b':', ..]) = without_start(first.const_text().as_bytes(), resource.as_bytes()) {
                bits |= first.bit();
            }
            rest = more;
        }
        Self(bits)
    }

    /// Every permission to do `action`, to whatever.
    #[must_use]
    pub const fn of_action(action: &str) -> Self {
        let (mut bits, mut rest) = (0, Permission::ALL);
        while let [first, more @ ..] = rest {
            let mut text = first.const_text().as_bytes();
            while let [byte, tail @ ..] = text {
                text = tail;
                if *byte == b':' {
                    break;
                }
            }
            if let Some([]) = without_start(text, action.as_bytes()) {
                bits |= first.bit();
            }
            rest = more;
        }
        Self(bits)
    }

    /// Whether `permission` is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of this is in `other`.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in it.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Its permissions, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let next = Permission::from_bit(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1);
            next
        })
    }
}

/// What follows `start` in `text`, if it starts so.
const fn without_start<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (mut text, mut start) = (text, start);
    loop {
        match (text, start) {
            (_, []) => return Some(text),
            ([a, more @ ..], [b, rest @ ..]) if *a == *b => {
                text = more;
                start = rest;
            }
            _ => return None,
        }
    }
}

impl BitOr for PermissionSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, |set, permission| set.union(Self(permission.bit())))
    }
}

impl FromIterator<PermissionPattern> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = PermissionPattern>>(patterns: I) -> Self {
        patterns.into_iter().fold(Self::EMPTY, |set, pattern| {
            set.union(match pattern {
                PermissionPattern::Everything => Self::ALL,
                PermissionPattern::Resource(resource) => Self::of_resource(resource),
                PermissionPattern::Exact(permission) => Self(permission.bit()),
            })
        })
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The permissions, separated by a comma and a space.
impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, permission) in self.iter().enumerate() {
            write!(f, "{}{permission}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<PermissionPattern>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_resources_and_actions() {
        assert_eq!(
            PermissionSet::of_resource("approval").to_string(),
            "approval:read, approval:decide, approval:cancel, approval:break_glass"
        );
        assert_eq!(PermissionSet::of_resource("agen"), PermissionSet::EMPTY);
        let reads: PermissionSet = Permission::ALL.iter().copied().filter(|p| p.action() == "read").collect();
        assert_eq!(PermissionSet::of_action("read"), reads);
        assert_eq!(PermissionSet::ALL.len(), Permission::ALL.len());
    }

    #[test]
    fn sets_obey_the_laws_of_sets() {
        let (agents, reads) = (PermissionSet::of_resource("agent"), PermissionSet::of_action("read"));
        assert_eq!(agents.intersection(reads), PermissionSet::of(&[Permission::AGENT_READ]));
        assert_eq!(agents.difference(reads).union(agents.intersection(reads)), agents);
        assert!(agents.is_subset(agents | reads) && !(agents | reads).is_subset(agents));
        assert_eq!(reads.iter().collect::<PermissionSet>(), reads);
    }

    #[test]
    fn a_list_is_read_with_its_patterns_and_refused_with_what_was_meant() {
        let read = serde_json::from_str::<PermissionSet>(r#"["consent:*","tool:execute"]"#).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"["consent:read","consent:decide","tool:execute"]"#
        );
        assert_eq!(serde_json::from_str::<PermissionSet>(r#"["*:*"]"#).unwrap(), PermissionSet::ALL);
        let refused = serde_json::from_str::<PermissionSet>(r#"["agent:read","skil:use"]"#).unwrap_err();
        assert!(refused.to_string().contains("`skill:use`"), "{refused}");
    }
}
