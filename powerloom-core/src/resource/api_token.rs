//! Kind `ApiToken`: a long-lived token of a person's or the organization's programs (sem. 2.10).

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::invalid::{Invalid, is_plain};
use crate::permission::{Permission, PermissionPattern};
use crate::principal::Principal;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::field::Field;
use crate::resource::kind::{Declared, Home, KindPermissions, Reference};
use crate::resource::user::User;
use serde::{Deserialize, Serialize};

/// An API token. It comes into being by an action of its own, never by a manifest; archived, it is revoked.
#[derive(Debug)]
pub struct ApiToken;

/// Whose it is, what for, until when. It does not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiTokenSpec {
    /// Whose it is: a user or a service.
    pub principal: Principal,
    /// What people know it by: 1 to 63 characters.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 63))]
    pub name: String,
    /// What it may do at most.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 128))]
    pub scopes: Vec<PermissionPattern>,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

/// What is known of its secret, and of its use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ApiTokenStatus {
    /// The digest of its secret: [`ApiSecret::digest`](crate::token::ApiSecret::digest).
    pub digest: Digest,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl Default for ApiTokenStatus {
    /// No secret opens it.
    fn default() -> Self {
        Self { digest: Digest::ZERO, last_used_at: None }
    }
}

impl Schema for ApiToken {
    const KIND: KindName = KindName::known("ApiToken");
    type Spec = ApiTokenSpec;
    type Status = ApiTokenStatus;
}

impl Declared for ApiToken {
    const FIELDS: &'static [Field] = &[];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::TOKEN_READ,
        create: Permission::TOKEN_CREATE,
        update: Permission::TOKEN_CREATE,
        archive: Permission::TOKEN_REVOKE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 80;
    const ABOUT: &'static str = "A long-lived token of a person's or the organization's programs.";
    const CASCADES: bool = true;
    const MANIFEST: bool = false;
    const OWN_ACTIONS: bool = true;
    const HIDDEN_STATUS: &'static [&'static str] = &["digest"];

    fn validate(spec: &ApiTokenSpec) -> Result<(), Invalid> {
        if !matches!(spec.principal, Principal::User(_) | Principal::Service(_)) {
            return Err(Invalid::new("principal", &spec.principal, "`user:<id>` or `service:<name>`"));
        }
        let length = spec.name.chars().count();
        if !(1..=63).contains(&length) || !is_plain(&spec.name) || spec.name.contains(['\n', '\r', '\t']) {
            return Err(Invalid::new("name", &spec.name, "1 to 63 characters, none of them for control"));
        }
        if !(1..=128).contains(&spec.scopes.len()) {
            return Err(Invalid::new("scopes", spec.scopes.len(), "1 to 128 permissions or patterns"));
        }
        Ok(())
    }

    fn references(spec: &ApiTokenSpec) -> Vec<Reference> {
        match spec.principal {
            Principal::User(user) => vec![Reference::new("principal", ResourceKey::of::<User>(user))],
            _ => Vec::new(),
        }
    }

    fn derived_name(spec: &ApiTokenSpec) -> Option<String> {
        Some(format!("{}/{}", spec.principal, spec.name))
    }
}
