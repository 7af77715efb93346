//! Kind `OU`: a node of the organization's tree (rows P16, P19).

use crate::permission::Permission;
use crate::record::{KindName, Schema};
use crate::resource::field::{DISPLAY_NAME, Field};
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};

/// An organizational unit. Its governing OU is its parent; the root governs itself.
#[derive(Debug)]
pub struct Ou;

/// What an OU's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OuSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
}

impl Schema for Ou {
    const KIND: KindName = KindName::known("OU");
    type Spec = OuSpec;
    type Status = ();
}

impl Declared for Ou {
    const FIELDS: &'static [Field] = &[Field::new("display_name", DISPLAY_NAME)];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::OU_READ,
        create: Permission::OU_CREATE,
        update: Permission::OU_UPDATE,
        archive: Permission::OU_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 10;
    const ABOUT: &'static str =
        "An organizational unit: where resources live, and where permissions are judged.";
    const AUTHZ: AuthzPart = AuthzPart::Subject(&[]);
}
