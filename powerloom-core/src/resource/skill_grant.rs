//! Kind `SkillAccessGrant`: lets a principal use one skill (sem. 2.2.9).

use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::field::{Field, Form};
use crate::resource::group::principal_reference;
use crate::resource::kind::{Declared, Home, KindPermissions, Reference};
use crate::resource::skill::Skill;
use serde::{Deserialize, Serialize};

/// A grant of `skill:use` on a single skill.
#[derive(Debug)]
pub struct SkillAccessGrant;

/// Who may use which skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SkillAccessGrantSpec {
    /// The skill.
    pub skill: ResourceId,
    /// Who.
    pub principal: Principal,
}

impl Schema for SkillAccessGrant {
    const KIND: KindName = KindName::known("SkillAccessGrant");
    type Spec = SkillAccessGrantSpec;
    type Status = ();
}

impl Declared for SkillAccessGrant {
    const FIELDS: &'static [Field] = &[
        Field::new("skill_path", Form::Reference(Skill::KIND))
            .as_spec("skill")
            .in_metadata()
            .required()
            .immutable(),
        Field::new("principal_ref", Form::Principal)
            .as_spec("principal")
            .in_metadata()
            .required()
            .immutable(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::SKILL_READ,
        create: Permission::SKILL_UPDATE,
        update: Permission::SKILL_UPDATE,
        archive: Permission::SKILL_UPDATE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 75;
    const ABOUT: &'static str = "Lets a principal use a skill.";
    const CASCADES: bool = true;

    fn references(spec: &SkillAccessGrantSpec) -> Vec<Reference> {
        // Who passes the use of a skill on must hold it.
        let skill =
            Reference::new("skill", ResourceKey::of::<Skill>(spec.skill)).needing(Permission::SKILL_USE);
        std::iter::once(skill).chain(principal_reference("principal", &spec.principal)).collect()
    }

    fn derived_name(spec: &SkillAccessGrantSpec) -> Option<String> {
        Some(format!("{}+{}", spec.skill, spec.principal))
    }
}
