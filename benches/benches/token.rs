//! What does a delegated token cost, from minting to the caller, above the bare signature?
//!
//! `cargo bench --package powerloom-benches --bench token`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::SessionId;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::{Commit, Write};
use powerloom_core::token::{KeySet, MemorySigningKeys, MetaTool, SigningKey, TokenOptions, TokenService};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOKENS: u32 = 2_000;

fn timed<T>(mut work: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..TOKENS {
        black_box(work());
    }
    start.elapsed()
}

/// A control plane in memory with a running session, whose tokens these are.
async fn service() -> (TokenService, SessionRecord) {
    let cp = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
    let acme = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let now = cp.clock().now();
    let starter = acme.admin_caller().principal.to_string();
    let remote = json!({ "id": "remote", "version": 1 });
    let session: SessionRecord = serde_json::from_value(json!({
        "id": SessionId::generate(now, &SystemEntropy), "org": acme.id, "agent_id": acme.root_ou, "ou": acme.root_ou,
        "started_by": starter, "on_behalf_of": starter, "parent": null, "depth": 1, "title": null, "prompt": "x",
        "mode": "fire_and_forget", "snapshot": {
            "agent_name": "powerloom-meta", "agent": remote, "environment": remote, "skills": [], "mcp_servers": [],
            "vault_ids": [],
        },
        "status": "running", "error": null, "remote_id": "remote", "unsure": false, "created_at": now, "running_at": now,
        "settled_at": null, "timeout_ms": 600_000, "cancel_requested": false, "last_seq": "0", "event_count": 0,
        "mcp_tool_use_count": 0, "mcp_error_count": 0, "degradation_flagged": false, "degradation_reason": null,
        "usage": null, "cost": null, "lease": null, "fence": 0, "version": 1,
    }))
    .unwrap();
    let mut commit = Commit::new(acme.id, now);
    commit.write.push(Write::PutSession(Box::new(session.clone())));
    cp.store().commit(commit).await.unwrap();
    let keys = KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap());
    let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
    (TokenService::new(&cp, Arc::new(MemorySigningKeys::new(keys)), options).unwrap(), session)
}

fn main() {
    if is_listing() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (tokens, session) = runtime.block_on(service());
    let token = tokens.mint_delegated_claims(&session, MetaTool::ListOus).unwrap();
    let signed = token.reveal().rsplit_once('.').unwrap().0.as_bytes();
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref()).unwrap();

    compare(
        "delegated token, minted and verified live",
        TOKENS,
        &mut || timed(|| public.verify_sig(signed, pair.sign(signed).as_ref()).unwrap()),
        &mut || {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..TOKENS {
                    let token = tokens.mint_delegated_claims(&session, MetaTool::ListOus).unwrap();
                    black_box(tokens.authenticate(token.reveal()).await.unwrap());
                }
                start.elapsed()
            })
        },
    );
}
