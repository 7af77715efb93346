//! The OU that documents or a plan are about: the deepest one that all of them are in.

use crate::manifests::{Document, Given};
use powerloom_core::manifest::Plan;
use serde_json::Value;

impl Given {
    /// The deepest OU common to all; none where a document does not say, or cannot be read here: the server says why.
    pub(crate) fn common_ou(&self) -> Option<String> {
        match self {
            Self::Documents(documents) => of_documents(documents),
            Self::Plan(plan) => of_plan(plan),
        }
    }
}

/// Of documents, by the `ou_path` each of them names.
pub(crate) fn of_documents(documents: &[Document]) -> Option<String> {
    let mut paths = Vec::new();
    for document in documents {
        for value in serde_saphyr::from_multiple::<Value>(&document.text).ok()? {
            match value.pointer("/metadata/ou_path").and_then(Value::as_str) {
                Some(path) => paths.push(path.to_owned()),
                // An empty document, or a list of them, says nothing of its own.
                None if value.is_null() => {}
                None => return None,
            }
        }
    }
    deepest(paths)
}

/// Of a plan, by where what it changes is.
fn of_plan(plan: &Plan) -> Option<String> {
    let parent = |path: &str| path.rsplit_once('/').map_or_else(String::new, |(ou, _)| ou.to_owned());
    deepest(plan.steps.iter().map(|step| parent(&step.target.path)))
}

fn deepest(paths: impl IntoIterator<Item = String>) -> Option<String> {
    let common = paths.into_iter().reduce(|common, path| {
        let same = common.split('/').zip(path.split('/')).take_while(|(one, other)| one == other);
        same.map(|(part, _)| part).collect::<Vec<_>>().join("/")
    });
    common.map(|path| path.trim_end_matches('/').to_owned()).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Option<String> {
        let document = |text: &&str| Document { name: "a.yaml".to_owned(), text: (*text).to_owned() };
        of_documents(&texts.iter().map(document).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_the_deepest_that_all_documents_are_in() {
        let eng = "{kind: Skill, metadata: {name: a, ou_path: /acme/eng}}";
        let teams = "kind: Skill\nmetadata: {name: a, ou_path: /acme/eng/one}\n---\nkind: Skill\nmetadata: {name: b, ou_path: /acme/eng/two}\n";
        let english = "{kind: Skill, metadata: {name: a, ou_path: /acme/english}}";
        assert_eq!(of(&[eng]).as_deref(), Some("/acme/eng"));
        assert_eq!(of(&[teams]).as_deref(), Some("/acme/eng"));
        assert_eq!(of(&[teams, english]).as_deref(), Some("/acme"));
        assert_eq!(of(&[eng, "{kind: Skill, metadata: {name: b, ou_path: /other}}"]), None);
        assert_eq!(of(&["kind: ["]), None);
        assert_eq!(of(&["{kind: Skill}"]), None);
        assert_eq!(of(&[]), None);
    }
}
