//! One permission: an index into the catalogue of rule 2.2.

use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One `resource:action` of the catalogue; one byte, `Copy`.
///
/// ```
/// use powerloom_core::permission::Permission;
/// let create: Permission = "agent:create".parse()?;
/// assert_eq!(create, Permission::AGENT_CREATE);
/// assert_eq!((create.resource(), create.action()), ("agent", "create"));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Permission(u8);

macro_rules! catalogue {
    ($($resource:literal { $($action:literal = $name:ident),+ })+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "counts the constants, nothing else")]
        #[repr(u8)]
        enum Index { $($($name),+),+ }

        impl Permission {
            $($(
                #[doc = concat!("`", $resource, ":", $action, "`")]
                pub const $name: Self = Self(Index::$name as u8);
            )+)+

            /// Every permission, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$($(Self::$name),+),+];
        }

        const TEXTS: &[&str] = &[$($(concat!($resource, ":", $action)),+),+];
    };
}

catalogue! {
    "organization" { "read" = ORGANIZATION_READ, "update" = ORGANIZATION_UPDATE }
    "ou" { "read" = OU_READ, "create" = OU_CREATE, "update" = OU_UPDATE, "delete" = OU_DELETE }
    "user" { "read" = USER_READ, "create" = USER_CREATE, "update" = USER_UPDATE, "disable" = USER_DISABLE }
    "group" {
        "read" = GROUP_READ, "create" = GROUP_CREATE, "update" = GROUP_UPDATE, "delete" = GROUP_DELETE,
        "manage_members" = GROUP_MANAGE_MEMBERS
    }
    "role" {
        "read" = ROLE_READ, "create" = ROLE_CREATE, "update" = ROLE_UPDATE, "delete" = ROLE_DELETE,
        "escalate" = ROLE_ESCALATE
    }
    "binding" { "read" = BINDING_READ, "create" = BINDING_CREATE, "delete" = BINDING_DELETE }
    "agent" {
        "read" = AGENT_READ, "create" = AGENT_CREATE, "update" = AGENT_UPDATE, "archive" = AGENT_ARCHIVE,
        "invoke" = AGENT_INVOKE, "assign_owner" = AGENT_ASSIGN_OWNER
    }
    "skill" {
        "read" = SKILL_READ, "create" = SKILL_CREATE, "update" = SKILL_UPDATE, "delete" = SKILL_DELETE,
        "publish" = SKILL_PUBLISH, "use" = SKILL_USE
    }
    "mcp" {
        "read" = MCP_READ, "register" = MCP_REGISTER, "update" = MCP_UPDATE, "delete" = MCP_DELETE,
        "use" = MCP_USE, "deploy" = MCP_DEPLOY, "destroy" = MCP_DESTROY
    }
    "credential" { "read" = CREDENTIAL_READ, "create" = CREDENTIAL_CREATE, "delete" = CREDENTIAL_DELETE }
    "environment" { "read" = ENVIRONMENT_READ, "manage" = ENVIRONMENT_MANAGE }
    "sync" { "read" = SYNC_READ, "reset" = SYNC_RESET }
    "session" {
        "read" = SESSION_READ, "stream" = SESSION_STREAM, "cancel" = SESSION_CANCEL, "list_all" = SESSION_LIST_ALL
    }
    "approval_policy" {
        "read" = APPROVAL_POLICY_READ, "create" = APPROVAL_POLICY_CREATE, "update" = APPROVAL_POLICY_UPDATE,
        "delete" = APPROVAL_POLICY_DELETE
    }
    "approval" {
        "read" = APPROVAL_READ, "decide" = APPROVAL_DECIDE, "cancel" = APPROVAL_CANCEL,
        "break_glass" = APPROVAL_BREAK_GLASS
    }
    "audit" { "read" = AUDIT_READ, "verify" = AUDIT_VERIFY, "export" = AUDIT_EXPORT }
    "template" {
        "read" = TEMPLATE_READ, "create" = TEMPLATE_CREATE, "update" = TEMPLATE_UPDATE, "delete" = TEMPLATE_DELETE
    }
    "instance" {
        "read" = INSTANCE_READ, "register" = INSTANCE_REGISTER, "report" = INSTANCE_REPORT,
        "deactivate" = INSTANCE_DEACTIVATE, "spawn" = INSTANCE_SPAWN, "revoke" = INSTANCE_REVOKE,
        "kill" = INSTANCE_KILL
    }
    "consent" { "read" = CONSENT_READ, "decide" = CONSENT_DECIDE }
    "tool" { "read" = TOOL_READ, "execute" = TOOL_EXECUTE }
    "token" { "read" = TOKEN_READ, "create" = TOKEN_CREATE, "revoke" = TOKEN_REVOKE }
    "custom" {
        "read" = CUSTOM_READ, "create" = CUSTOM_CREATE, "update" = CUSTOM_UPDATE, "delete" = CUSTOM_DELETE
    }
}

