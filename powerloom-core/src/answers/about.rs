//! Whom a question is about.

use crate::authz::AuthzSnapshot;
use crate::door::caller::Caller;
use crate::error::Error;
use crate::principal::{Principal, PrincipalRef};

/// Whom a question is about: a [`Principal`] and a [`PrincipalRef`] are taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other way to name somebody")]
pub enum About<'a> {
    /// Whoever asks.
    Caller,
    /// This principal.
    Principal(&'a Principal),
    /// Whoever is written so.
    Written(&'a PrincipalRef),
}

impl<'a> From<&'a Principal> for About<'a> {
    fn from(principal: &'a Principal) -> Self {
        Self::Principal(principal)
    }
}

impl<'a> From<&'a PrincipalRef> for About<'a> {
    fn from(written: &'a PrincipalRef) -> Self {
        Self::Written(written)
    }
}

impl About<'_> {
    /// Whether the snapshot knows them.
    pub(super) fn is_known(self, caller: &Caller, snapshot: &AuthzSnapshot) -> bool {
        match self {
            Self::Caller => snapshot.knows(&caller.principal),
            Self::Principal(principal) => snapshot.knows(principal),
            Self::Written(written) => snapshot.resolve(written).is_some(),
        }
    }

    /// Who it is; `None` if the snapshot does not know them. The caller is always somebody.
    pub(super) fn resolve(self, caller: &Caller, snapshot: &AuthzSnapshot) -> Option<Principal> {
        match self {
            Self::Caller => Some(caller.principal.clone()),
            Self::Principal(principal) => snapshot.knows(principal).then(|| principal.clone()),
            Self::Written(written) => snapshot.resolve(written),
        }
    }

    /// Nobody is called so.
    pub(super) fn unknown(self, caller: &Caller) -> Error {
        match self {
            Self::Caller => Error::not_found("principal", &caller.principal),
            Self::Principal(principal) => Error::not_found("principal", principal),
            Self::Written(written) => Error::not_found("principal", written),
        }
    }
}
