//! Kind `StandingConsent`: a person's own confirmation, given in advance (sem. 2.8, `allow_self`).
//!
//! It serves gates that ask somebody to confirm what they do themselves: a policy with `allow_self` and a quorum of one
//! that names them. It is bounded by an OU, verbs, a time and a number of uses, and each use is written in the commit of
//! the change it lets through. It is no approval of what others do.

use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::field::Field;
use crate::resource::kind::{Declared, Home, KindPermissions, Reference};
use crate::resource::user::User;
use serde::{Deserialize, Serialize};

/// A consent. Its governing OU is its scope, with all below.
#[derive(Debug)]
pub struct StandingConsent;

/// What somebody confirms in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StandingConsentSpec {
    /// Who confirms: always whoever gave it.
    pub user: ResourceId,
    /// For these verbs, such as `agent.update`: 1 to 50.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 50))]
    pub verbs: Vec<String>,
    /// How often.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1000))]
    pub uses: u32,
    /// From this moment on it does not count.
    pub expires_at: Timestamp,
    /// Whether it also counts for what is done in their name and not in person: by an agent, out of a session they
    /// started, or by a token that is narrowed or that a program keeps.
    pub delegated: bool,
}

/// How much of it is left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StandingConsentStatus {
    /// How often it was used.
    pub used: u32,
}

impl Schema for StandingConsent {
    const KIND: KindName = KindName::known("StandingConsent");
    type Spec = StandingConsentSpec;
    type Status = StandingConsentStatus;
}

impl Declared for StandingConsent {
    const FIELDS: &'static [Field] = &[];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CONSENT_READ,
        create: Permission::APPROVAL_DECIDE,
        update: Permission::APPROVAL_DECIDE,
        archive: Permission::APPROVAL_DECIDE,
    };
    const HOME: Home = Home::InOu;
    const RANK: u8 = 96;
    const ABOUT: &'static str = "What somebody has confirmed in advance for their own changes.";
    const CASCADES: bool = true;
    const MANIFEST: bool = false;
    const OWN_ACTIONS: bool = true;

    fn references(spec: &StandingConsentSpec) -> Vec<Reference> {
        vec![Reference::new("user", ResourceKey::of::<User>(spec.user))]
    }
}

impl Record<StandingConsent> {
    /// Whether it counts for `verb` at `now`; where is asked separately.
    #[must_use]
    pub fn covers(&self, verb: &str, delegated: bool, now: Timestamp) -> bool {
        now < self.spec.expires_at
            && self.status.used < self.spec.uses
            && (self.spec.delegated || !delegated)
            && self.spec.verbs.iter().any(|covered| covered == verb)
    }
}
