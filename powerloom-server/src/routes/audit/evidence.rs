//! Whether the chain holds, the chain as a file, and proofs about it.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Body, Nothing, Params};
use crate::routes::audit::checkpoints;
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use powerloom_core::audit::merkle::TreeHead;
use powerloom_core::audit::proof::{ConsistencyProof, InclusionProof};
use powerloom_core::audit::{AuditHead, Break, Verified};
use powerloom_core::evidence::ExportScope;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is believed beforehand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// A head kept elsewhere: with it a cut tail is found as well.
    trusted: Option<AuditHead>,
}

/// What verifying the chain found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    /// The whole chain holds.
    ok: bool,
    /// How much was read, and where it ends: keep the head elsewhere, and trust it next time. `null` for a chain that is broken.
    #[schema(required)]
    verified: Option<Verified>,
    /// The first place where the chain is not what it should be.
    #[schema(required)]
    finding: Option<Break>,
}

/// Verify the whole chain of the organization, entry by entry. A broken chain is an answer, not an error: `ok` is false then.
#[utoipa::path(post, path = "/audit/verify", tag = "audit", operation_id = "verifyAudit", request_body = VerifyRequest,
    responses((status = 200, description = "What was found.", body = Verification)))]
pub(super) async fn verify(
    State(app): State<App>,
    By(caller): By,
    Body(request): Body<VerifyRequest>,
) -> Result<Json<Verification>, Failure> {
    let report = app.loom.verify_audit(&caller, request.trusted).await?;
    let (verified, finding) = (report.as_ref().ok().copied(), report.err());
    Ok(Json(Verification { ok: finding.is_none(), verified, finding }))
}

/// Which part of the chain is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
    /// The place of the first entry: 1 unless said otherwise.
    #[param(minimum = 1)]
    from: Option<u64>,
    /// The place of the last entry: the newest unless said otherwise.
    to: Option<u64>,
    /// Put the newest checkpoint that is anchored into the header, so that the file alone can be verified by whoever has the key.
    checkpoint: Option<bool>,
}

/// Export a part of the chain as JSON lines, for whoever keeps or verifies it elsewhere.
///
/// The answer is streamed. If it breaks off, the file ends before the entry its header names as the last, and a verifier says so.
#[utoipa::path(get, path = "/audit/export", tag = "audit", operation_id = "exportAudit", params(Scope),
    responses((status = 200, description = "A header, and a line for each entry.", body = String, content_type = "application/jsonl")))]
pub(super) async fn export(
    State(app): State<App>,
    By(caller): By,
    Params(asked): Params<Scope>,
) -> Result<Response, Failure> {
    let mut scope = ExportScope::default();
    if let Some(from) = asked.from {
        scope = scope.from(from);
    }
    if let Some(to) = asked.to {
        scope = scope.to(to);
    }
    if asked.checkpoint == Some(true)
        && let Some(note) = checkpoints::newest(&app, &caller).await?
    {
        scope = scope.checkpoint(note);
    }
    let export = app.loom.export_audit(&caller, scope).await?;
    let of = export.header();
    let file = format!("attachment; filename=\"{}-audit-{}-{}.jsonl\"", of.slug, of.from, of.to);
    // Too late for an answer: the connection is cut, and the log says why.
    let lines = export.into_stream().inspect_err(|error| tracing::error!(%error, "an export broke off"));
    let headers =
        [(header::CONTENT_TYPE, "application/jsonl".to_owned()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, HttpBody::from_stream(lines)).into_response())
}

/// Read the Merkle tree over all entries in short: its size and its root (RFC 9162).
#[utoipa::path(get, path = "/audit/tree", tag = "audit", operation_id = "getAuditTree",
    responses((status = 200, description = "The tree.", body = TreeHead,
        links(("inclusion" = (operation_id = "proveAuditInclusion",
            parameters(("seq" = "$response.body#/size"), ("size" = "$response.body#/size"))))))))]
pub(super) async fn tree(
    State(app): State<App>,
    By(caller): By,
    Params(Nothing {}): Params<Nothing>,
) -> Result<Json<TreeHead>, Failure> {
    Ok(Json(app.loom.audit_tree(&caller).await?))
}

/// Which entry, in which tree.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Inclusion {
    /// The place of the entry.
    #[param(minimum = 1)]
    seq: u64,
    /// How many entries the tree has.
    #[param(minimum = 1)]
    size: u64,
}

/// Prove that an entry is in the tree over the first `size` entries.
#[utoipa::path(get, path = "/audit/proofs/inclusion", tag = "audit", operation_id = "proveAuditInclusion", params(Inclusion),
    responses((status = 200, description = "The proof.", body = InclusionProof)))]
pub(super) async fn inclusion(
    State(app): State<App>,
    By(caller): By,
    Params(asked): Params<Inclusion>,
) -> Result<Json<InclusionProof>, Failure> {
    Ok(Json(app.loom.prove_inclusion(&caller, asked.seq, asked.size).await?))
}

/// Which two trees.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Consistency {
    /// How many entries the shorter tree has.
    from: u64,
    /// How many entries the longer tree has.
    to: u64,
}

/// Prove that the tree over the first `to` entries begins with the one over the first `from`.
#[utoipa::path(get, path = "/audit/proofs/consistency", tag = "audit", operation_id = "proveAuditConsistency", params(Consistency),
    responses((status = 200, description = "The proof.", body = ConsistencyProof)))]
pub(super) async fn consistency(
    State(app): State<App>,
    By(caller): By,
    Params(asked): Params<Consistency>,
) -> Result<Json<ConsistencyProof>, Failure> {
    Ok(Json(app.loom.prove_consistency(&caller, asked.from, asked.to).await?))
}
