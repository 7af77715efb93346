//! The schema for editors says what the reader says.

use crate::planning::{BASE, EVERY_KIND};
use crate::world::World;
use jsonschema::Validator;
use powerloom_core::manifest::{ParseMode, export, parse, schema};
use powerloom_core::permission::Permission;
use powerloom_core::record::{KindName, Schema};
use powerloom_core::resource::catalogue::Catalogue;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{Declared, Home, KindPermissions, Rules};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A document of every kind.
static ALL: LazyLock<Vec<Value>> = LazyLock::new(|| documents(&format!("{BASE}---{EVERY_KIND}")));
static EDITOR: LazyLock<Validator> = LazyLock::new(|| editor(&Catalogue::default()));

fn editor(catalogue: &Catalogue) -> Validator {
    let schema = schema(catalogue);
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn is_read(catalogue: &Catalogue, document: &Value) -> bool {
    parse("a.yaml", &document.to_string(), ParseMode::Lenient, catalogue).is_ok()
}

fn faults(document: &Value) -> Vec<String> {
    EDITOR.iter_errors(document).map(|fault| format!("{} {fault}", fault.instance_path())).collect()
}

/// The reader and the editor agree that a document is as it should be, or that it is not.
fn agreed(text: &str, expected: bool) {
    for document in documents(text) {
        assert_eq!(is_read(&Catalogue::default(), &document), expected, "the reader on {document}");
        assert_eq!(
            faults(&document).is_empty(),
            expected,
            "the editor on {document}: {:?}",
            faults(&document)
        );
    }
}

#[test]
fn every_example_of_the_repository_is_as_the_schema_says() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for folder in ["manifests", "governance"] {
        for file in std::fs::read_dir(examples.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                // What the example fills in before it reads its manifest.
                let text = text.replace("{{", "").replace("}}", "");
                for document in documents(&text) {
                    assert_eq!(faults(&document), [""; 0], "{}", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 12, "{seen}");
}

/// Row P20: whatever may be declared, as people write it and as it is exported.
#[tokio::test]
async fn every_kind_is_as_the_schema_says_written_and_exported() {
    let text = format!("{BASE}---{EVERY_KIND}");
    agreed(&text, true);
    let world = World::new();
    world.declare(&text).await;
    let exported = export(&world.rows(), &world.catalogue, &world, world.org.id).await.unwrap();
    assert!(exported.len() > 10);
    for document in exported {
        assert_eq!(faults(&document), [""; 0], "{document}");
    }
}

/// Row P27: what is absent is left alone, and `null` clears.
#[test]
fn partial_documents_are_fine_as_far_as_the_reader_takes_them() {
    agreed("{kind: Agent, metadata: {name: a, ou_path: /acme}}", true);
    agreed("{kind: Agent, metadata: {name: a, ou_path: /acme}, spec: }", true);
    agreed(
        "{kind: Agent, metadata: {name: a, ou_path: /acme/}, spec: {description: null, skills: null}}",
        true,
    );
    agreed(
        "{apiVersion: powerloom.app/v1, kind: Agent, metadata: {name: a, ou_path: /acme}, spec: {skills: []}}",
        true,
    );
    agreed("{kind: OU, metadata: {path: /acme/eng}}", true);
    agreed("{kind: User, metadata: {email: ada@acme.com}}", true);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme, labels: {owner: web}}}", true);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme, labels: null}}", true);
    assert!(EDITOR.is_valid(&Value::Null), "an empty document says nothing");
}

