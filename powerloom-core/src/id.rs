//! Identifiers: newtypes, so that a resource's id cannot be passed where a session's is wanted.
//!
//! Inside, an id is a UUID; [`generate`](OrgId::generate) makes version 7 ones, which sort by time of birth.
//! On the wire an id is its string, and [`FromStr`] is the only way in for text.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Makes a UUIDv7 of `at` and ten random bytes (RFC 9562, 5.7).
pub(crate) fn uuid_v7(at: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0u8; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id of the given moment and randomness (UUIDv7).
            #[must_use]
            pub fn generate(at: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(at, entropy))
            }

            /// Wraps a UUID that is known to be an id of this kind.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| Invalid::new(concat!($what, "_id"), text, "a UUID such as `0198c0de-0000-7000-8000-000000000001`"))
            }
        }
    )*};
}

ids! {
    /// Names an organization: the isolation boundary that owns everything else.
    OrgId = "organization";
    /// Names a declared resource of any kind: an OU, a user, an agent, a skill, …
    ResourceId = "resource";
    /// Names a session: one run of an agent with a prompt.
    SessionId = "session";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn ids_are_version_seven_and_sort_by_time() {
        let entropy = SeededEntropy::new(7);
        let early = OrgId::generate(Timestamp::from_micros(1_000_000), &entropy);
        let late = OrgId::generate(Timestamp::from_micros(2_000_000), &entropy);
        assert_eq!(early.as_uuid().get_version_num(), 7);
        assert!(early < late);
    }

    #[test]
    fn an_id_reads_back_from_its_own_text_and_refuses_other_text() {
        let id = SessionId::generate(Timestamp::from_micros(1), &SeededEntropy::new(1));
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        let refused = "s1".parse::<SessionId>().unwrap_err();
        assert_eq!(refused.field, "session_id");
    }
}
