//! Kind `RoleBinding`: who holds which role where (sem. 2.2.3). Immutable: a change is archive + create.

use crate::authz::{Effect, RoleRef};
use crate::clock::Timestamp;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::field::{Field, Form};
use crate::resource::group::principal_reference;
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions, Reference};
use crate::resource::role::Role;
use serde::{Deserialize, Serialize};

/// A role binding. Its governing OU is its scope.
#[derive(Debug)]
pub struct RoleBinding;

/// What a binding's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleBindingSpec {
    /// Who.
    pub principal: Principal,
    /// Which role.
    pub role: RoleRef,
    /// Gives or takes; taking wins over every giving.
    #[serde(default = "allow")]
    pub effect: Effect,
    /// From this moment on it does not count; `None`: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Schema for RoleBinding {
    const KIND: KindName = KindName::known("RoleBinding");
    type Spec = RoleBindingSpec;
    type Status = ();
}

impl Declared for RoleBinding {
    const FIELDS: &'static [Field] = &[
        Field::new("principal_ref", Form::Principal).as_spec("principal").required().immutable(),
        Field::new("role", Form::Role).required().immutable(),
        Field::new("effect", Form::Choice(&["allow", "deny"])).immutable(),
        Field::new("expires_at", Form::Time).immutable(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::BINDING_READ,
        create: Permission::BINDING_CREATE,
        update: Permission::BINDING_CREATE,
        archive: Permission::BINDING_DELETE,
    };
    const HOME: Home = Home::InOu;
    const RANK: u8 = 80;
    const ABOUT: &'static str =
        "Gives a principal a role at an OU and all below it, or denies it what the role holds.";
    const CASCADES: bool = true;
    const AUTHZ: AuthzPart = AuthzPart::Grant;

    fn references(spec: &RoleBindingSpec) -> Vec<Reference> {
        let mut references: Vec<Reference> =
            principal_reference("principal", &spec.principal).into_iter().collect();
        if let RoleRef::Custom(id) = &spec.role {
            references.push(Reference::new("role", ResourceKey::of::<Role>(*id)));
        }
        references
    }

    fn derived_name(spec: &RoleBindingSpec) -> Option<String> {
        Some(format!("{}={}", spec.principal, spec.role))
    }
}

fn allow() -> Effect {
    Effect::Allow
}
