//! Skills: folders of instructions an agent can be given. Their content is in their versions.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::page::{Page, all, push};
use crate::cma::upload::{UploadFile, form};
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::Deserialize;

impl CmaClient {
    /// The skills of the key's workspace, and the vendor's.
    #[must_use]
    pub const fn skills(&self) -> Skills<'_> {
        Skills(self)
    }
}

/// Calls on skills; from [`CmaClient::skills`]. They are out of beta: no beta name is sent.
#[derive(Debug, Clone, Copy)]
pub struct Skills<'a>(&'a CmaClient);

impl Skills<'_> {
    /// Creates a skill with its first version. The files are under one directory with a `SKILL.md` in it, or one zip;
    /// under 30 MB together. `display_name` is the service's to choose if it is `None`. Not idempotent.
    ///
    /// # Errors
    /// 400 if the front matter of `SKILL.md` is not as it must be.
    pub async fn create(&self, display_name: Option<&str>, files: &[UploadFile]) -> Result<Skill, CmaError> {
        let mut form = form("files[]", files)?;
        if let Some(name) = display_name {
            form = form.text("display_name", name.to_owned());
        }
        self.0.json(Call::post("skills").without_beta().form(form), "the skill").await
    }

    /// Reads a skill.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn retrieve(&self, id: &str) -> Result<Skill, CmaError> {
        self.0.json(Call::get("skills").without_beta().id("skill", id)?, "the skill").await
    }

    /// Deletes a skill with all its versions.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn delete(&self, id: &str) -> Result<(), CmaError> {
        let call = Call::delete("skills").without_beta().id("skill", id)?;
        self.0.bytes(call, "the deletion").await.map(drop)
    }

    /// One page of skills.
    ///
    /// # Errors
    /// 400 for a cursor that is not of this list.
    pub async fn list(&self, list: &ListSkills) -> Result<Page<Skill>, CmaError> {
        let call = Call::get("skills").without_beta().query(list.query(list.page.as_deref()));
        self.0.json(call, "the skills").await
    }

    /// Every skill, page after page.
    #[must_use]
    pub fn all(&self, list: ListSkills) -> BoxStream<'static, Result<Skill, CmaError>> {
        all(self.0.clone(), "the skills", move |page| {
            Ok(Call::get("skills").without_beta().query(list.query(page.or(list.page.as_deref()))))
        })
    }
}

/// A skill as the service holds it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Skill {
    /// `skill_…`
    pub id: String,
    /// What it is called, for people; need not be unique.
    #[serde(default, alias = "display_title", deserialize_with = "null_is_empty")]
    pub display_name: String,
    /// `skver_…`, the version a session gets that asks for none.
    #[serde(default, alias = "latest_version")]
    pub latest_version_id: Option<String>,
    /// Whose it is.
    #[serde(default)]
    pub source: Option<SkillSource>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
}

/// Whose a skill is. A service that still answers in the old form gives the bare word.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "SourceWire")]
#[non_exhaustive]
pub struct SkillSource {
    /// `custom`, `anthropic`, `anthropic_example`, `plugin`, or a word to come.
    pub kind: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SourceWire {
    Word(String),
    Object {
        #[serde(rename = "type")]
        kind: String,
    },
}

impl From<SourceWire> for SkillSource {
    fn from(wire: SourceWire) -> Self {
        match wire {
            SourceWire::Word(kind) | SourceWire::Object { kind } => Self { kind },
        }
    }
}

/// Which skills to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListSkills {
    /// 1 to 1 000 a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// `custom` or `anthropic`; `None` means both.
    pub source: Option<String>,
}

impl ListSkills {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        push(&mut query, "source", self.source.as_deref());
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_skill_are_read() {
        let new = r#"{"type":"skill","id":"skill_1","display_name":"n","latest_version_id":"skver_1","source":{"type":"custom"}}"#;
        let old = r#"{"type":"skill","id":"skill_1","display_title":"n","latest_version":"skver_1","source":"custom","has_more":false}"#;
        for json in [new, old] {
            let skill: Skill = serde_json::from_str(json).unwrap();
            assert_eq!(
                (skill.display_name.as_str(), skill.latest_version_id.as_deref()),
                ("n", Some("skver_1"))
            );
            assert_eq!(skill.source.unwrap().kind, "custom");
        }
    }
}
