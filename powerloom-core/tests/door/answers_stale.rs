//! Row R3 of the reliability list, the new enemy: what was withdrawn on one replica, on another one.
//!
//! A change is never made under a permission that was withdrawn before it: the store compares the epoch. A read may be
//! answered by authorization data that are at most `Limits::authz_staleness` old, by the reader's clock, and not a
//! microsecond older.

use crate::heedless_store::Heedless;
use crate::world::{World, kind, on};
use powerloom_core::answers::{SubjectQuery, WhatIf};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::error::{Error, Result};
use powerloom_core::id::ResourceId;
use powerloom_core::limits::Limits;
use powerloom_core::permission::Permission;
use powerloom_core::principal::PrincipalRef;
use powerloom_core::record::{RecordRow, ResourceKey};
use powerloom_core::store::Store;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Two replicas; somebody who may everything below the root, and the binding by which she may.
struct Replicas {
    here: World,
    there: ControlPlane,
    ada: Caller,
    binding: RecordRow,
}

async fn replicas(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Replicas {
    let (one, other, folder) = crate::backend::pair().await;
    let here = on(one, folder, |builder| builder).await;
    let there = ControlPlane::builder(wrap(other)).clock(here.clock.clone()).build();
    let (id, ada) = here.user(here.root(), "ada@acme.com").await;
    let binding = here.bind(format!("user:{id}"), "OUAdmin", here.root()).await;
    // The other replica knows her, and what she may.
    assert!(there.decide(&ada, Permission::OU_CREATE, here.root()).await.unwrap().is_allowed());
    Replicas { here, there, ada, binding }
}

impl Replicas {
    async fn revoke(&self) {
        self.here.archive(&self.here.admin, &self.binding.key()).await.unwrap();
    }

    async fn act_there(&self, name: &str) -> Result<ResourceId> {
        let ou = Some(self.here.root());
        let action =
            Action::Create { kind: kind("OU"), ou, name: Some(name.to_owned()), spec: Default::default() };
        Ok(self.there.submit(&self.ada, action).await?.record().unwrap().meta.id)
    }

    async fn may_there(&self) -> bool {
        self.there.decide(&self.ada, Permission::OU_CREATE, self.here.root()).await.unwrap().is_allowed()
    }
}

/// The anomaly is real: without the epoch as a precondition, the withdrawn permission is used.
#[tokio::test]
async fn without_the_epoch_a_withdrawn_permission_would_be_used() {
    let r = replicas(|inner| Arc::new(Heedless { inner })).await;
    r.revoke().await;
    r.act_there("too-late").await.expect("this store lets it happen: that is what the precondition is for");
}

/// Row R3: with it, never, however fresh the other replica believes its data to be.
#[tokio::test]
async fn what_was_withdrawn_here_is_not_used_there() {
    let r = replicas(|inner| inner).await;
    r.act_there("in-time").await.unwrap();
    r.revoke().await;
    assert!(r.may_there().await, "its data are not old yet");
    assert!(matches!(r.act_there("too-late").await, Err(Error::Denied(_))));
    assert!(!r.may_there().await, "and now it knows");
    r.here.verify().await;
}

/// Row R3: whatever withdraws it: a deny, a seat, a role, a disabled user, a move of the OU.
#[tokio::test]
async fn every_way_to_withdraw_is_heeded_there() {
    for way in ["deny", "disable", "narrow", "leave", "move", "expire"] {
        let r = replicas(|inner| inner).await;
        let w = &r.here;
        let (old, new) = (w.ou(w.root(), "old").await, w.ou(w.root(), "new").await);
        let lab = w.ou(old, "lab").await;
        let (id, bob) = w.user(w.root(), "bob@acme.com").await;
        let role =
            w.create("Role", w.root(), "maker", json!({ "permissions": ["ou:create", "ou:read"] })).await;
        let group = w.create("Group", w.root(), "team", json!({})).await;
        let seat = json!({ "group": group.meta.id, "member": format!("user:{id}") });
        let seat = w.derive("GroupMembership", seat).await;
        let given = json!({
            "principal": format!("group:{}", group.meta.id), "role": format!("role:{}", role.meta.id),
            "expires_at": (way == "expire").then_some("2026-01-01T00:00:01Z"),
        });
        w.try_create(&w.admin, "RoleBinding", Some(old), None, given).await.unwrap();
        let act = async |name: &str| {
            let spec = Default::default();
            let action =
                Action::Create { kind: kind("OU"), ou: Some(lab), name: Some(name.to_owned()), spec };
            r.there.submit(&bob, action).await
        };
        act("in-time").await.unwrap();
        match way {
            "deny" => drop(w.try_bind(&w.admin, format!("user:{id}"), "OUAdmin", lab, "deny").await.unwrap()),
            "disable" => {
                let row = w.row(&ResourceKey { kind: kind("User"), id }).await;
                w.update(&w.admin, &row, json!({ "disabled": true })).await.unwrap();
            }
            "narrow" => drop(w.update(&w.admin, &role, json!({ "permissions": ["ou:read"] })).await.unwrap()),
            "leave" => drop(w.archive(&w.admin, &seat.key()).await.unwrap()),
            "move" => {
                drop(w.cp.submit(&w.admin, Action::MoveOu { ou: lab, to: new, expect: None }).await.unwrap())
            }
            // No write at all withdraws it: the clock does.
            _ => w.clock.advance(Duration::from_secs(1)),
        }
        let answer = act("too-late").await;
        assert!(matches!(answer, Err(Error::Denied(_))), "{way}: {answer:?}");
    }
}

/// Row R3: the staleness of a read, at its edge, for each way to ask.
#[tokio::test]
async fn a_read_is_stale_for_less_than_the_stated_time() {
    let staleness = Limits::default().authz_staleness;
    let before_the_edge = staleness - Duration::from_micros(1);
    let r = replicas(|inner| inner).await;
    let me: PrincipalRef = "user:ada@acme.com".parse().unwrap();
    let root = r.here.root();
    let answers = r.there.answers(&r.ada);
    let why = async || answers.why(&me, Permission::OU_CREATE, root).await.unwrap().decision.is_allowed();
    let list = async || answers.list_permissions(&me, root).await.unwrap().allowed.len();
    let who = async || answers.list_subjects(Permission::OU_CREATE, root, &SubjectQuery::default()).await;
    let held = list().await;
    r.revoke().await;

    // A question about a change is asked of the store itself: it is never stale.
    let none = answers.what_if(&[], &WhatIf::default().ous([root])).await;
    assert!(matches!(none, Err(Error::Denied(_))), "{none:?}");

    r.here.clock.advance(before_the_edge);
    assert!(r.may_there().await && why().await && list().await == held && who().await.is_ok());
    r.here.clock.advance(Duration::from_micros(1));
    assert!(!r.may_there().await && !why().await && list().await == 0);
    assert!(matches!(who().await, Err(Error::Denied(_))));
}

/// Row R3: a snapshot that was made out of an older one, and one that was just read, are no older than they say.
#[tokio::test]
async fn what_is_derived_from_old_data_is_not_believed_longer() {
    let r = replicas(|inner| inner).await;
    let w = &r.here;
    let there_admin = w.admin.clone();
    r.revoke().await;
    // The other replica makes a binding of its own. It would derive the next snapshot from one that still has the
    // withdrawn binding, but its epoch is refused, and it begins anew with what is.
    let spec = json!({ "principal": "service:ci", "role": "AgentViewer" }).as_object().cloned().unwrap();
    let bind = Action::Create { kind: kind("RoleBinding"), ou: Some(w.root()), name: None, spec };
    r.there.submit(&there_admin, bind).await.unwrap();
    assert!(!r.may_there().await);

    // And the other way round: this replica, whose snapshot was derived twice, learns of that binding in time.
    let ci = Caller::service(w.org.id, "ci".parse().unwrap());
    w.clock.advance(Limits::default().authz_staleness);
    assert!(w.cp.decide(&ci, Permission::AGENT_READ, w.root()).await.unwrap().is_allowed());
}

/// Row R3: what comes by an approval or a plan comes by the same door, so by the same epoch: a change that was judged
/// before the withdrawal and is committed after it is judged again.
#[tokio::test]
async fn of_a_withdrawal_and_an_act_at_once_the_act_is_first_or_denied() {
    for round in 0..10 {
        let r = replicas(|inner| inner).await;
        let (act, ()) = tokio::join!(r.act_there("race"), r.revoke());
        let trail = r.here.trail().await;
        let at = |verb: &str, decision: &str| {
            trail.iter().position(|(_, found, how)| found == verb && how == decision)
        };
        let withdrawn = at("role_binding.archive", "allow").unwrap();
        match act {
            Ok(_) => assert!(at("ou.create", "allow").unwrap() < withdrawn, "round {round}: {trail:?}"),
            Err(error) => {
                assert!(matches!(error, Error::Denied(_)), "round {round}: {error}");
                assert!(at("ou.create", "deny").unwrap() > withdrawn, "round {round}: {trail:?}");
            }
        }
    }
}
