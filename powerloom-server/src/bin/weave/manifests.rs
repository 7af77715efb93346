//! The documents a command line names: files, folders, standard input.

use crate::failure::Usage;
use crate::output::plain;
use anyhow::Context;
use clap::Args;
use powerloom_core::manifest::Plan;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What ends the name of a file of documents in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Deepest folder below one that is named.
const MAX_DEPTH: usize = 32;

/// Which documents, and how they are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Manifests {
    /// Files with manifests, or folders of them; `-` is standard input
    #[arg(value_name = "FILE", conflicts_with = "file", required_unless_present = "file")]
    pub(crate) files: Vec<PathBuf>,

    /// The same, as an option; may be given more than once
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,

    /// The set these documents are all of: it owns what they declare, and remembers what it applied
    #[arg(long, value_name = "NAME")]
    pub(crate) set: Option<String>,

    /// Archives what the set declared once and does not any more
    #[arg(long, requires = "set")]
    pub(crate) prune: bool,

    /// Sets this field, which somebody else has changed, to what the documents say; may be given more than once
    #[arg(long, value_name = "FIELD", requires = "set", conflicts_with = "take_all")]
    pub(crate) take: Vec<String>,

    /// Sets all fields that others have changed to what the documents say
    #[arg(long, requires = "set")]
    pub(crate) take_all: bool,

    /// Takes over what belongs to other sets
    #[arg(long, requires = "set")]
    pub(crate) take_ownership: bool,

    /// Refuses documents without `apiVersion`
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What the files hold.
#[derive(Debug)]
pub(crate) enum Given {
    /// Documents to plan.
    Documents(Vec<Document>),
    /// A plan that was kept.
    Plan(Box<Plan>),
}

/// A file of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its name.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) text: String,
}

impl Manifests {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// [`Usage`] for files that cannot be read, folders without documents, and a plan beside anything else.
    pub(crate) fn read(&self) -> anyhow::Result<Given> {
        let mut documents = Vec::new();
        for path in self.files.iter().chain(&self.file) {
            read_path(path, &mut documents)?;
        }
        if let [only] = documents.as_slice()
            && is_plan(&only.text)
        {
            let plan = Plan::load(&only.text)
                .map_err(|error| Usage(format!("{}: {error}", plain::line(&only.name))))?;
            if let Some(option) = self.of_documents() {
                let name = plain::line(&only.name);
                return Err(Usage(format!(
                    "`{name}` is a saved plan, which says all by itself: leave out {option}"
                ))
                .into());
            }
            return Ok(Given::Plan(Box::new(plan)));
        }
        if let Some(plan) = documents.iter().find(|document| is_plan(&document.text)) {
            let name = plain::line(&plan.name);
            return Err(Usage(format!("`{name}` is a saved plan: it is applied alone")).into());
        }
        Ok(Given::Documents(documents))
    }

    /// The first option that is given and says how documents are planned.
    const fn of_documents(&self) -> Option<&'static str> {
        match self {
            Self { prune: true, .. } => Some("--prune"),
            Self { take_all: true, .. } => Some("--take-all"),
            Self { take_ownership: true, .. } => Some("--take-ownership"),
            Self { strict: true, .. } => Some("--strict"),
            _ if !self.take.is_empty() => Some("--take"),
            _ if self.set.is_some() => Some("--set"),
            _ => None,
        }
    }

    /// The same, where a plan is no answer.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`Usage`] for a plan.
    pub(crate) fn documents(&self) -> anyhow::Result<Vec<Document>> {
        match self.read()? {
            Given::Documents(documents) => Ok(documents),
            Given::Plan(_) => {
                Err(Usage("this is a saved plan, not documents: `weave apply` carries it out".to_owned())
                    .into())
            }
        }
    }

    /// The body of a request for a plan.
    pub(crate) fn body(&self, documents: &[Document]) -> Value {
        let mut body = json!({
            "documents": documents.iter().map(|Document { name, text }| json!({ "name": name, "text": text })).collect::<Vec<_>>(),
        });
        let mut add = |name: &str, value: Value| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value);
            }
        };
        if self.strict {
            add("strict", json!(true));
        }
        if let Some(set) = &self.set {
            add("set", json!(set));
            if self.prune {
                add("prune", json!(true));
            }
            if self.take_all {
                add("take", json!("all"));
            } else if !self.take.is_empty() {
                add("take", json!(self.take));
            }
            if self.take_ownership {
                add("take_ownership", json!(true));
            }
        }
        body
    }
}

fn read_path(path: &Path, documents: &mut Vec<Document>) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        documents.push(Document { name: "stdin".to_owned(), text });
        return Ok(());
    }
    let missing = |error: std::io::Error| Usage(format!("`{}` cannot be read: {error}", path.display()));
    if !std::fs::metadata(path).map_err(missing)?.is_dir() {
        return read_file(path, documents);
    }
    let mut files = Vec::new();
    gather(path, 0, &mut files)?;
    if files.is_empty() {
        let endings = ENDINGS.map(|ending| format!("*.{ending}")).join(", ");
        return Err(Usage(format!("`{}` holds no documents: looked for {endings}", path.display())).into());
    }
    files.sort();
    files.iter().try_for_each(|file| read_file(file, documents))
}

fn read_file(path: &Path, documents: &mut Vec<Document>) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| Usage(format!("`{name}` cannot be read: {error}")))?;
    documents.push(Document { name, text });
    Ok(())
}

/// The documents below a folder. What begins with a dot is passed over, and so are links to folders: they may go in a circle.
fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if depth > MAX_DEPTH {
        return Err(Usage(format!("`{}` is nested deeper than {MAX_DEPTH} folders", folder.display())).into());
    }
    let unreadable = |error: std::io::Error| Usage(format!("`{}` cannot be read: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(unreadable)?.is_dir() {
            gather(&path, depth + 1, files)?;
        } else if path.is_file()
            && path
                .extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| ENDINGS.contains(&ending))
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a text is a saved plan: `{"digest": …, "plan": …}`.
fn is_plan(text: &str) -> bool {
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let value = serde_json::from_str::<Value>(text).ok();
    value.is_some_and(|value| value.get("digest").is_some() && value.get("plan").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_order_and_without_what_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "kind: OU").unwrap();
        };
        for path in ["b.yml", "a/z.yaml", "a/notes.md", ".git/x.yaml", "c.json", ".hidden.yaml"] {
            write(path);
        }
        let mut documents = Vec::new();
        read_path(folder.path(), &mut documents).unwrap();
        let names: Vec<_> = documents
            .iter()
            .map(|document| Path::new(&document.name).strip_prefix(folder.path()).unwrap())
            .collect();
        assert_eq!(names, [Path::new("a/z.yaml"), Path::new("b.yml"), Path::new("c.json")]);
    }

    #[test]
    fn a_folder_without_documents_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read_path(folder.path(), &mut Vec::new()).unwrap_err();
        assert!(refused.is::<Usage>() && refused.to_string().contains("holds no documents"), "{refused}");
    }

    #[test]
    fn a_saved_plan_is_told_from_a_document_in_json() {
        assert!(is_plan(r#" {"digest": "sha256:00", "plan": {}}"#));
        assert!(!is_plan(r#"{"kind": "OU", "metadata": {}}"#));
        assert!(!is_plan("kind: OU"));
    }
}
