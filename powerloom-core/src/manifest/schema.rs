//! JSON Schema of a manifest, for editors: what the reader of documents accepts, from the same tables.

mod form;

use crate::manifest::document::API_VERSIONS;
use crate::manifest::envelope::home_fields;
use crate::manifest::schema::form::{field, forms, with};
use crate::record::Schema;
use crate::resource::catalogue::Catalogue;
use crate::resource::field::Place;
use crate::resource::kind::{Home, Kind};
use crate::resource::ou::Ou;
use serde_json::{Map, Value, json};

/// The JSON Schema (2020-12) of one document of a manifest: of every kind of `catalogue` that a manifest may declare.
///
/// An editor that is told of it (`# yaml-language-server: $schema=…`) completes kinds, fields and words, and marks what
/// [`parse`](crate::manifest::parse()) would refuse in [`Lenient`](crate::manifest::ParseMode::Lenient) mode: a document may be
/// partial, so what a resource needs when it is created is in the descriptions, and asked for only where it tells which
/// resource is meant. Three things it cannot say: whether a condition, a URL or a time is well-formed in the
/// end. Bounds that the kind checks later, such as the number of texts in a list, it says too.
///
/// # Examples
/// ```
/// use powerloom_core::manifest::schema;
/// use powerloom_core::resource::catalogue::Catalogue;
///
/// let schema = schema(&Catalogue::default());
/// let model = &schema["$defs"]["Agent"]["properties"]["spec"]["properties"]["model"];
/// assert_eq!(model["maxLength"], 256);
/// ```
#[must_use]
pub fn schema(catalogue: &Catalogue) -> Value {
    let (mut defs, mut names, mut choices) = (forms(), Vec::new(), Vec::new());
    for kind in catalogue.kinds().filter(|kind| kind.manifest()) {
        let name = kind.name();
        choices.push(json!({
            "if": { "properties": { "kind": { "const": name } }, "required": ["kind"] },
            "then": { "$ref": format!("#/$defs/{name}") },
        }));
        defs.insert(name.to_string(), document(kind.as_ref()));
        names.push(name);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Powerloom manifest",
        "description": "One document of a manifest: what is declared about one resource. A field that is absent is left alone, `null` clears it, and a list is the complete list.",
        // An empty document says nothing.
        "type": ["object", "null"],
        "required": ["kind"],
        "properties": {
            "apiVersion": { "description": "The version of the form.", "enum": API_VERSIONS },
            "kind": { "description": "What is declared.", "enum": names },
            "metadata": { "description": "What tells which resource is meant." },
            "spec": { "description": "What is wanted." },
        },
        "additionalProperties": false,
        "allOf": choices,
        "$defs": defs,
    })
}

/// What follows from the kind.
fn document(kind: &dyn Kind) -> Value {
    let metadata = part(kind, Place::Metadata);
    let spec = part(kind, Place::Spec);
    let mut document = json!({ "properties": { "metadata": metadata, "spec": spec } });
    if !kind.about().is_empty() {
        document = with(document, "description", json!(kind.about()));
    }
    let needed: Vec<&str> = [("metadata", Place::Metadata), ("spec", Place::Spec)]
        .into_iter()
        .filter(|(_, place)| !identifying(kind, *place).is_empty())
        .map(|(name, _)| name)
        .collect();
    if !needed.is_empty() {
        document = with(document, "required", json!(needed));
    }
    document
}

/// `metadata` or `spec`.
fn part(kind: &dyn Kind, place: Place) -> Value {
    let mut properties = Map::new();
    if place == Place::Metadata {
        for name in home_fields(kind) {
            properties.insert((*name).to_owned(), home(kind, name));
        }
    }
    for known in kind.fields().iter().filter(|field| field.place == place) {
        // The reader takes the names of the home first.
        properties.entry(known.name).or_insert_with(|| field(known));
    }
    let needed = identifying(kind, place);
    let types = if needed.is_empty() { json!(["object", "null"]) } else { json!("object") };
    let part = json!({ "type": types, "properties": properties, "additionalProperties": false });
    if place == Place::Metadata && kind.name() == Ou::KIND {
        let part = with(part, "if", json!({ "required": ["path"] }));
        let part = with(part, "then", json!({ "properties": { "name": false, "ou_path": false } }));
        return with(part, "else", json!({ "required": needed }));
    }
    if needed.is_empty() { part } else { with(part, "required", json!(needed)) }
}

/// The fields that tell one resource of the kind from another; they are never absent.
fn identifying(kind: &dyn Kind, place: Place) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = match (place, kind.home()) {
        (Place::Metadata, Home::Named) => vec!["name", "ou_path"],
        (Place::Metadata, Home::InOu) => vec!["ou_path"],
        _ => Vec::new(),
    };
    if kind.home() != Home::Named {
        let fields = kind.fields().iter().filter(|field| field.required && field.immutable);
        names.extend(fields.filter(|field| field.place == place).map(|field| field.name));
    }
    names
}

/// A field that every kind of such a home has.
fn home(kind: &dyn Kind, name: &str) -> Value {
    let (form, about) = match name {
        "labels" => return json!({ "$ref": "#/$defs/labels" }),
        "name" => ("name", "Its name; unique per kind and OU."),
        "path" => ("ou_path", "The whole path, instead of `name` and `ou_path`."),
        _ if kind.name() == Ou::KIND => ("ou_path", "The path of the OU above."),
        _ => ("ou_path", "The path of the OU it lives in."),
    };
    json!({ "$ref": format!("#/$defs/{form}"), "description": about })
}
