//! A record as REST shows it: flat, with the paths and addresses that people read beside the ids.

use crate::app::App;
use crate::failure::Failure;
use crate::resource::wire::{Written, plain_name, renamed_fields};
use powerloom_core::authz::AuthzSnapshot;
use powerloom_core::door::caller::Caller;
use powerloom_core::principal::Principal;
use powerloom_core::reconcile::state::{SyncState, SyncStatus};
use powerloom_core::record::RecordRow;
use powerloom_core::resource::field::Form;
use serde_json::{Map, Value, json};

/// The views of records the caller was given by the core.
pub(crate) async fn views(app: &App, caller: &Caller, rows: &[RecordRow]) -> Result<Vec<Value>, Failure> {
    let snapshot = app.loom.authz(caller.org).await?;
    let states = app.loom.sync_states(caller, rows).await?;
    Ok(rows.iter().map(|row| view(app, &snapshot, row, states.get(&row.meta.id))).collect())
}

/// The view of one record.
pub(crate) async fn view_of(app: &App, caller: &Caller, row: &RecordRow) -> Result<Value, Failure> {
    let mut views = views(app, caller, std::slice::from_ref(row)).await?;
    Ok(views.pop().unwrap_or_default())
}

fn view(app: &App, authz: &AuthzSnapshot, row: &RecordRow, sync: Option<&(SyncState, SyncStatus)>) -> Value {
    let meta = &row.meta;
    let mut out = Map::new();
    out.insert("id".into(), json!(meta.id));
    out.insert("kind".into(), json!(row.kind));
    out.insert("name".into(), json!(meta.name));
    out.insert("ou_id".into(), json!(meta.ou));
    out.insert("ou_path".into(), json!(authz.ou_path(meta.ou)));
    if row.kind.as_str() == "OU" {
        out.insert("path".into(), json!(authz.ou_path(meta.id)));
    }
    out.insert("version".into(), json!(meta.version));
    out.insert("generation".into(), json!(meta.generation));
    out.insert("stage".into(), json!(meta.stage));
    out.insert("labels".into(), json!(meta.labels));
    out.insert("created_at".into(), json!(meta.created_at));
    out.insert("updated_at".into(), json!(meta.updated_at));
    spec(app, authz, row, &mut out);
    if !row.status.is_null() {
        // Of a kind nobody knows, nobody knows what may be shown.
        let kind = app.loom.catalogue().kind(&row.kind);
        out.insert("status".into(), kind.map_or(Value::Null, |kind| kind.shown(&row.status)));
    }
    if let Some((state, status)) = sync {
        let shown = sync_view(state, status);
        // Row M36: null until it has been pushed.
        if row.kind.as_str() == "Agent" {
            out.insert("cma_agent_id".into(), shown.get("remote_id").cloned().unwrap_or_default());
        }
        out.insert("sync".into(), Value::Object(shown));
    }
    Value::Object(out)
}

/// Where a resource stands on the runtime.
pub(crate) fn sync_view(state: &SyncState, status: &SyncStatus) -> Map<String, Value> {
    let mut shown = match json!(status) {
        Value::Object(shown) => shown,
        _ => Map::new(),
    };
    shown.insert("remote_id".into(), json!(state.remote.as_ref().map(|remote| &remote.id)));
    shown.insert("attempts".into(), json!(state.attempts));
    shown.insert("last_error".into(), json!(state.last_error));
    shown.insert("last_synced_at".into(), json!(state.last_synced_at));
    shown
}

/// The fields of the spec, under their names over REST; principals also as people write them.
fn spec(app: &App, authz: &AuthzSnapshot, row: &RecordRow, out: &mut Map<String, Value>) {
    let fields = app.loom.catalogue().kind(&row.kind).map(|kind| kind.fields()).unwrap_or_default();
    let renamed = renamed_fields(&row.kind);
    for (name, value) in row.spec.as_object().into_iter().flatten() {
        let principal = value.as_str().and_then(|text| text.parse::<Principal>().ok());
        if let (Some(field), Some(principal)) = (fields.iter().find(|field| field.spec == name), &principal)
            && field.form == Form::Principal
        {
            let reference = reference_name(field.name);
            out.insert(reference, json!(authz.written(principal)));
        }
        match renamed.iter().find(|renamed| renamed.spec == name) {
            None => out.insert(plain_name(name).into_owned(), value.clone()),
            Some(to) if to.written == Written::OwnerId => {
                out.insert(to.wire.to_owned(), json!(principal.and_then(|principal| principal.id())))
            }
            Some(to) => out.insert(to.wire.to_owned(), value.clone()),
        };
    }
}

/// What the written form of a principal is called: as in a manifest, `owner_principal_ref`.
pub(crate) fn reference_name(manifest: &str) -> String {
    if manifest.ends_with("_ref") { manifest.to_owned() } else { format!("{manifest}_ref") }
}
