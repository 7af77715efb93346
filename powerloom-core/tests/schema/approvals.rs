//! Requests, votes and what became of them.

use crate::held::held;
use crate::world::{World, world};
use powerloom_core::approval::{ApprovalId, ApprovalRequest, ApprovalState, InboxFilter};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::id::SessionId;
use powerloom_core::permission::PermissionSet;
use powerloom_core::record::Record;
use serde_json::json;
use uuid::Uuid;

async fn approver(w: &World, email: &str) -> Caller {
    let (id, caller) = w.user(w.root(), email).await;
    w.bind(format!("user:{id}"), "Approver", w.root()).await;
    caller
}

async fn asked(w: &World, caller: &Caller, name: &str, prompt: &str) -> Record<ApprovalRequest> {
    let mut spec = w.agent_spec();
    spec["system_prompt"] = json!(prompt);
    let outcome = w.try_create(caller, "Agent", Some(w.root()), Some(name), spec).await.unwrap();
    let Outcome::Pending { request_id } = &outcome else { panic!("{outcome:?}") };
    held(&outcome);
    w.cp.approvals(&w.admin).get(request_id.parse::<ApprovalId>().unwrap()).await.unwrap()
}

/// From pending to approved, rejected, cancelled and failed; asked for by a person and by a session.
#[tokio::test]
async fn a_request_is_as_its_schema_says_in_every_state() {
    let w = world().await;
    let grace = approver(&w, "grace@acme.com").await;
    let policy = json!({
        "match": { "resource_kinds": ["Agent"] }, "approvers": ["role:Approver", grace.principal.to_string()],
    });
    w.create("ApprovalPolicy", w.root(), "agents", policy).await;
    let session = SessionId::from_uuid(Uuid::from_u128(7));
    let delegated = w.admin.clone().delegated(session, PermissionSet::ALL);
    let (yes, no) = (asked(&w, &w.admin, "yes", "a").await, asked(&w, &delegated, "no", "a").await);
    let (back, twice) = (asked(&w, &w.admin, "back", "a").await, asked(&w, &w.admin, "yes", "b").await);
    assert!(held(&no)["spec"]["requester"].get("ceiling").is_some());
    let approvals = w.cp.approvals(&grace);
    let comment = Some("seen".to_owned());
    held(&approvals.approve(yes.request_id(), yes.spec.payload_hash, comment.clone()).await.unwrap());
    held(&approvals.reject(no.request_id(), no.spec.payload_hash, comment).await.unwrap());
    let taken =
        w.cp.approvals(&w.admin).cancel(back.request_id(), Some("mistaken".to_owned())).await.unwrap();
    held(&taken);
    held(&approvals.approve(twice.request_id(), twice.spec.payload_hash, None).await.unwrap());
    let mut states = Vec::new();
    for request in w.cp.approvals(&w.admin).recent(&InboxFilter::default()).await.unwrap() {
        held(&request);
        held(&w.cp.approvals(&w.admin).change(request.request_id()).await.unwrap());
        states.push(request.status.state);
    }
    for state in
        [ApprovalState::Approved, ApprovalState::Rejected, ApprovalState::Cancelled, ApprovalState::Failed]
    {
        assert!(states.contains(&state), "{states:?}");
    }
}
