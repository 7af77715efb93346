//! Signed checkpoints of the chain: what is anchored, and a new one.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{Nothing, Params};
use axum::Json;
use axum::extract::State;
use powerloom_core::anchor::AnchorAccess;
use powerloom_core::audit::AuditHead;
use powerloom_core::audit::checkpoint::Checkpoint;
use powerloom_core::audit::note::SignedNote;
use powerloom_core::checkpointer::{Anchored, Checkpointer};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::error::Error;
use serde::Serialize;
use utoipa::ToSchema;

/// The state of the chain at one moment, signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedCheckpoint {
    /// Which log it is of.
    origin: String,
    /// How many entries it covers.
    size: u64,
    /// The root of the tree over them.
    root: Digest,
    /// The newest of them.
    head: AuditHead,
    /// When it was made.
    at: Timestamp,
    /// All of this as a signed note (C2SP `signed-note`, `tlog-checkpoint`): what a verifier reads.
    note: String,
}

impl SignedCheckpoint {
    fn new(checkpoint: &Checkpoint, note: &SignedNote) -> Self {
        Self {
            origin: checkpoint.origin.to_string(),
            size: checkpoint.size(),
            root: checkpoint.root,
            head: checkpoint.head,
            at: checkpoint.at,
            note: note.to_string(),
        }
    }
}

/// What one anchor keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnchoredCheckpoint {
    /// What the anchor is called.
    anchor: String,
    /// It can be read back.
    readable: bool,
    /// The newest checkpoint it keeps; `null` if there is none that is known and to be believed.
    #[schema(required)]
    checkpoint: Option<SignedCheckpoint>,
    /// Why that is not known.
    #[schema(required)]
    error: Option<String>,
}

/// What the anchors keep of the organization's chain.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checkpoints {
    /// What verifies the signatures: `<name>+<key id>+<base64>`.
    key: String,
    /// One per anchor.
    items: Vec<AnchoredCheckpoint>,
}

/// What came of making a checkpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckpointMade {
    /// What verifies the signature: `<name>+<key id>+<base64>`.
    key: String,
    /// The newest checkpoint.
    checkpoint: SignedCheckpoint,
    /// The anchors that got it now; those that had it already are not named.
    published: Vec<String>,
    /// The anchors that did not, and why.
    failures: Vec<String>,
}

/// List the newest checkpoint that each anchor keeps of the organization's chain.
///
/// Without a signer and an anchor in the server's configuration it is refused with `checkpoints_not_configured`.
#[utoipa::path(get, path = "/audit/checkpoints", tag = "audit", operation_id = "listCheckpoints",
    responses((status = 200, description = "What the anchors keep.", body = Checkpoints)))]
pub(super) async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(Nothing {}): Params<Nothing>,
) -> Result<Json<Checkpoints>, Failure> {
    let (key, checkpointer) = configured(&app, &caller)?;
    let items = checkpointer.anchored(&caller).await?.into_iter().map(shown).collect();
    Ok(Json(Checkpoints { key, items }))
}

fn shown(kept: Anchored) -> AnchoredCheckpoint {
    let (checkpoint, error) = match &kept.newest {
        Ok(found) => (found.as_ref().map(|(checkpoint, note)| SignedCheckpoint::new(checkpoint, note)), None),
        Err(failure) => (None, Some(failure.to_string())),
    };
    AnchoredCheckpoint {
        anchor: kept.anchor,
        readable: kept.access == AnchorAccess::ReadWrite,
        checkpoint,
        error,
    }
}

/// Make a checkpoint of the chain as it is now, unless the newest one covers it, and publish it to every anchor that lacks it.
///
/// The whole chain is verified first. One or the other anchor that fails is in the answer. A client that vanishes leaves it made
/// or not, and with some of the anchors: the next one goes on from there.
#[utoipa::path(post, path = "/audit/checkpoints", tag = "audit", operation_id = "makeCheckpoint",
    responses((status = 200, description = "The newest checkpoint.", body = CheckpointMade)))]
pub(super) async fn make(
    State(app): State<App>,
    By(caller): By,
    Params(Nothing {}): Params<Nothing>,
) -> Result<Json<CheckpointMade>, Failure> {
    let (key, mut checkpointer) = configured(&app, &caller)?;
    let made = checkpointer.checkpoint_as(&caller).await?;
    // An organization begins with an entry: there is always something to sign.
    let made = made.ok_or_else(|| Error::Internal { message: "the chain is empty".to_owned() })?;
    Ok(Json(CheckpointMade {
        key,
        checkpoint: SignedCheckpoint::new(&made.checkpoint, &made.note),
        published: made.published,
        failures: made.failures.iter().map(ToString::to_string).collect(),
    }))
}

/// The newest of what the anchors keep.
pub(super) async fn newest(app: &App, caller: &Caller) -> Result<Option<SignedNote>, Failure> {
    let (_, checkpointer) = configured(app, caller)?;
    let kept = checkpointer.anchored(caller).await?.into_iter();
    let newest =
        kept.filter_map(|kept| kept.newest.ok().flatten()).max_by_key(|(checkpoint, _)| checkpoint.size());
    Ok(newest.map(|(_, note)| note))
}

/// The key that signs, and the checkpointer of the caller's organization.
fn configured(app: &App, caller: &Caller) -> Result<(String, Checkpointer), Failure> {
    let checkpoints = app.config.checkpoints.as_ref().ok_or(Failure::NoCheckpoints)?;
    let checkpointer = checkpoints.checkpointer(&app.loom, caller.org);
    let checkpointer = checkpointer.map_err(|invalid| Error::Internal { message: invalid.to_string() })?;
    Ok((checkpoints.key().to_string(), checkpointer))
}