#[test]
fn what_the_reader_refuses_the_editor_marks() {
    let agent =
        |spec: &str| format!("{{kind: Agent, metadata: {{name: a, ou_path: /acme}}, spec: {{{spec}}}}}");
    for spec in [
        "modle: x",
        "name: b",
        "model: null",
        "model: 1",
        "model: [x]",
        "display_name: ''",
        "agent_kind: robot",
        "owner_principal_ref: admin@acme.com",
        "skills: lint",
        "skills: [Not Ok]",
        "skills: [{versoin: 1}]",
        "skills: [{skill: x, version: 0}]",
        "mcp_servers: [../x]",
        "session_timeout_seconds: 0",
        "session_timeout_seconds: '60'",
        "permission_boundary: [agnet:read]",
        "description: \"a\\u0007b\"",
    ] {
        agreed(&agent(spec), false);
    }
    agreed(&agent(&format!("display_name: {}", "x".repeat(256))), false);
    agreed("- kind: Skill", false);
    agreed("{metadata: {name: a, ou_path: /acme}}", false);
    agreed("{kind: Agnet, metadata: {name: a, ou_path: /acme}}", false);
    agreed("{kind: Vault, metadata: {agent_path: /a/b}}", false);
    agreed("{apiVersion: powerloom/v9, kind: Skill, metadata: {name: a, ou_path: /acme}}", false);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme}, spce: {}}", false);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme}, spec: []}", false);
    agreed("{kind: Skill}", false);
    agreed("{kind: Skill, metadata: {ou_path: /acme}}", false);
    agreed("{kind: Skill, metadata: {name: a}}", false);
    agreed("{kind: Skill, metadata: {name: A b, ou_path: /acme}}", false);
    agreed("{kind: Skill, metadata: {name: a, ou_path: acme}}", false);
    agreed("{kind: Skill, metadata: {name: 1, ou_path: /acme}}", false);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme, labels: {A: x}}}", false);
    agreed("{kind: Skill, metadata: {name: a, ou_path: /acme, labels: {a: 1}}}", false);
    agreed("{kind: OU, metadata: {path: /acme/x, name: x}}", false);
    agreed("{kind: OU, metadata: {name: x}}", false);
    agreed("{kind: User, metadata: {ou_path: /acme}}", false);
    agreed("{kind: User, metadata: {email: ada}}", false);
    agreed("{kind: User, metadata: {email: ada@acme.com, name: ada}}", false);
    agreed("{kind: Credential, metadata: {agent_path: /a/b}}", false);
    agreed(
        "{kind: Credential, metadata: {agent_path: /a/b, mcp_registration_path: c}, spec: {bearer: x}}",
        false,
    );
    agreed("{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {role: OrgAdmin}}", false);
    agreed("{kind: RoleBinding, metadata: {ou_path: /acme}}", false);
    agreed(
        "{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {role: OrgAdmn, principal_ref: 'service:ci'}}",
        false,
    );
    agreed(
        "{kind: MCPServerRegistration, metadata: {name: a, ou_path: /acme}, spec: {url: 'ftp://x.y/'}}",
        false,
    );
    let policy = |spec: &str| {
        format!("{{kind: ApprovalPolicy, metadata: {{name: p, ou_path: /acme}}, spec: {{{spec}}}}}")
    };
    for spec in [
        "match: all",
        "match: {actions: [craete]}",
        "match: {kinds: []}",
        "approvers: [OrgAdmin]",
        "ttl_seconds: 1",
    ] {
        agreed(&policy(spec), false);
    }
}

#[derive(Debug)]
struct Queue;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct QueueSpec {
    depth: u32,
}

impl Schema for Queue {
    const KIND: KindName = KindName::known("Queue");
    type Spec = QueueSpec;
    type Status = ();
}

