//! Uploading a version of a skill (rows P50, P51; sem. 2.6).

use crate::audit::Change;
use crate::digest::Digest;
use crate::door::mutation::UploadedFile;
use crate::door::work::{Draft, Step, Work, refuse_archived};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::permission::Permission;
use crate::record::{Metadata, Record, RecordRow, Schema, Stage};
use crate::resource::skill::{CurrentVersion, Skill, SkillStatus};
use crate::resource::skill_version::{SkillVersion, SkillVersionSpec};
use crate::skill_tree::SkillTree;
use crate::store::{Precondition, Write};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Checks and writes a `publish`. Files that are the current version already change nothing; files that are an
/// older version make that one current again.
pub(crate) async fn publish(work: &mut Work<'_>, skill: ResourceId, files: &[UploadedFile]) -> Step<Draft> {
    let (row, record) = work.record::<Skill>(skill).await?;
    work.about(&Skill::KIND, skill, "publish", row.meta.ou);
    work.require(Permission::SKILL_PUBLISH, row.meta.ou)?;
    // Only now: it names the skill, and hashes megabytes.
    let tree = SkillTree::read(files, &row.meta.name, &work.plane.limits)?;
    work.replay().await?;

    refuse_archived(&row)?;
    let versions = versions(work, &row).await?;
    let same = versions.iter().find(|version| version.1.spec.content_hash == tree.content_hash);
    let current = record.status.current;
    if let Some((found, version)) = same {
        if current.is_some_and(|current| current.id == version.meta.id) {
            return Ok(Draft::unchanged(found.clone()));
        }
        let draft = Draft::new(Some(found.clone()), Change::default());
        let now_current = CurrentVersion { id: version.meta.id, number: version.spec.number };
        return follow(work, &row, current, now_current, &tree, draft, None).await;
    }
    let last = versions.iter().max_by_key(|(_, version)| version.spec.number);
    let spec = SkillVersionSpec {
        skill,
        previous: last.map(|(_, version)| version.meta.id),
        number: last.map_or(1, |(_, version)| version.spec.number + 1),
        content_hash: tree.content_hash,
        files: tree.files.clone(),
    };
    let version = version_row(work, &row, &spec)?;
    let mut draft = Draft::new(Some(version.clone()), Change::default());
    draft.created = true;
    draft.expect.push(Precondition::RecordVersion { key: version.key(), version: 0 });
    for file in files {
        let digest = Digest::of(&file.content);
        draft.write.push(Write::PutBlob { digest, bytes: Bytes::from(file.content.clone()) });
    }
    let now_current = CurrentVersion { id: version.meta.id, number: spec.number };
    follow(work, &row, current, now_current, &tree, draft, Some(version)).await
}

/// Makes a version current: those who follow the skill become dirty.
async fn follow(
    work: &Work<'_>,
    row: &RecordRow,
    before: Option<CurrentVersion>,
    after: CurrentVersion,
    tree: &SkillTree,
    mut draft: Draft,
    new: Option<RecordRow>,
) -> Step<Draft> {
    let mut skill = row.clone();
    skill.status = value(&SkillStatus { current: Some(after) })?;
    skill.meta.version += 1;
    skill.meta.updated_at = work.now;
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.change.before = json!({ "current": before.map(|version| version.number) });
    draft.change.after = json!({
        "current": after.number,
        "content_hash": tree.content_hash,
        "files": tree.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
    });
    let puts: Vec<RecordRow> = std::iter::once(skill).chain(new).collect();
    work.desire(&puts, &mut draft).await?;
    draft.write.extend(puts.into_iter().map(|row| Write::PutRecord(Box::new(row))));
    Ok(draft)
}

async fn versions(work: &Work<'_>, skill: &RecordRow) -> Result<Vec<(RecordRow, Record<SkillVersion>)>> {
    let mut versions = Vec::new();
    for row in work.plane.store.referrers(work.org.id, &skill.key()).await? {
        if row.kind == SkillVersion::KIND && row.is_live() {
            let record = Record::read(&row)?;
            versions.push((row, record));
        }
    }
    Ok(versions)
}

fn version_row(work: &Work<'_>, skill: &RecordRow, spec: &SkillVersionSpec) -> Result<RecordRow> {
    let kind = work.plane.catalogue.kind(&SkillVersion::KIND)?;
    let spec = value(spec)?;
    let name = kind.derived_name(&spec)?.unwrap_or_default();
    Ok(RecordRow {
        kind: SkillVersion::KIND,
        unique_key: kind.unique_key(skill.meta.ou, &name),
        meta: Metadata {
            id: ResourceId::generate(work.now, work.plane.entropy.as_ref()),
            name,
            version: 1,
            generation: 1,
            stage: Stage::Live,
            created_at: work.now,
            updated_at: work.now,
            labels: Labels::default(),
            managed: Map::new(),
            ..skill.meta.clone()
        },
        spec,
        status: Value::Null,
        refs: vec![skill.key()],
    })
}

fn value<T: Serialize>(of: &T) -> Result<Value> {
    serde_json::to_value(of).map_err(|error| Error::from(Invalid::new("spec", error, "what JSON can hold")))
}
