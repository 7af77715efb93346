//! Kind `Skill`: a versioned code package (rows P49–P53).

use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::{KindName, Schema};
use crate::resource::field::{DISPLAY_NAME, Field, Form};
use crate::resource::kind::{Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};

/// A skill. Its versions are records of their own.
#[derive(Debug)]
pub struct Skill;

/// What a skill's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SkillSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 1024))]
    pub description: Option<String>,
}

/// What this side adds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SkillStatus {
    /// The newest version: agents that follow the skill get this one.
    #[cfg_attr(feature = "schema", schema(required))]
    pub current: Option<CurrentVersion>,
}

/// A version by its stable identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CurrentSkillVersion))]
pub struct CurrentVersion {
    /// The version's record.
    pub id: ResourceId,
    /// Its number, counted from 1.
    #[cfg_attr(feature = "schema", schema(minimum = 1))]
    pub number: u64,
}

impl Schema for Skill {
    const KIND: KindName = KindName::known("Skill");
    type Spec = SkillSpec;
    type Status = SkillStatus;
}

impl Declared for Skill {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("description", Form::Text { min: 0, max: 1024 }),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::SKILL_READ,
        create: Permission::SKILL_CREATE,
        update: Permission::SKILL_UPDATE,
        archive: Permission::SKILL_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 30;
    const ABOUT: &'static str = "A skill agents can have; its files are uploaded as versions.";
    const FOLLOWED: bool = true;
}
