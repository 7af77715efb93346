//! Skill versions on the service (rows P50, P51).
//!
//! A skill of ours is a skill there, made with its first version. Skills have no metadata: the display name carries
//! our id. Of a version there is nothing to tell it by but its files, so a lost answer is found by downloading the
//! versions and comparing the hashes of their trees.
//!
//! **The executable bit** does not travel: an upload has no modes. The hash of a downloaded tree takes the bits from
//! the files that were to be pushed, where those are known; else from the archive, and failing that as if no file
//! had it. So [`find`], which knows no files, does not find a lost version with executable files whose bits the
//! service dropped: it stays until its skill is deleted.

use crate::cma::client::CmaClient;
use crate::cma::runtime::failure::{created, failed, found, not_sent, on_object};
use crate::cma::runtime::skill_archive::SkillArchive;
use crate::cma::runtime::tag::{PAGE, first};
use crate::cma::skill::{ListSkills, Skill};
use crate::cma::skill_version::ListSkillVersions;
use crate::cma::upload::UploadFile;
use futures::TryStreamExt;
use powerloom_core::id::ResourceId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::Schema;
use powerloom_core::resource::skill_version::SkillVersion;
use powerloom_core::runtime::{
    Placed, Push, RuntimeError, RuntimeErrorClass, RuntimeResult, SkillFile, SkillVersionPayload,
};
use std::collections::{BTreeMap, BTreeSet};

const CREATE: &str = "create a skill version";
const FIND: &str = "look for a skill version";
const REMOVE: &str = "delete a skill version";
/// Most characters of a display name.
const DISPLAY_NAME: usize = 255;

/// A version never changes: one that is on the runtime is only looked at. The skill is always looked for before one
/// is made, since a skill whose first version was lost is there without any record of ours.
pub(crate) async fn push(
    client: &CmaClient,
    push: &Push,
    payload: &SkillVersionPayload,
) -> RuntimeResult<RemoteRef> {
    if let Some(remote) = &push.remote {
        let skill = parent(CREATE, remote)?;
        let read = client.skill_versions().retrieve(skill, &remote.id).await;
        return read.map(|_| remote.clone()).map_err(|error| on_object("read a skill version", error));
    }
    let known = older(&push.placed).find_map(|remote| remote.parent.clone());
    let skill = match known {
        Some(skill) => Some(skill),
        None => skill_of(client, payload.skill).await?,
    };
    let files = upload(payload, push);
    let Some(skill) = skill else {
        let name = display_name(&payload.skill_name, payload.skill);
        let made =
            client.skills().create(Some(&name), &files).await.map_err(|error| created(CREATE, error))?;
        return match made.latest_version_id.clone() {
            Some(version) => Ok(place(version, &made.id)),
            None => newest(client, &made).await,
        };
    };
    if push.unsure {
        let pushed = push.files.iter().map(|(file, _)| file);
        if let Some(remote) = same_tree(client, &skill, payload, pushed, &push.placed).await? {
            return Ok(remote);
        }
    }
    let made = client.skill_versions().create(&skill, &files).await;
    made.map(|version| place(version.id, &skill)).map_err(|error| created(CREATE, error))
}

/// What is there is what was pushed: a version never changes.
pub(crate) async fn observe(
    client: &CmaClient,
    remote: &RemoteRef,
    expected: &SkillVersionPayload,
) -> RuntimeResult<Option<(SkillVersionPayload, RemoteRef)>> {
    let skill = parent("read a skill version", remote)?;
    let read = found(client.skill_versions().retrieve(skill, &remote.id).await);
    let read = read.map_err(|error| failed("read a skill version", error))?;
    Ok(read.map(|_| (expected.clone(), remote.clone())))
}

