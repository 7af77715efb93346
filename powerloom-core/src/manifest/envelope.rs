//! Reads the envelope of a document: `apiVersion`, `kind`, `metadata`, `spec` (row P20), strict in every field.

use crate::invalid::{Invalid, shown};
use crate::labels::Labels;
use crate::manifest::document::{API_VERSION, API_VERSIONS, Document, Given};
use crate::manifest::fault::{Location, ManifestErrors, Problem, Warning};
use crate::manifest::form;
use crate::manifest::hint::nearest;
use crate::manifest::node::{Content, Entry, Mark, Node};
use crate::name::Name;
use crate::ou_path::OuPath;
use crate::record::{KindName, Schema};
use crate::resource::catalogue::Catalogue;
use crate::resource::field::{Field, Place};
use crate::resource::kind::{Home, Kind};
use crate::resource::ou::Ou;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much a manifest must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "a reader is one or the other (C35)")]
pub enum ParseMode {
    /// A missing `apiVersion` is a warning (row P26).
    #[default]
    Lenient,
    /// A missing `apiVersion` is an error.
    Strict,
}

/// What reading one stream needs and adds to.
pub(crate) struct Envelope<'a> {
    pub(crate) source: Arc<str>,
    pub(crate) mode: ParseMode,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) errors: ManifestErrors,
    pub(crate) warnings: Vec<Warning>,
    /// Kind and name of the document being read.
    label: Option<String>,
}

const PARTS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

impl<'a> Envelope<'a> {
    pub(crate) fn new(source: Arc<str>, mode: ParseMode, catalogue: &'a Catalogue) -> Self {
        Self { source, mode, catalogue, errors: ManifestErrors::default(), warnings: Vec::new(), label: None }
    }

    fn at(&self, mark: Mark) -> Location {
        Location { source: Arc::clone(&self.source), line: mark.line, column: mark.column }
    }

    fn fault(&mut self, mark: Mark, problem: impl Into<Problem>) {
        let at = self.at(mark);
        self.errors.push(&at, self.label.as_deref(), problem);
    }

    /// Reads one document; `None` if it cannot be made sense of. Faults are kept.
    pub(crate) fn document(&mut self, node: &Node) -> Option<Document> {
        self.label = None;
        let Content::Map(entries) = &node.content else {
            self.fault(
                node.at,
                Invalid::new("document", node.describe(), "a mapping with `kind` and `metadata`"),
            );
            return None;
        };
        let kind = self.kind(node, entries);
        let metadata = self.part(entries, "metadata");
        let spec = self.part(entries, "spec");
        let name = metadata.iter().find(|entry| matches!(entry.key.as_str(), "name" | "email" | "path"));
        let name = name.and_then(|entry| entry.value.text()).map(shown);
        self.label = kind.as_ref().map(|kind| {
            name.map_or_else(|| kind.name().to_string(), |name| format!("{} {name}", kind.name()))
        });
        self.version(node, entries);
        for entry in entries.iter().filter(|entry| !PARTS.contains(&entry.key.as_str())) {
            self.unknown(entry, "", &PARTS);
        }
        let kind = kind?;
        let mut document = Document {
            kind: kind.name(),
            at: self.at(node.at),
            label: self.label.clone().unwrap_or_default(),
            ou: None,
            name: None,
            labels: None,
            fields: BTreeMap::new(),
        };
        self.fields(kind.as_ref(), metadata, Place::Metadata, &mut document);
        self.fields(kind.as_ref(), spec, Place::Spec, &mut document);
        self.identity(node, kind.as_ref(), &document);
        Some(document)
    }

    fn kind(&mut self, node: &Node, entries: &[Entry]) -> Option<Arc<dyn Kind>> {
        let Some(entry) = entries.iter().find(|entry| entry.key == "kind") else {
            self.fault(
                node.at,
                Problem::Missing { field: "kind".into(), why: "it says what is declared".into() },
            );
            return None;
        };
        let known: Vec<KindName> =
            self.catalogue.kinds().filter(|kind| kind.manifest()).map(|kind| kind.name()).collect();
        let text = entry.value.text().unwrap_or_default();
        if let Some(name) = known.iter().find(|name| name.as_str() == text) {
            return self.catalogue.kind(name).ok().cloned();
        }
        let words: Vec<&str> = known.iter().map(KindName::as_str).collect();
        self.fault(
            entry.value.at,
            Problem::Unknown {
                field: format!("kind: {}", entry.value.describe()),
                known: format!("one of {}", words.join(", ")),
                nearest: nearest(text, words.iter().copied()),
            },
        );
        None
    }