/// Slots of the table that finds a permission by its text; a power of two, at least three times the catalogue.
const SLOTS: usize = 256;

/// A free slot.
const FREE: u8 = u8::MAX;

static TABLE: [u8; SLOTS] = table();

impl Permission {
    /// The text `resource:action`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TEXTS.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The kind of thing it is about: `agent` of `agent:create`.
    #[must_use]
    pub fn resource(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(resource, _)| resource)
    }

    /// What is done to it: `create` of `agent:create`.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(_, action)| action)
    }

    /// The permission of that text, if the catalogue has it. Allocates nothing.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let mut slot = hash(text.as_bytes());
        loop {
            let found = *TABLE.get(slot)?;
            if TEXTS.get(usize::from(found))? == &text {
                return Some(Self(found));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The text in the catalogue that is most like `text`: what to suggest for a misspelt one.
    #[must_use]
    pub(crate) fn nearest(text: &str) -> &'static str {
        TEXTS.iter().copied().min_by_key(|known| strsim::damerau_levenshtein(known, text)).unwrap_or_default()
    }

    /// This permission's bit.
    pub(super) const fn bit(self) -> u128 {
        1 << self.0
    }

    /// The permission of a bit number.
    pub(super) const fn from_bit(bit: u32) -> Option<Self> {
        if (bit as usize) < TEXTS.len() { Some(Self(bit as u8)) } else { None }
    }

    /// The text, where only constants are allowed.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler only, which reports it")]
    pub(super) const fn const_text(self) -> &'static str {
        TEXTS[self.0 as usize]
    }
}

/// The slot where the search for `text` starts: its ends and its length tell the catalogue's texts well apart.
const fn hash(text: &[u8]) -> usize {
    let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => {
            let (mut word, mut rest) = (0u64, text);
            while let [first, more @ ..] = rest {
                word = word << 8 | *first as u64;
                rest = more;
            }
            (word, word)
        }
    };
    let mixed = (head ^ tail.rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler only, which reports it")]
const fn table() -> [u8; SLOTS] {
    assert!(TEXTS.len() <= 128, "a permission set has 128 bits");
    let mut table = [FREE; SLOTS];
    let mut index = 0;
    while index < TEXTS.len() {
        let mut slot = hash(TEXTS[index].as_bytes());
        while table[slot] != FREE {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u8;
        index += 1;
    }
    table
}

impl FromStr for Permission {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::find(text).ok_or_else(|| {
            Invalid::new(
                "permission",
                text,
                format!("one `resource:action` of the catalogue; the nearest is `{}`", Self::nearest(text)),
            )
        })
    }
}

impl TryFrom<String> for Permission {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Permission> for &'static str {
    fn from(permission: Permission) -> Self {
        permission.as_str()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_found_by_its_text_and_by_no_other() {
        for &permission in Permission::ALL {
            assert_eq!(Permission::find(permission.as_str()), Some(permission));
            assert_eq!(Permission::find(&permission.as_str().to_uppercase()), None);
            assert_eq!(Permission::find(&permission.as_str()[1..]), None);
        }
        assert_eq!(Permission::ALL.len(), 86);
    }

    #[test]
    fn a_misspelt_permission_is_refused_with_the_nearest_known_one() {
        let refused = "agent:craete".parse::<Permission>().unwrap_err();
        assert!(refused.allowed.ends_with("the nearest is `agent:create`"), "{}", refused.allowed);
        for text in ["", "agent", "agent:", "agent:*", "*:*", "agent:create "] {
            assert!(text.parse::<Permission>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_permission_is_a_string_on_the_wire() {
        assert_eq!(serde_json::to_string(&Permission::MCP_USE).unwrap(), "\"mcp:use\"");
        assert_eq!(serde_json::from_str::<Permission>("\"mcp:use\"").unwrap(), Permission::MCP_USE);
        assert!(serde_json::from_str::<Permission>("\"mcp:fly\"").is_err());
    }
}
