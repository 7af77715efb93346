//! The bounds of a spec's schema are those of the kind's table of fields.

use crate::held::component;
use powerloom_core::record::Schema;
use powerloom_core::resource::agent::Agent;
use powerloom_core::resource::approval_policy::ApprovalPolicy;
use powerloom_core::resource::credential::Credential;
use powerloom_core::resource::environment::Environment;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::group::{Group, GroupMembership};
use powerloom_core::resource::kind::Declared;
use powerloom_core::resource::mcp_deployment::McpDeployment;
use powerloom_core::resource::mcp_server::McpServer;
use powerloom_core::resource::ou::Ou;
use powerloom_core::resource::role::Role;
use powerloom_core::resource::role_binding::RoleBinding;
use powerloom_core::resource::skill::Skill;
use powerloom_core::resource::skill_grant::SkillAccessGrant;
use powerloom_core::resource::user::User;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The schema of a property, with what it refers to in its place.
fn resolved(schema: &Value) -> Value {
    let inner = schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one.get("$ref").is_some()));
    match inner.unwrap_or(schema).get("$ref") {
        Some(target) => {
            let name = target.as_str().unwrap().rsplit('/').next().unwrap();
            let mut schema = component(name).clone();
            schema["$ref"] = json!(name);
            schema
        }
        None => schema.clone(),
    }
}

fn number(schema: &Value, bound: &str) -> u64 {
    schema[bound].as_u64().unwrap_or_default()
}

fn check(kind: &str, field: &Field, schema: &Value) {
    let at = format!("{kind}.{}", field.spec);
    let named = |name: &str| assert_eq!(schema["$ref"], name, "{at}");
    let item = |name: &str| assert_eq!(resolved(&schema["items"])["$ref"], name, "{at}");
    match &field.form {
        Form::Text { min, max } => {
            assert_eq!(
                (number(schema, "minLength"), number(schema, "maxLength")),
                (*min as u64, *max as u64),
                "{at}"
            );
        }
        Form::Integer { min, max } => {
            assert_eq!(
                (schema["minimum"].as_i64(), schema["maximum"].as_i64()),
                (Some(*min), Some(*max)),
                "{at}"
            );
        }
        Form::Choice(words) => assert_eq!(schema["enum"], json!(words), "{at}"),
        Form::Flag => assert_eq!(schema["type"], "boolean", "{at}"),
        Form::Url => assert_eq!(number(schema, "maxLength"), 2048, "{at}"),
        Form::Time => named("Timestamp"),
        Form::Email => named("Email"),
        Form::Principal => named("Principal"),
        Form::Role => named("RoleRef"),
        Form::Reference(_) => named("ResourceId"),
        Form::PolicyMatch => named("PolicyMatch"),
        Form::References(_) => item("ResourceId"),
        Form::Skills => item("AttachedSkill"),
        Form::Permissions => item("PermissionPattern"),
        Form::Approvers => item("Approver"),
        Form::Texts => {
            let item = &schema["items"];
            assert_eq!((number(item, "minLength"), number(item, "maxLength")), (1, 255), "{at}");
        }
        Form::TextLists => assert_eq!(schema["additionalProperties"]["type"], "array", "{at}"),
        Form::Object | Form::OuPath => assert_eq!(schema["type"], "object", "{at}"),
    }
}

fn of<K: Declared + Schema<Spec: ToSchema>>() -> usize {
    let spec = component(&K::Spec::name());
    let required: Vec<&str> =
        spec["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = spec["properties"].as_object().unwrap();
    for field in K::FIELDS {
        check(K::KIND.as_str(), field, &resolved(&properties[field.spec]));
        // A registration that a deployment owns has no URL at first, so its schema cannot ask for one.
        let asked = field.required && field.form != Form::Url;
        assert_eq!(required.contains(&field.spec), asked, "{}.{}", K::KIND, field.spec);
    }
    let known: Vec<&str> = K::FIELDS.iter().map(|field| field.spec).collect();
    assert!(properties.keys().all(|name| known.contains(&name.as_str())), "{}: {properties:?}", K::KIND);
    assert_eq!(spec["additionalProperties"], false, "{}", K::KIND);
    K::FIELDS.len()
}

#[test]
fn every_bound_of_the_table_is_in_the_schema_of_the_spec() {
    let fields: usize = [
        of::<Agent>(),
        of::<ApprovalPolicy>(),
        of::<Credential>(),
        of::<Environment>(),
        of::<Group>(),
        of::<GroupMembership>(),
        of::<McpDeployment>(),
        of::<McpServer>(),
        of::<Ou>(),
        of::<Role>(),
        of::<RoleBinding>(),
        of::<Skill>(),
        of::<SkillAccessGrant>(),
        of::<User>(),
    ]
    .iter()
    .sum();
    assert!(fields > 50, "{fields}");
}
