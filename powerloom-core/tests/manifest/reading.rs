//! What documents say once they are read.

use crate::world::World;
use powerloom_core::manifest::{Document, ParseMode, parse};
use powerloom_core::resource::catalogue::Catalogue;
use serde_json::{Value, json};

fn document(text: &str) -> Document {
    let parsed = parse("a.yaml", text, ParseMode::Lenient, &Catalogue::default());
    let mut documents = parsed.unwrap_or_else(|errors| panic!("{errors}")).documents;
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn field(document: &Document, name: &str) -> Value {
    document.fields[name].value.clone()
}

/// Rows P19–P23: the OU path, the envelope, the fields of an agent, the principal and the bare names.
#[test]
fn a_document_carries_its_fields_with_their_places() {
    let text = "apiVersion: powerloom.app/v1\nkind: Agent\nmetadata:\n  name: reviewer\n  ou_path: /acme/engineering/\nspec:\n  \
                model: m\n  owner_principal_ref: user:Admin@ACME.com\n  skills: [python-lint, {skill: x}, {skill: y, version: 3}]\n";
    let document = document(text);
    assert_eq!(document.label, "Agent reviewer");
    assert_eq!(document.ou.as_ref().unwrap().value.as_str(), "/acme/engineering");
    assert_eq!(document.ou.as_ref().unwrap().at.to_string(), "a.yaml:5:12");
    assert_eq!(field(&document, "owner_principal_ref"), "user:admin@acme.com");
    assert_eq!(field(&document, "skills"), json!(["python-lint", "x", { "skill": "y", "version": 3 }]));
    assert_eq!(document.fields["skills"].items[1].to_string(), "a.yaml:9:25");
}

/// Pitfall of YAML 1.1: these are words, in every language.
#[test]
fn words_that_other_readers_take_for_something_else_stay_words() {
    for word in ["no", "on", "off", "yes", "1_000", "0o17", "012", "1:30", "2025-01-01"] {
        let document = document(&format!(
            "kind: Skill\nmetadata: {{name: a, ou_path: /acme}}\nspec: {{description: {word}}}\n"
        ));
        assert_eq!(field(&document, "description"), word);
    }
    let document =
        document("kind: Skill\nmetadata: {name: \"123\", ou_path: /acme}\nspec: {display_name: 'true'}\n");
    assert_eq!(document.name.as_ref().unwrap().value, "123");
    assert_eq!(field(&document, "display_name"), "true");
}

#[test]
fn a_byte_order_mark_crlf_comments_and_empty_documents_do_no_harm() {
    let text = "\u{feff}# a skill\r\nkind: Skill\r\nmetadata: {name: a, ou_path: /acme}\r\n---\r\n---\r\n# nothing\r\n";
    assert_eq!(document(text).label, "Skill a");
    assert!(World::new().parse("# nothing at all\n").documents.is_empty());
}

#[test]
fn an_alias_repeats_a_value_within_bounds() {
    let text = "kind: Skill\nmetadata: {name: a, ou_path: /acme}\nspec:\n  display_name: &n Lint\n  description: *n\n";
    assert_eq!(field(&document(text), "description"), "Lint");
}

/// An OU is named by its parent and its name, or by its whole path.
#[test]
fn an_ou_can_be_named_in_two_ways() {
    let one = document("kind: OU\nmetadata: {name: platform, ou_path: /acme/engineering}\n");
    let other = document("kind: OU\nmetadata: {path: /acme/engineering/platform}\n");
    assert_eq!(one.name.unwrap().value, other.name.unwrap().value);
    assert_eq!(one.ou.unwrap().value, other.ou.unwrap().value);
}
