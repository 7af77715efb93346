//! A document whose form is checked: its kind, where it lives, and the fields it carries.

use crate::labels::Labels;
use crate::manifest::fault::Location;
use crate::ou_path::OuPath;
use crate::record::KindName;
use crate::resource::field::{Field, Place};
use serde_json::Value;
use std::collections::BTreeMap;

/// The `apiVersion` that is written.
pub const API_VERSION: &str = "powerloom/v1";
/// All that are read (sem. 2.3.1).
pub const API_VERSIONS: [&str; 2] = [API_VERSION, "powerloom.app/v1"];

/// A value and its place in the manifest.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub at: Location,
    /// The places of its items, if it is a list.
    pub items: Vec<Location>,
}

impl<T> Given<T> {
    pub(crate) fn new(value: T, at: Location) -> Self {
        Self { value, at, items: Vec::new() }
    }

    /// The place of one item, or of the whole.
    pub(crate) fn item(&self, index: usize) -> &Location {
        self.items.get(index).unwrap_or(&self.at)
    }
}

/// One document (rows P20, P21).
///
/// It may be partial (row P27): a field that is absent is left alone, `null` clears it, and a list is the complete
/// list.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document {
    /// The kind.
    pub kind: KindName,
    /// Where the document starts.
    pub at: Location,
    /// Kind and name, for people.
    pub label: String,
    /// `metadata.ou_path`; of an OU, the path of the OU above it.
    pub ou: Option<Given<OuPath>>,
    /// `metadata.name`.
    pub name: Option<Given<String>>,
    /// `metadata.labels`: all the labels it is to have; `null` is none.
    pub labels: Option<Given<Labels>>,
    /// All other fields by their manifest names, in the form in which they are written and in one spelling.
    pub fields: BTreeMap<&'static str, Given<Value>>,
}

/// The path of a field in a manifest: `spec.skills`.
pub(crate) fn field_path(field: &Field) -> String {
    let part = if field.place == Place::Metadata { "metadata" } else { "spec" };
    format!("{part}.{}", field.name)
}
