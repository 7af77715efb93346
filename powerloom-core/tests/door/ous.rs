//! The OU tree through the door.

use crate::world::{code, denied, world};
use powerloom_core::door::mutation::Action;
use serde_json::json;

/// Rows P16, P19: what is bound at an OU holds for what lives below it.
#[tokio::test]
async fn an_agent_inherits_the_bindings_of_its_ou() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let platform = w.ou(engineering, "platform").await;
    let eng = w.ou(w.root(), "eng").await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "OUAdmin", engineering).await;
    let mut spec = w.agent_spec();
    spec["owner"] = json!(format!("user:{ada}"));
    w.try_create(&as_ada, "Agent", Some(platform), Some("inside"), spec.clone()).await.unwrap();
    denied(w.try_create(&as_ada, "Agent", Some(eng), Some("prefix-sibling"), spec.clone()).await);
    denied(w.try_create(&as_ada, "Agent", Some(w.root()), Some("above"), spec).await);
    let path = w.cp.authz(w.org.id).await.unwrap().ou_path(platform).unwrap().to_string();
    assert_eq!(path, "/acme/engineering/platform");
}

#[tokio::test]
async fn a_moved_ou_takes_its_subtree_and_its_rules_along() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let platform = w.ou(engineering, "platform").await;
    let research = w.ou(w.root(), "research").await;
    let agent = w.agent(platform, "code-reviewer").await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentViewer", research).await;
    assert!(w.cp.get(&as_ada, &agent.key()).await.is_err());
    w.cp.submit(&w.admin, Action::MoveOu { ou: platform, to: research, expect: None }).await.unwrap();
    assert!(w.cp.get(&as_ada, &agent.key()).await.is_ok());
    let path = w.cp.authz(w.org.id).await.unwrap().ou_path(platform).unwrap().to_string();
    assert_eq!(path, "/acme/research/platform");
}

#[tokio::test]
async fn a_move_that_makes_a_cycle_or_a_double_name_is_refused() {
    let w = world().await;
    let a = w.ou(w.root(), "a").await;
    let b = w.ou(a, "b").await;
    w.ou(w.root(), "b").await;
    assert_eq!(code(w.cp.submit(&w.admin, Action::MoveOu { ou: a, to: b, expect: None }).await), "cycle");
    assert_eq!(
        code(w.cp.submit(&w.admin, Action::MoveOu { ou: b, to: w.root(), expect: None }).await),
        "name_taken"
    );
    assert_eq!(
        code(w.cp.submit(&w.admin, Action::MoveOu { ou: w.root(), to: b, expect: None }).await),
        "invalid"
    );
    let stale = Action::MoveOu { ou: b, to: w.root(), expect: Some(9) };
    assert_eq!(code(w.cp.submit(&w.admin, stale).await), "version_mismatch");
    w.verify().await;
}

/// Two moves that together would make a cycle: each alone is fine.
#[tokio::test]
async fn of_two_moves_at_once_that_would_make_a_cycle_one_is_refused() {
    for _ in 0..20 {
        let w = world().await;
        let a = w.ou(w.root(), "a").await;
        let b = w.ou(w.root(), "b").await;
        let (one, two) = tokio::join!(
            w.cp.submit(&w.admin, Action::MoveOu { ou: a, to: b, expect: None }),
            w.cp.submit(&w.admin, Action::MoveOu { ou: b, to: a, expect: None }),
        );
        assert_eq!(one.is_ok() as u8 + two.is_ok() as u8, 1, "{one:?} {two:?}");
        w.cp.authz(w.org.id).await.unwrap();
    }
}

#[tokio::test]
async fn an_ou_that_is_not_empty_stays() {
    let w = world().await;
    let engineering = w.ou(w.root(), "engineering").await;
    let agent = w.agent(engineering, "code-reviewer").await;
    let key = powerloom_core::record::ResourceKey { kind: crate::world::kind("OU"), id: engineering };
    let error = w.archive(&w.admin, &key).await.unwrap_err();
    assert!(error.code() == "in_use" && error.to_string().contains("code-reviewer"), "{error}");
    let _ = agent;
    let root = powerloom_core::record::ResourceKey { kind: crate::world::kind("OU"), id: w.root() };
    assert_eq!(code(w.archive(&w.admin, &root).await), "in_use");
    let empty = w.create("OU", w.root(), "empty", json!({})).await;
    w.archive(&w.admin, &empty.key()).await.unwrap();
    w.ou(w.root(), "empty").await;
}
