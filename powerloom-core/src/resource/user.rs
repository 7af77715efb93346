//! Kind `User`: a person, known by e-mail (rows M18, M32).

use crate::invalid::Invalid;
use crate::name::Email;
use crate::permission::Permission;
use crate::record::{KindName, Schema};
use crate::resource::field::{DISPLAY_NAME, Field, Form};
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};

/// A user. Its governing OU is its home OU.
#[derive(Debug)]
pub struct User;

/// What is known about a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The address; unique in the organization, without case.
    pub email: Email,
    /// What people call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// May do nothing; neither may agents they own.
    #[serde(default)]
    pub disabled: bool,
}

impl Schema for User {
    const KIND: KindName = KindName::known("User");
    type Spec = UserSpec;
    type Status = ();
}

impl Declared for User {
    const FIELDS: &'static [Field] = &[
        Field::new("email", Form::Email).in_metadata().required().immutable(),
        Field::new("display_name", DISPLAY_NAME),
        Field::new("disabled", Form::Flag),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::USER_READ,
        create: Permission::USER_CREATE,
        update: Permission::USER_UPDATE,
        archive: Permission::USER_DISABLE,
    };
    const HOME: Home = Home::Global;
    const RANK: u8 = 15;
    const ABOUT: &'static str = "A person, known by an e-mail address.";
    const AUTHZ: AuthzPart = AuthzPart::Subject(&["disabled"]);

    fn validate(_spec: &UserSpec) -> Result<(), Invalid> {
        Ok(())
    }

    fn derived_name(spec: &UserSpec) -> Option<String> {
        Some(spec.email.to_string())
    }
}
