//! Documents to a plan. Nothing is changed by it.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::Body;
use axum::Json;
use axum::extract::State;
use powerloom_core::digest::Digest;
use powerloom_core::invalid::Invalid;
use powerloom_core::manifest::{
    ManifestErrors, ParseMode, Parsed, Plan, SetOptions, Take, Through, Warning, parse_all,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What is to be planned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanRequest {
    /// The streams of documents, taken together: one may refer to what another declares.
    documents: Vec<ManifestSource>,
    /// What is odd is refused, instead of told as a warning.
    #[serde(default)]
    strict: bool,
    /// They are all the documents of the set of this name: it owns what they declare, and remembers what it applied.
    set: Option<String>,
    /// What the set has left behind is archived. Only with `set`.
    #[serde(default)]
    prune: bool,
    /// Which fields that others have changed are set to what the documents say. Only with `set`.
    take: Option<TakeFields>,
    /// What belongs to another set is taken over. Only with `set`.
    #[serde(default)]
    take_ownership: bool,
}

/// A stream of YAML documents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestSource {
    /// What faults call it, such as a file name.
    name: String,
    /// Its text: at most 1 MiB, 1000 documents and 64 levels.
    #[schema(max_length = 1_048_576)]
    text: String,
}

/// Which fields are taken back from whoever changed them: `all`, or those of these names.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected `all`, or a list of field names such as `model`")]
enum TakeFields {
    Word(TakeAll),
    Fields(BTreeSet<String>),
}

/// All of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TakeAll {
    All,
}

/// A plan, and what there is to say of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Planned {
    /// The plan: it can be kept, shown, and sent to `/manifests/apply` later.
    plan: Plan,
    /// What names exactly this plan.
    digest: Digest,
    /// The plan for people.
    text: String,
    /// Nothing would be done.
    is_noop: bool,
    /// What is odd in the documents.
    warnings: Vec<Warning>,
}

/// The envelope of documents that cannot be used.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: `Failure` writes it")]
pub(super) struct ManifestRefusal {
    /// What is wrong.
    error: ManifestRefused,
}

/// Documents cannot be used.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: `Failure` writes it")]
struct ManifestRefused {
    /// Always `manifest`.
    #[schema(pattern = "^manifest$")]
    code: String,
    /// All faults, a line for each.
    message: String,
    /// The faults.
    detail: ManifestErrors,
}

/// Plan documents against what is there, as the caller: nothing is shown that they may not read, and each step says what it
/// will meet with.
///
/// All faults of all documents come at once. A body has at most as many bytes as any other (413); a request of more is planned
/// in parts.
#[utoipa::path(post, path = "/manifests/plan", tag = "manifests", operation_id = "planManifests",
    request_body = PlanRequest,
    responses((status = 200, description = "The plan. Nothing was changed.", body = Planned),
        (status = 422, description = "The documents cannot be used: each fault with its place.", body = ManifestRefusal)))]
pub(super) async fn plan(
    State(app): State<App>,
    By(caller): By,
    Body(request): Body<PlanRequest>,
) -> Result<Json<Planned>, Failure> {
    let set = set(&request)?;
    let parsed = parsed(&app, request).await?;
    let through = Through::new(&app.loom, &caller);
    let plan = match &set {
        Some(set) => through.plan_set(parsed.documents, set).await?,
        None => through.plan(parsed.documents).await?,
    };
    let (digest, text, is_noop) = (plan.digest()?, plan.to_string(), plan.is_noop());
    Ok(Json(Planned { plan, digest, text, is_noop, warnings: parsed.warnings }))
}

fn set(request: &PlanRequest) -> Result<Option<SetOptions>, Invalid> {
    let Some(name) = &request.set else {
        let given = [
            ("prune", request.prune),
            ("take", request.take.is_some()),
            ("take_ownership", request.take_ownership),
        ];
        return match given.into_iter().find(|(_, given)| *given) {
            Some((field, _)) => Err(Invalid::hidden(field, "only together with `set`")),
            None => Ok(None),
        };
    };
    let mut set =
        SetOptions::new(name.as_str()).map_err(|invalid| Invalid { field: "set".to_owned(), ..invalid })?;
    set.prune = request.prune;
    set.take_ownership = request.take_ownership;
    set.take = match &request.take {
        None => Take::Nothing,
        Some(TakeFields::Word(TakeAll::All)) => Take::All,
        Some(TakeFields::Fields(fields)) => Take::Fields(fields.clone()),
    };
    Ok(Some(set))
}

/// Reads the documents beside the requests of others: megabytes of YAML take their time.
async fn parsed(app: &App, request: PlanRequest) -> Result<Parsed, Failure> {
    let loom = app.loom.clone();
    let mode = if request.strict { ParseMode::Strict } else { ParseMode::Lenient };
    let read = move || {
        let streams = request.documents.iter().map(|source| (source.name.as_str(), source.text.as_str()));
        parse_all(streams, mode, loom.catalogue())
    };
    let parsed = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Failure::of_task(error, "reading manifests"))?;
    parsed.map_err(Failure::Manifest)
}
