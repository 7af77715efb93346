//! What is answered is what the OpenAPI document says: every answer of every test is held against it.

use jsonschema::Validator;
use powerloom_core::control_plane::ControlPlane;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

static DOCUMENT: OnceLock<Value> = OnceLock::new();
static VALIDATORS: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();

/// The document; it is the same for every world.
pub fn document(loom: &ControlPlane) -> &'static Value {
    DOCUMENT.get_or_init(|| powerloom_server::openapi_document(loom))
}

/// What a schema that may refer to components says of a value.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let key = schema.to_string();
    let cache = VALIDATORS.get_or_init(Mutex::default);
    let known = cache.lock().unwrap().get(&key).cloned();
    let validator = known.unwrap_or_else(|| {
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        let built = jsonschema::options().should_validate_formats(true).build(&whole);
        let built = Arc::new(built.unwrap_or_else(|error| panic!("{schema} is no schema: {error}")));
        cache.lock().unwrap().insert(key, built.clone());
        built
    });
    validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

/// The operation a request is for, if the document has it.
fn operation<'d>(document: &'d Value, method: &str, path: &str) -> Option<(&'d str, &'d Value)> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let paths = document["paths"].as_object().unwrap();
    // What is written out comes before what is a parameter.
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    let (template, item) = found.first()?;
    Some((template.as_str(), item.get(method.to_lowercase())?))
}

/// Fails unless an answer is one the document describes.
#[track_caller]
pub fn check(document: &Value, method: &str, path: &str, status: u16, content_type: &str, text: &str) {
    let envelope = json!({ "$ref": "#/components/schemas/ErrorEnvelope" });
    let body = || serde_json::from_str::<Value>(text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    if status >= 400 {
        assert_eq!(content_type, "application/json", "{method} {path}: {text}");
        assert_eq!(faults(document, &envelope, &body()), [""; 0], "{method} {path}: {text}");
    }
    let Some((template, operation)) = operation(document, method, path) else { return };
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{method} {template} does not say that it may answer {status}: {text}");
    let schema = &response["content"]["application/json"]["schema"];
    if schema.is_null() {
        assert!(
            content_type != "application/json" || text.is_empty(),
            "{method} {template} {status}: {text}"
        );
        return;
    }
    if content_type != "application/json" {
        let offered = response["content"].get(content_type.split(';').next().unwrap_or_default());
        assert!(
            offered.is_some(),
            "{method} {template} {status} does not say that it answers {content_type}"
        );
        return;
    }
    let faults = faults(document, schema, &body());
    assert!(
        faults.is_empty(),
        "{method} {template} {status} answers what it does not say: {faults:#?}\n{text}"
    );
}
