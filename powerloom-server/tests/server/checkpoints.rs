//! Checkpoints of every organization, while the server runs.

use crate::stage::{Stage, eventually};
use powerloom_core::audit::checkpoint::Checkpoint;
use powerloom_core::audit::signer::Ed25519Signer;
use powerloom_core::entropy::SystemEntropy;
use powerloom_server::{Checkpoints, Config, Server};
use powerloom_store::anchor::FileAnchor;
use std::sync::Arc;

#[tokio::test]
async fn the_chain_of_an_organization_is_signed_and_anchored() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let (signer, _) = Ed25519Signer::generate("acme.com/audit", &SystemEntropy).unwrap();
    let anchor = FileAnchor::new(folder.path());
    let file = anchor.path_of(&Checkpoint::origin_of(stage.org.id));
    let checkpoints = Checkpoints::new(Arc::new(signer), Arc::new(anchor)).unwrap();
    let loom = stage.loom().await;
    let config = Config::new(stage.tokens(&loom)).checkpoints(checkpoints);
    let server = Server::new(loom, config).start().await.unwrap();
    let note = eventually("a checkpoint is there", async || std::fs::read_to_string(&file).ok()).await;
    assert!(note.starts_with(Checkpoint::origin_of(stage.org.id).as_str()), "{note}");
    assert!(note.contains("\u{2014} acme.com/audit "), "{note}");
    assert!(server.shutdown().await.is_clean());
}