/// The only version of a skill cannot be deleted: then the skill is.
pub(crate) async fn remove(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<()> {
    let skill = parent(REMOVE, remote)?;
    let refused = match found(client.skill_versions().delete(skill, &remote.id).await) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if refused.status() != Some(400) {
        return Err(failed(REMOVE, refused));
    }
    let list = ListSkillVersions { limit: Some(2), ..ListSkillVersions::default() };
    match found(client.skill_versions().list(skill, &list).await) {
        Ok(None) => Ok(()),
        Ok(Some(page)) => match page.data.as_slice() {
            [only] if only.id == remote.id && page.next_page.is_none() => {
                found(client.skills().delete(skill).await).map(drop).map_err(|error| failed(REMOVE, error))
            }
            _ => Err(failed(REMOVE, refused)),
        },
        Err(error) => Err(failed(REMOVE, error)),
    }
}

/// Finds a lost version, to remove it. Where it is not known which version came before, one with the same files may
/// have a record of its own: then none is found, and a lost one stays until its skill is deleted.
pub(crate) async fn find(
    client: &CmaClient,
    payload: &SkillVersionPayload,
    placed: &Placed,
) -> RuntimeResult<Option<RemoteRef>> {
    if payload.number > 1 && older(placed).next().is_none() {
        return Ok(None);
    }
    match skill_of(client, payload.skill).await? {
        Some(skill) => same_tree(client, &skill, payload, std::iter::empty(), placed).await,
        None => Ok(None),
    }
}

/// The version with the payload's tree. Only versions newer than those in `placed` are looked at: versions reach the
/// runtime in their order, and an older one with the same files has a record of its own.
async fn same_tree(
    client: &CmaClient,
    skill: &str,
    payload: &SkillVersionPayload,
    pushed: impl Iterator<Item = &SkillFile>,
    placed: &Placed,
) -> RuntimeResult<Option<RemoteRef>> {
    let modes: BTreeMap<&str, bool> = pushed.map(|file| (file.path.as_str(), file.executable)).collect();
    let older: BTreeSet<&str> = older(placed).map(|remote| remote.id.as_str()).collect();
    let failed = |error| failed(FIND, error);
    let list = ListSkillVersions { limit: Some(PAGE), ..ListSkillVersions::default() };
    let mut versions = client.skill_versions().all(skill, list);
    while let Some(version) = versions.try_next().await.map_err(failed)? {
        if older.contains(version.id.as_str()) {
            break;
        }
        let Some(zip) = found(client.skill_versions().download(skill, &version.id).await).map_err(failed)?
        else {
            continue;
        };
        let archive = SkillArchive::read(zip).await.map_err(|source| unreadable(&version.id, source))?;
        if archive.has_hash(payload.content_hash, &modes) {
            return Ok(Some(place(version.id, skill)));
        }
    }
    Ok(None)
}

/// The versions before, as far as they are known.
fn older(placed: &Placed) -> impl Iterator<Item = &RemoteRef> {
    placed.iter().filter(|(key, _)| key.kind == SkillVersion::KIND).map(|(_, remote)| remote)
}

async fn newest(client: &CmaClient, skill: &Skill) -> RuntimeResult<RemoteRef> {
    let list = ListSkillVersions { limit: Some(1), ..ListSkillVersions::default() };
    let page = client.skill_versions().list(&skill.id, &list).await.map_err(|error| failed(CREATE, error))?;
    let version = page.data.into_iter().next().ok_or_else(|| {
        not_sent(CREATE, "the new skill has no version", RuntimeErrorClass::Transient).maybe_applied(true)
    })?;
    Ok(place(version.id, &skill.id))
}

/// The service's id of our skill. Its name may have changed since: the id in the display name counts.
async fn skill_of(client: &CmaClient, skill: ResourceId) -> RuntimeResult<Option<String>> {
    let ending = ending(skill);
    let list = ListSkills { limit: Some(PAGE), source: Some("custom".to_owned()), ..ListSkills::default() };
    let found = first(client.skills().all(list), |found| found.display_name.ends_with(&ending)).await;
    found.map(|skill| skill.map(|skill| skill.id)).map_err(|error| failed("look for a skill", error))
}

fn display_name(name: &str, skill: ResourceId) -> String {
    let ending = ending(skill);
    let room = DISPLAY_NAME.saturating_sub(ending.len());
    name.chars().take(room).chain(ending.chars()).collect()
}

fn ending(skill: ResourceId) -> String {
    format!(" [{skill}]")
}

fn upload(payload: &SkillVersionPayload, push: &Push) -> Vec<UploadFile> {
    let of = |(file, bytes): &(SkillFile, bytes::Bytes)| {
        UploadFile::new(format!("{}/{}", payload.skill_name, file.path), bytes.clone())
    };
    push.files.iter().map(of).collect()
}

fn place(version: String, skill: &str) -> RemoteRef {
    RemoteRef { id: version, version: None, parent: Some(skill.to_owned()) }
}

fn parent<'a>(operation: &str, remote: &'a RemoteRef) -> RuntimeResult<&'a str> {
    let lost = || not_sent(operation, "it is not known of which skill it is", RuntimeErrorClass::Permanent);
    remote.parent.as_deref().ok_or_else(lost)
}

fn unreadable(version: &str, source: zip::result::ZipError) -> RuntimeError {
    let why = format!("the files of `{version}` cannot be read");
    not_sent(FIND, why, RuntimeErrorClass::Transient).caused_by(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_carries_the_id_within_its_limit() {
        let id = ResourceId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(display_name("refunds", id), "refunds [00000000-0000-0000-0000-000000000007]");
        let long = display_name(&"é".repeat(300), id);
        assert_eq!(long.chars().count(), DISPLAY_NAME);
        assert!(long.ends_with(&ending(id)));
    }
}