impl Declared for Queue {
    const FIELDS: &'static [Field] = &[
        Field::new("depth", Form::Integer { min: 1, max: 100 }).required(),
        Field::new("after", Form::Reference(KindName::known("Queue"))).in_metadata(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 90;
    const ABOUT: &'static str = "A queue.";
}

/// An embedder's own kind is described like the others.
#[test]
fn a_kind_of_ones_own_is_in_the_schema() {
    let mut catalogue = Catalogue::default();
    catalogue.register(Arc::new(Rules::<Queue>::default())).unwrap();
    let described = schema(&catalogue);
    assert_eq!(described["$defs"]["Queue"]["description"], "A queue.");
    assert_eq!(
        described["$defs"]["Queue"]["properties"]["spec"]["properties"]["depth"],
        json!({
            "type": "integer", "minimum": 1, "maximum": 100,
            "description": "A whole number from 1 to 100. It must be there when the resource is created.",
        })
    );
    let editor = editor(&catalogue);
    for (document, expected) in [
        (json!({ "kind": "Queue" }), true),
        (json!({ "kind": "Queue", "metadata": null, "spec": { "depth": 7 } }), true),
        (json!({ "kind": "Queue", "metadata": { "after": "other", "labels": { "a": "b" } } }), true),
        (json!({ "kind": "Queue", "metadata": { "name": "a" } }), false),
        (json!({ "kind": "Queue", "spec": { "depth": 0 } }), false),
        (json!({ "kind": "Queue", "spec": { "width": 1 } }), false),
    ] {
        assert_eq!(is_read(&catalogue, &document), expected, "the reader on {document}");
        assert_eq!(editor.is_valid(&document), expected, "the editor on {document}");
    }
    assert!(!EDITOR.is_valid(&json!({ "kind": "Queue" })), "nobody else knows it");
}

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places(member, &format!("{at}/{name}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// What may stand somewhere by mistake, or rightly.
fn anything() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "x",
        "A b",
        "/acme",
        "/acme/",
        "/acme/x",
        "/acme/x/",
        "user:ada@acme.com",
        "group:/acme/eng/team",
        "ou:/acme",
        "service:ci",
        "role:OrgAdmin",
        "ada@acme.com",
        "agent:create",
        "agent:*",
        "*:*",
        "OrgAdmin",
        "Viewer",
        "user",
        "limited",
        "deny",
        "warn",
        "exact",
        "2030-01-01T00:00:00Z",
        "https://x.y/",
        "a\u{7}b",
        "tab\tand\nline",
    ];
    let others = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(60),
        json!(1.5),
        json!([]),
        json!(["x"]),
        json!([1]),
        json!([null]),
        json!({}),
        json!({ "a": 1 }),
        json!({ "a": ["x"] }),
        json!({ "skill": "x" }),
        json!([{ "skill": "x", "version": 2 }]),
        json!("y".repeat(300)),
    ];
    select(texts.map(Value::from).into_iter().chain(others).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed in a document, the reader and the editor think the same of it.
    #[test]
    fn the_editor_marks_a_changed_document_if_and_only_if_the_reader_refuses_it(
        pick: Index, place: Index, value in anything(), how in 0..4u8,
    ) {
        let mut document = pick.get(&ALL).clone();
        let mut known = Vec::new();
        places(&document, "", &mut known);
        let at = place.get(&known).clone();
        // What the schema cannot say: whether a condition is one. What it says sooner: the bounds of texts in lists.
        prop_assume!(!at.contains("condition") || !value.is_string());
        let bounded = value.as_str().is_some_and(|text| text.is_empty() || text.len() > 255);
        prop_assume!(!bounded || !(at.contains("allowed_hosts") || at.contains("packages")));
        let target = document.pointer_mut(&at).unwrap();
        match (how, target) {
            (0, Value::Object(members)) => {
                let name = members.keys().nth(place.index(members.len().max(1))).cloned();
                name.map(|name| members.remove(&name));
            }
            (1, Value::Object(members)) => drop(members.insert("unknown".to_owned(), value)),
            (1, Value::Array(items)) => items.push(value),
            (_, target) => *target = value,
        }
        // A field of a match that is not known but `null` passes the reader.
        prop_assume!(document.pointer("/spec/match/unknown") != Some(&Value::Null));
        let read = document.is_null() || is_read(&Catalogue::default(), &document);
        prop_assert_eq!(read, faults(&document).is_empty(), "{}: {:?}", document, faults(&document));
    }
}
