//! Approvals through the door: what waits, who decides, and what is made when (sem. 2.8; rows P96–P101; vector 4.6).

#[path = "approvals/break_glass.rs"]
mod break_glass;
#[path = "approvals/break_glass_request.rs"]
mod break_glass_request;
#[path = "approvals/consents.rs"]
mod consents;
#[path = "approvals/crash.rs"]
mod crash;
#[path = "approvals/evasions.rs"]
mod evasions;
#[path = "approvals/inbox.rs"]
mod inbox;
#[path = "approvals/plans.rs"]
mod plans;
#[path = "approvals/replay.rs"]
mod replay;
#[path = "approvals/requests.rs"]
mod requests;
#[path = "approvals/votes.rs"]
mod votes;

use crate::world::{World, world};
use powerloom_core::approval::{ApprovalId, ApprovalRequest, ApprovalState, Ballot};
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Result;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{Record, RecordRow, ResourceKey};
use serde_json::{Value, json};

/// An organization in which changes of `/acme/production` wait for people.
pub(crate) struct Gated {
    pub(crate) w: World,
    pub(crate) production: ResourceId,
    /// May create agents everywhere.
    pub(crate) ada: Caller,
    /// May decide everywhere.
    pub(crate) grace: Caller,
    pub(crate) alan: Caller,
}

/// Nobody waits yet: declare a policy with [`Gated::policy`].
pub(crate) async fn gated() -> Gated {
    let w = world().await;
    let root = w.root();
    let production = w.ou(root, "production").await;
    let (ada, ada_caller) = w.user(root, "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", root).await;
    w.bind(format!("user:{ada}"), "OUAdmin", production).await;
    let mut deciders = Vec::new();
    for name in ["grace", "alan"] {
        let (id, caller) = w.user(root, &format!("{name}@acme.com")).await;
        w.bind(format!("user:{id}"), "Approver", root).await;
        deciders.push(caller);
    }
    let alan = deciders.pop().unwrap();
    let grace = deciders.pop().unwrap();
    Gated { w, production, ada: ada_caller, grace, alan }
}

impl Gated {
    /// A policy in `ou` about new and changed agents, with `more` fields.
    pub(crate) async fn policy(&self, ou: ResourceId, name: &str, more: Value) -> RecordRow {
        let mut spec = json!({
            "match": { "resource_kinds": ["Agent"], "actions": ["create", "update"] },
            "approvers": ["role:Approver"],
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        self.w.create("ApprovalPolicy", ou, name, spec).await
    }

    pub(crate) async fn ask_for(&self, caller: &Caller, name: &str) -> Result<Outcome> {
        let spec = json!({
            "model": "claude-sonnet-4-6", "system_prompt": "Be concise.", "agent_kind": "user",
            "owner": self.ada.principal.to_string(),
        });
        self.w.try_create(caller, "Agent", Some(self.production), Some(name), spec).await
    }

    /// Ada asks for an agent; it waits.
    pub(crate) async fn asked(&self, name: &str) -> Record<ApprovalRequest> {
        let outcome = self.ask_for(&self.ada, name).await.unwrap();
        self.request(pending(&outcome)).await
    }

    pub(crate) async fn request(&self, id: ApprovalId) -> Record<ApprovalRequest> {
        let row = self.w.row(&ResourceKey::of::<ApprovalRequest>(id.record())).await;
        Record::read(&row).unwrap()
    }

    pub(crate) async fn state(&self, id: ApprovalId) -> ApprovalState {
        self.request(id).await.status.state
    }

    pub(crate) async fn vote(
        &self,
        caller: &Caller,
        request: &Record<ApprovalRequest>,
        ballot: Ballot,
    ) -> Result<Outcome> {
        self.vote_on(caller, request.request_id(), request.spec.payload_hash, ballot).await
    }

    pub(crate) async fn vote_on(
        &self,
        caller: &Caller,
        request: ApprovalId,
        payload_hash: Digest,
        ballot: Ballot,
    ) -> Result<Outcome> {
        let vote = Action::Vote { request, ballot, payload_hash, comment: None, requirements: Vec::new() };
        self.w.cp.submit(caller, vote).await
    }

    pub(crate) async fn approve(
        &self,
        caller: &Caller,
        request: &Record<ApprovalRequest>,
    ) -> Result<Outcome> {
        self.vote(caller, request, Ballot::Approve).await
    }

    /// The live agent of that name in production.
    pub(crate) async fn agent(&self, name: &str) -> Option<RecordRow> {
        let key = format!("{}/{name}", self.production);
        self.w
            .cp
            .store()
            .record_by_unique_key(self.w.org.id, &crate::world::kind("Agent"), &key)
            .await
            .unwrap()
    }

    /// The verbs of the trail, oldest first, after the first `skip`.
    pub(crate) async fn verbs(&self, skip: usize) -> Vec<String> {
        self.w.trail().await.into_iter().skip(skip).map(|(_, verb, _)| verb).collect()
    }
}

pub(crate) fn pending(outcome: &Outcome) -> ApprovalId {
    match outcome {
        Outcome::Pending { request_id } => request_id.parse().unwrap(),
        other => panic!("it does not wait: {other:?}"),
    }
}