    fn version(&mut self, node: &Node, entries: &[Entry]) {
        match entries.iter().find(|entry| entry.key == "apiVersion") {
            Some(entry) if entry.value.text().is_some_and(|text| API_VERSIONS.contains(&text)) => {}
            Some(entry) => {
                let allowed = format!("`{}`", API_VERSIONS.join("` or `"));
                self.fault(entry.value.at, Invalid::new("apiVersion", entry.value.describe(), allowed));
            }
            None if self.mode == ParseMode::Strict => {
                let why = format!("strict mode wants `apiVersion: {API_VERSION}`");
                self.fault(node.at, Problem::Missing { field: "apiVersion".into(), why });
            }
            None => {
                let at = self.at(node.at);
                let message = format!("`apiVersion` is missing: `{API_VERSION}` is assumed");
                self.warnings.push(Warning { at, message });
            }
        }
    }

    /// The fields below `metadata` or `spec`.
    fn part<'n>(&mut self, entries: &'n [Entry], name: &str) -> &'n [Entry] {
        match entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value) {
            Some(Node { content: Content::Map(entries), .. }) => entries,
            Some(node) if !node.is_null() => {
                self.fault(node.at, Invalid::new(name, node.describe(), "a mapping"));
                &[]
            }
            _ => &[],
        }
    }

    fn fields(&mut self, kind: &dyn Kind, entries: &[Entry], place: Place, document: &mut Document) {
        let part = if place == Place::Metadata { "metadata" } else { "spec" };
        let names = if place == Place::Metadata { home_fields(kind) } else { &[] };
        let table: Vec<&Field> = kind.fields().iter().filter(|field| field.place == place).collect();
        for entry in entries {
            let path = format!("{part}.{}", entry.key);
            if names.contains(&entry.key.as_str()) {
                self.home(entry, &path, document);
            } else if let Some(field) = table.iter().find(|field| field.name == entry.key) {
                self.field(field, entry, &path, document);
            } else {
                let known: Vec<&str> = names.iter().copied().chain(table.iter().map(|f| f.name)).collect();
                let elsewhere =
                    kind.fields().iter().any(|field| field.place != place && field.name == entry.key)
                        || (place == Place::Spec && home_fields(kind).contains(&entry.key.as_str()));
                if elsewhere {
                    let other = if place == Place::Metadata { "spec" } else { "metadata" };
                    self.fault(entry.at, Invalid::hidden(path, format!("it under `{other}`")));
                } else {
                    self.unknown(entry, part, &known);
                }
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, part: &str, known: &[&str]) {
        let key = shown(&entry.key);
        let known_text = if known.is_empty() {
            "no field at all".to_owned()
        } else {
            format!("one of {}", known.join(", "))
        };
        let field = if part.is_empty() { key } else { format!("{part}.{key}") };
        let nearest = nearest(&entry.key, known.iter().copied());
        self.fault(entry.at, Problem::Unknown { field, known: known_text, nearest });
    }

    /// `metadata.labels`: text to text.
    fn labels(&mut self, value: &Node, path: &str, document: &mut Document) {
        let entries = match &value.content {
            Content::Map(entries) => entries.as_slice(),
            Content::Null => &[],
            _ => {
                self.fault(value.at, Invalid::new(path, value.describe(), "a mapping of text to text"));
                return;
            }
        };
        let mut labels = Labels::default();
        for entry in entries {
            let Some(text) = entry.value.text() else {
                let allowed = "text (in quotes, if it looks like a number or a truth value)";
                let field = format!("{path}.{}", shown(&entry.key));
                self.fault(entry.value.at, Invalid::new(field, entry.value.describe(), allowed));
                continue;
            };
            match labels.clone().with(entry.key.as_str(), text) {
                Ok(more) => labels = more,
                Err(invalid) => self.fault(entry.at, invalid.within("metadata")),
            }
        }
        document.labels = Some(Given::new(labels, self.at(value.at)));
    }

    /// `metadata.name`, `metadata.ou_path`, `metadata.labels`, and of an OU `metadata.path`.
    fn home(&mut self, entry: &Entry, path: &str, document: &mut Document) {
        let value = &entry.value;
        if entry.key == "labels" {
            self.labels(value, path, document);
            return;
        }
        let Some(text) = value.text() else {
            self.fault(
                value.at,
                Invalid::new(
                    path,
                    value.describe(),
                    "text (in quotes, if it looks like a number or a truth value)",
                ),
            );
            return;
        };
        let at = self.at(value.at);
        let refused = |invalid: Invalid| Invalid { field: path.to_owned(), ..invalid };
        let result = match entry.key.as_str() {
            "name" => text.parse::<Name>().map(|name| document.name = Some(Given::new(name.into(), at))),
            "ou_path" => text.parse().map(|ou| document.ou = Some(Given::new(ou, at))),
            _ => text.parse::<OuPath>().map(|whole| {
                document.name = Some(Given::new(whole.leaf().to_owned(), at.clone()));
                document.ou = whole.parent().map(|parent| Given::new(parent, at));
            }),
        };
        if let Err(invalid) = result {
            self.fault(value.at, refused(invalid));
        }
    }

    fn field(&mut self, field: &Field, entry: &Entry, path: &str, document: &mut Document) {
        let node = &entry.value;
        if node.is_null() {
            if field.required {
                self.fault(
                    node.at,
                    Invalid::new(path, "null", "a value: it is required and cannot be cleared"),
                );
            } else {
                let given = Given::new(serde_json::Value::Null, self.at(node.at));
                document.fields.insert(field.name, given);
            }
            return;
        }
        match form::read(field, node) {
            Ok(value) => {
                let items = match &node.content {
                    Content::List(items) => items.iter().map(|item| self.at(item.at)).collect(),
                    _ => Vec::new(),
                };
                let given = Given { value, at: self.at(node.at), items };
                document.fields.insert(field.name, given);
            }
            Err(refusals) => {
                for (node, invalid) in refusals {
                    self.fault(node.at, invalid.within(path));
                }
            }
        }
    }

    /// What tells one resource of the kind from another must be there, whether it exists or not.
    fn identity(&mut self, node: &Node, kind: &dyn Kind, document: &Document) {
        let entries = match &node.content {
            Content::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let place = entries.iter().find(|entry| entry.key == "metadata").map_or(node.at, |entry| entry.at);
        let written = |part: &str, name: &str| {
            match entries.iter().find(|entry| entry.key == part).map(|entry| &entry.value.content) {
                Some(Content::Map(pairs)) => pairs.iter().any(|pair| pair.key == name),
                Some(Content::Null) | None => false,
                // It is no mapping: that was said already.
                Some(_) => true,
            }
        };
        let mut missing: Vec<String> = Vec::new();
        let by_path = document.kind == Ou::KIND && written("metadata", "path");
        let is_mapping =
            !entries.iter().any(|e| e.key == "metadata" && !matches!(e.value.content, Content::Map(_)));
        if by_path {
            if is_mapping && (written("metadata", "name") || written("metadata", "ou_path")) {
                let allowed = "either `path` or `name` and `ou_path`";
                self.fault(place, Invalid::hidden("metadata.path", allowed));
            }
        } else {
            let wanted: &[&str] = match kind.home() {
                Home::Named => &["name", "ou_path"],
                Home::InOu => &["ou_path"],
                Home::Global | Home::Derived => &[],
            };
            missing.extend(
                wanted
                    .iter()
                    .filter(|name| !written("metadata", name))
                    .map(|name| format!("metadata.{name}")),
            );
        }
        if kind.home() != Home::Named {
            let identifying = kind.fields().iter().filter(|field| field.required && field.immutable);
            for field in identifying {
                let part = if field.place == Place::Metadata { "metadata" } else { "spec" };
                if !written(part, field.name) {
                    missing.push(format!("{part}.{}", field.name));
                }
            }
        }
        for field in missing {
            self.fault(place, Problem::Missing { field, why: "it tells which resource is meant".into() });
        }
    }
}

/// The fields under `metadata` that every kind of such a home has.
pub(crate) fn home_fields(kind: &dyn Kind) -> &'static [&'static str] {
    match kind.home() {
        Home::Named if kind.name() == Ou::KIND => &["name", "ou_path", "path", "labels"],
        Home::Named => &["name", "ou_path", "labels"],
        Home::InOu | Home::Global => &["ou_path", "labels"],
        Home::Derived => &["labels"],
    }
}
