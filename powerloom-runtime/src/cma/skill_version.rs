//! Versions of a skill: each a complete snapshot of its files, never changed.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::page::{Page, all, push};
use crate::cma::upload::{UploadFile, form};
use bytes::Bytes;
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::Deserialize;

impl CmaClient {
    /// The versions of skills.
    #[must_use]
    pub const fn skill_versions(&self) -> SkillVersions<'_> {
        SkillVersions(self)
    }
}

/// Calls on versions of skills; from [`CmaClient::skill_versions`]. A version is named by its id, `skver_…`, or
/// `latest`. They are out of beta: no beta name is sent.
#[derive(Debug, Clone, Copy)]
pub struct SkillVersions<'a>(&'a CmaClient);

impl SkillVersions<'_> {
    /// Adds a version: all files again, with the same name in the front matter. Agents that name a version keep it.
    ///
    /// # Errors
    /// 400 if the name is not the skill's.
    pub async fn create(&self, skill: &str, files: &[UploadFile]) -> Result<SkillVersion, CmaError> {
        let call = versions(Call::post("skills"), skill)?.form(form("files[]", files)?);
        self.0.json(call, "the version of the skill").await
    }

    /// Reads a version.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn retrieve(&self, skill: &str, version: &str) -> Result<SkillVersion, CmaError> {
        let call = versions(Call::get("skills"), skill)?.id("version", version)?;
        self.0.json(call, "the version of the skill").await
    }

    /// Deletes a version.
    ///
    /// # Errors
    /// 400 if it is the only one.
    pub async fn delete(&self, skill: &str, version: &str) -> Result<(), CmaError> {
        let call = versions(Call::delete("skills"), skill)?.id("version", version)?;
        self.0.bytes(call, "the deletion").await.map(drop)
    }

    /// The files of a version as a zip of at most 32 MiB.
    ///
    /// # Errors
    /// 404 if there is none of that id; [`CmaError::Decode`] for one that is larger.
    pub async fn download(&self, skill: &str, version: &str) -> Result<Bytes, CmaError> {
        let call = versions(Call::get("skills"), skill)?.id("version", version)?.then("content");
        self.0.bytes(call, "the files of the skill").await
    }

    /// One page of the versions of a skill, newest first.
    ///
    /// # Errors
    /// 404 if there is no such skill.
    pub async fn list(&self, skill: &str, list: &ListSkillVersions) -> Result<Page<SkillVersion>, CmaError> {
        let call = versions(Call::get("skills"), skill)?.query(list.query(list.page.as_deref()));
        self.0.json(call, "the versions of the skill").await
    }

    /// Every version of a skill, page after page.
    #[must_use]
    pub fn all(
        &self,
        skill: &str,
        list: ListSkillVersions,
    ) -> BoxStream<'static, Result<SkillVersion, CmaError>> {
        let skill = skill.to_owned();
        all(self.0.clone(), "the versions of the skill", move |page| {
            Ok(versions(Call::get("skills"), &skill)?.query(list.query(page.or(list.page.as_deref()))))
        })
    }
}

fn versions(call: Call, skill: &str) -> Result<Call, CmaError> {
    Ok(call.without_beta().id("skill", skill)?.then("versions"))
}

/// A version of a skill as the service holds it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct SkillVersion {
    /// `skver_…`
    pub id: String,
    /// `skill_…`
    #[serde(default, deserialize_with = "null_is_empty")]
    pub skill_id: String,
    /// The name in the front matter.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
    /// The description in the front matter.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub description: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListSkillVersions {
    /// 1 to 1 000 a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
}

impl ListSkillVersions {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}
