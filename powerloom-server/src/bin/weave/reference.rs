//! How people name a resource: by its id, its bare name, or the path of its OU and its name.

use crate::failure::Usage;
use crate::kinds::Kind;
use crate::output::plain;
use crate::weave::Weave;
use serde_json::Value;

/// A name as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A UUID.
    Id(String),
    /// `/acme/engineering/code-reviewer`: an OU, and a name in it.
    Path {
        /// The OU.
        ou: String,
        /// The name.
        name: String,
    },
    /// A name alone.
    Name(String),
}

impl Reference {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Usage`] for an empty name, or a path without one.
    pub(crate) fn read(text: &str) -> Result<Self, Usage> {
        let text = text.trim();
        let refused = || {
            Usage(format!(
                "`{}` names nothing: expected an id, a name, or `/ou/path/name`",
                plain::line(text)
            ))
        };
        if text.is_empty() {
            return Err(refused());
        }
        if uuid::Uuid::try_parse(text).is_ok() {
            return Ok(Self::Id(text.to_ascii_lowercase()));
        }
        if !text.starts_with('/') {
            return Ok(Self::Name(text.to_owned()));
        }
        let (ou, name) = text.trim_end_matches('/').rsplit_once('/').ok_or_else(refused)?;
        if name.is_empty() {
            return Err(refused());
        }
        Ok(Self::Path { ou: ou.to_owned(), name: name.to_owned() })
    }
}

/// The text of a field of a view.
pub(crate) fn field<'a>(view: &'a Value, name: &str) -> &'a str {
    view.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A principal in the body of a request: `user:<id>` as it is, anything else as people write it.
pub(crate) fn principal(text: &str) -> (String, Value) {
    let is_id = text.split_once(':').is_some_and(|(_, id)| uuid::Uuid::try_parse(id).is_ok());
    (if is_id { "principal" } else { "principal_ref" }.to_owned(), Value::from(text))
}

/// Where a view is, for people: `/acme/engineering/code-reviewer`; of an OU its own path.
pub(crate) fn path_of(view: &Value) -> String {
    match (field(view, "path"), field(view, "ou_path"), field(view, "name")) {
        (path, ..) if path.starts_with('/') && field(view, "kind") == "OU" => path.to_owned(),
        (_, "", name) => name.to_owned(),
        (_, ou, name) => format!("{ou}/{name}"),
    }
}

impl Weave {
    /// The id of an OU.
    ///
    /// # Errors
    /// [`Usage`] if there is none of this path that we may read.
    pub(crate) async fn ou_id(&self, path: &str) -> anyhow::Result<String> {
        if uuid::Uuid::try_parse(path).is_ok() {
            return Ok(path.to_owned());
        }
        let path = path.trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or_default();
        let found = self.api.list("/ous", &[("name", name.to_owned())], None).await?;
        if let Some(ou) = found.iter().find(|ou| field(ou, "path") == path) {
            return Ok(field(ou, "id").to_owned());
        }
        let me = self.whoami().await?;
        match me.root_ou_id {
            Some(root) if me.root_ou_path.as_deref() == Some(path) => Ok(root),
            _ => Err(Usage(format!("there is no OU `{}` that you may read", plain::line(path))).into()),
        }
    }

    /// The one resource a name means.
    ///
    /// # Errors
    /// [`Usage`] if there is none, or a bare name means several.
    pub(crate) async fn find(&self, kind: &Kind, text: &str, ou: Option<&str>) -> anyhow::Result<Value> {
        let (name, ou) = match Reference::read(text)? {
            Reference::Id(id) => return self.api.get(format!("{}/{id}", kind.path)).send().await?.json(),
            Reference::Path { .. } if kind.name == "OU" => {
                let id = self.ou_id(text).await?;
                return self.api.get(format!("{}/{id}", kind.path)).send().await?.json();
            }
            Reference::Path { ou, name } => (name, Some(ou)),
            Reference::Name(name) => (name, ou.map(str::to_owned)),
        };
        let mut query = vec![("name", name.clone())];
        if let Some(ou) = &ou {
            query.push(("ou_id", self.ou_id(ou).await?));
        }
        let mut found = self.api.list(&kind.path, &query, None).await?;
        if found.len() > 1 {
            let paths: Vec<String> = found.iter().map(path_of).collect();
            let paths = plain::line(&paths.join(", ")).into_owned();
            return Err(Usage(format!("several are called `{name}`: say which of {paths}")).into());
        }
        let place = ou.map_or_else(String::new, |ou| format!(" in {ou}"));
        let noun = kind.path.rsplit('/').next().unwrap_or_default();
        found.pop().ok_or_else(|| {
            let text = format!("there is none called `{name}`{place} among the {noun} you may read");
            NotFound(plain::line(&text).into_owned()).into()
        })
    }
}

/// There is no such thing, or we may not read it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(String);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_a_name_and_a_path_are_told_apart() {
        let path = |ou: &str, name: &str| Reference::Path { ou: ou.to_owned(), name: name.to_owned() };
        let id = "0190B6E4-7C57-7F00-8000-000000000001";
        assert_eq!(Reference::read(id).unwrap(), Reference::Id(id.to_ascii_lowercase()));
        assert_eq!(Reference::read("code-reviewer").unwrap(), Reference::Name("code-reviewer".to_owned()));
        assert_eq!(Reference::read("/acme/eng/lint").unwrap(), path("/acme/eng", "lint"));
        assert_eq!(Reference::read("/acme/eng/").unwrap(), path("/acme", "eng"));
        for nothing in ["", "  ", "/", "//"] {
            assert!(Reference::read(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn a_principal_is_told_by_id_or_as_people_write_it() {
        assert_eq!(principal("user:0190b6e4-7c57-7f00-8000-000000000001").0, "principal");
        assert_eq!(principal("user:ada@acme.com").0, "principal_ref");
        assert_eq!(principal("service:ci").0, "principal_ref");
    }

    #[test]
    fn an_ou_is_shown_by_its_own_path() {
        assert_eq!(
            path_of(&json!({ "kind": "OU", "name": "eng", "ou_path": "/acme/eng", "path": "/acme/eng" })),
            "/acme/eng"
        );
        assert_eq!(
            path_of(&json!({ "kind": "Skill", "name": "lint", "ou_path": "/acme/eng" })),
            "/acme/eng/lint"
        );
    }
}
