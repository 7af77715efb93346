//! Kinds `Group` and `GroupMembership`: principals that hold for their members, nested (sem. 2.1).

use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::field::{DESCRIPTION, DISPLAY_NAME, Field, Form};
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions, Reference};
use crate::resource::ou::Ou;
use crate::resource::user::User;
use serde::{Deserialize, Serialize};

/// A group.
#[derive(Debug)]
pub struct Group;

/// What a group's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
}

impl Schema for Group {
    const KIND: KindName = KindName::known("Group");
    type Spec = GroupSpec;
    type Status = ();
}

impl Declared for Group {
    const FIELDS: &'static [Field] =
        &[Field::new("display_name", DISPLAY_NAME), Field::new("description", DESCRIPTION)];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::GROUP_READ,
        create: Permission::GROUP_CREATE,
        update: Permission::GROUP_UPDATE,
        archive: Permission::GROUP_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 20;
    const ABOUT: &'static str = "A group: what is bound to it holds for its members.";
    const AUTHZ: AuthzPart = AuthzPart::Subject(&[]);
}

/// A principal's membership of a group.
#[derive(Debug)]
pub struct GroupMembership;

/// Who belongs to which group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupMembershipSpec {
    /// The group.
    pub group: ResourceId,
    /// The member: a user, an agent or another group.
    pub member: Principal,
}

impl Schema for GroupMembership {
    const KIND: KindName = KindName::known("GroupMembership");
    type Spec = GroupMembershipSpec;
    type Status = ();
}

impl Declared for GroupMembership {
    const FIELDS: &'static [Field] = &[
        Field::new("group_path", Form::Reference(Group::KIND))
            .as_spec("group")
            .in_metadata()
            .required()
            .immutable(),
        Field::new("member_ref", Form::Principal).as_spec("member").in_metadata().required().immutable(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::GROUP_READ,
        create: Permission::GROUP_MANAGE_MEMBERS,
        update: Permission::GROUP_MANAGE_MEMBERS,
        archive: Permission::GROUP_MANAGE_MEMBERS,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 25;
    const ABOUT: &'static str = "A principal's membership of a group.";
    const CASCADES: bool = true;
    const AUTHZ: AuthzPart = AuthzPart::Grant;

    fn validate(spec: &GroupMembershipSpec) -> Result<(), Invalid> {
        match &spec.member {
            Principal::User(_) | Principal::Agent(_) | Principal::Service(_) => Ok(()),
            Principal::Group(member) if *member != spec.group => Ok(()),
            Principal::Group(_) => Err(Invalid::hidden("member", "another group than the group itself")),
            Principal::Ou(_) => {
                Err(Invalid::new("member", &spec.member, "a user, an agent, a service or a group"))
            }
        }
    }

    fn references(spec: &GroupMembershipSpec) -> Vec<Reference> {
        let mut references = vec![Reference::new("group", ResourceKey::of::<Group>(spec.group))];
        references.extend(principal_reference("member", &spec.member));
        references
    }

    fn derived_name(spec: &GroupMembershipSpec) -> Option<String> {
        Some(format!("{}+{}", spec.group, spec.member))
    }
}

/// The record a principal stands for; a service has none.
#[must_use]
pub fn principal_reference(field: &str, principal: &Principal) -> Option<Reference> {
    let target = match principal {
        Principal::User(id) => ResourceKey::of::<User>(*id),
        Principal::Group(id) => ResourceKey::of::<Group>(*id),
        Principal::Ou(id) => ResourceKey::of::<Ou>(*id),
        Principal::Agent(id) => ResourceKey { kind: KindName::known("Agent"), id: *id },
        Principal::Service(_) => return None,
    };
    Some(Reference::new(field, target))
}
