//! Kind `SkillVersion`: one immutable upload of a skill (rows P50, P51; sem. 2.6).

use crate::digest::Digest;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::field::Field;
use crate::resource::kind::{Declared, Home, KindPermissions, ProjectError, Projection, Reference, Related};
use crate::resource::skill::Skill;
use crate::runtime::{Payload, SkillFile, SkillVersionPayload};
use serde::{Deserialize, Serialize};

/// A version of a skill. It comes into being by publishing, never by a manifest.
#[derive(Debug)]
pub struct SkillVersion;

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SkillVersionSpec {
    /// The skill.
    pub skill: ResourceId,
    /// The version before, which reaches the runtime first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ResourceId>,
    /// Counted from 1.
    #[cfg_attr(feature = "schema", schema(minimum = 1))]
    pub number: u64,
    /// Hash of the file tree.
    pub content_hash: Digest,
    /// The files, sorted by path; their bytes are kept under their digests.
    pub files: Vec<SkillFile>,
}

impl Schema for SkillVersion {
    const KIND: KindName = KindName::known("SkillVersion");
    type Spec = SkillVersionSpec;
    type Status = ();
}

impl Declared for SkillVersion {
    const FIELDS: &'static [Field] = &[];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::SKILL_READ,
        create: Permission::SKILL_PUBLISH,
        update: Permission::SKILL_PUBLISH,
        archive: Permission::SKILL_DELETE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 31;
    const ABOUT: &'static str = "One upload of a skill.";
    const CASCADES: bool = true;
    const ON_RUNTIME: bool = true;
    const MANIFEST: bool = false;

    fn references(spec: &SkillVersionSpec) -> Vec<Reference> {
        vec![Reference::new("skill", ResourceKey::of::<Skill>(spec.skill))]
    }

    fn derived_name(spec: &SkillVersionSpec) -> Option<String> {
        Some(format!("{}@{}", spec.skill, spec.number))
    }

    fn project(record: &Record<Self>, related: &Related) -> Result<Option<Projection>, ProjectError> {
        let spec = &record.spec;
        let skill: Record<Skill> = related.record(spec.skill)?;
        let payload = SkillVersionPayload {
            skill: spec.skill,
            skill_name: skill.meta.name,
            number: spec.number,
            content_hash: spec.content_hash,
        };
        let depends_on = spec.previous.iter().map(|id| ResourceKey::of::<Self>(*id)).collect();
        Ok(Some(Projection { payload: Payload::SkillVersion(payload), depends_on }))
    }
}
