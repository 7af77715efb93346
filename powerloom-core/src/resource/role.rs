//! Kind `Role`: a custom set of permissions, usable in one OU's subtree (sem. 2.2.2).

use crate::invalid::Invalid;
use crate::permission::{Permission, PermissionPattern};
use crate::record::{KindName, Schema};
use crate::resource::field::{DESCRIPTION, DISPLAY_NAME, Field, Form};
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};

/// A custom role.
#[derive(Debug)]
pub struct Role;

/// What a role's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
    /// What it permits.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 256))]
    pub permissions: Vec<PermissionPattern>,
}

impl Schema for Role {
    const KIND: KindName = KindName::known("Role");
    type Spec = RoleSpec;
    type Status = ();
}

impl Declared for Role {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("description", DESCRIPTION),
        Field::new("permissions", Form::Permissions).required(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::ROLE_READ,
        create: Permission::ROLE_CREATE,
        update: Permission::ROLE_UPDATE,
        archive: Permission::ROLE_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 22;
    const ABOUT: &'static str = "Permissions under a name, beside the built-in roles.";
    const AUTHZ: AuthzPart = AuthzPart::Subject(&["permissions"]);

    fn validate(spec: &RoleSpec) -> Result<(), Invalid> {
        if spec.permissions.is_empty() || spec.permissions.len() > 256 {
            return Err(Invalid::new("permissions", spec.permissions.len(), "1 to 256 permissions"));
        }
        Ok(())
    }
}
