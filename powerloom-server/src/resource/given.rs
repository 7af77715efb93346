//! From a flat body to a spec of the core.

use crate::app::App;
use crate::failure::Failure;
use crate::resource::view::reference_name;
use crate::resource::wire::{Written, plain_name, renamed_fields, wire_name};
use powerloom_core::door::caller::Caller;
use powerloom_core::error::{Conflict, Error};
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::labels::Labels;
use powerloom_core::principal::PrincipalRef;
use powerloom_core::record::KindName;
use powerloom_core::resource::field::Form;
use powerloom_core::resource::kind::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Takes a field that is no part of the spec; `null` is as good as absent.
pub(crate) fn take<T: DeserializeOwned>(
    body: &mut Map<String, Value>,
    field: &str,
    allowed: &str,
) -> Result<Option<T>, Invalid> {
    let Some(value) = body.remove(field).filter(|value| !value.is_null()) else { return Ok(None) };
    let shown = shown(&value);
    serde_json::from_value(value).map(Some).map_err(|_| Invalid::new(field, shown, allowed))
}

/// A value as a refusal shows it: a text without its quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Takes the labels.
pub(crate) fn take_labels(body: &mut Map<String, Value>) -> Result<Option<Labels>, Failure> {
    let allowed =
        "at most 16 labels: keys of lower-case letters, digits, `_`, `.`, `/`, `-`, and short texts";
    Ok(take(body, "labels", allowed)?)
}

/// Renames what is left of a body to the fields of a spec, and resolves whom it names.
pub(crate) async fn spec(
    app: &App,
    caller: &Caller,
    kind: &KindName,
    body: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let known = app.loom.catalogue().kind(kind)?;
    // Before anybody is looked for.
    for field in known.fields().iter().filter(|field| field.form == Form::Principal) {
        let reference = reference_name(field.name);
        let said = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
        if said(&reference) && said(wire_name(kind, field.spec).as_ref()) {
            let allowed = "either the id or the written form of a principal, not both";
            return Err(Invalid::hidden(reference, allowed).into());
        }
    }
    let mut spec = Map::new();
    for (name, value) in body {
        let (field, value) = if let Some(renamed) = renamed_fields(kind).iter().find(|to| to.wire == name) {
            let value = match renamed.written {
                Written::OwnerId if !value.is_null() => owner(app, caller, &name, value).await?,
                _ => value,
            };
            (renamed.spec.to_owned(), value)
        } else if renamed_fields(kind).iter().any(|to| to.spec == name) {
            // Known by another name here: one thing has one name.
            return Err(Invalid::hidden(name, "a field of this kind").into());
        } else if let Some(written) = known
            .fields()
            .iter()
            .find(|field| field.form == Form::Principal && reference_name(field.name) == name)
        {
            (written.spec.to_owned(), resolved(app, caller, &name, value).await?)
        } else if let Some(field) = known.fields().iter().find(|field| plain_name(field.spec) == name) {
            (field.spec.to_owned(), value)
        } else if known.manifest() {
            return Err(unknown_field(known.as_ref(), &name).into());
        } else {
            // It is not declared by itself, whatever it is made of: the core says so.
            (name.clone(), value)
        };
        if !value.is_null() || !spec.contains_key(&field) {
            spec.insert(field, value);
        }
    }
    Ok(spec)
}

/// Refuses a field the kind does not have.
fn unknown_field(kind: &dyn Kind, name: &str) -> Invalid {
    let mut known: Vec<String> = Vec::new();
    for field in kind.fields() {
        known.push(wire_name(&kind.name(), field.spec).into_owned());
        if field.form == Form::Principal {
            known.push(reference_name(field.name));
        }
    }
    known.push("labels".to_owned());
    let near =
        known.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Invalid::hidden(powerloom_core::invalid::shown(name), format!("one of {}{hint}", known.join(", ")))
}

async fn owner(app: &App, caller: &Caller, field: &str, value: Value) -> Result<Value, Failure> {
    let id = value.as_str().and_then(|text| text.parse::<ResourceId>().ok());
    let id = id.ok_or_else(|| Invalid::new(field, shown(&value), "the id of a user or a group"))?;
    Ok(Value::String(app.loom.owner_of(caller, id).await?.to_string()))
}

async fn resolved(app: &App, caller: &Caller, field: &str, value: Value) -> Result<Value, Failure> {
    let Some(text) = value.as_str() else {
        let allowed = "a principal such as `user:ada@acme.com`";
        return Err(Invalid::new(field, shown(&value), allowed).into());
    };
    let written =
        text.parse::<PrincipalRef>().map_err(|refused| Invalid { field: field.to_owned(), ..refused })?;
    let found = app.loom.principal(caller, &written).await?;
    Ok(Value::String(found.to_string()))
}

/// Says of a refusal of the core which field of the flat body it is about.
pub(crate) fn flat(app: &App, kind: &KindName, error: Error) -> Failure {
    match error {
        Error::Invalid(mut invalid) => {
            invalid.field = flat_field(app, kind, &invalid.field);
            invalid.into()
        }
        Error::Conflict(Conflict::Immutable { field }) => {
            Error::from(Conflict::Immutable { field: flat_field(app, kind, &field) }).into()
        }
        error => error.into(),
    }
}

/// What a field of a mutation is called in the flat body.
fn flat_field(app: &App, kind: &KindName, field: &str) -> String {
    let known = app.loom.catalogue().kind(kind).map(|kind| kind.fields()).unwrap_or_default();
    match field {
        "spec" => return "body".to_owned(),
        "metadata.name" => return "name".to_owned(),
        "metadata.ou" => return "ou_id".to_owned(),
        _ => {}
    }
    let (place, inner) = field.split_once('.').unwrap_or(("", field));
    let (first, rest) = inner.split_at(inner.find(['.', '[']).unwrap_or(inner.len()));
    let spec = match place {
        "spec" => first,
        // The core may name a field as a manifest does.
        "metadata" => known.iter().find(|field| field.name == first).map_or(first, |field| field.spec),
        _ => return field.to_owned(),
    };
    format!("{}{rest}", wire_name(kind, spec))
}
