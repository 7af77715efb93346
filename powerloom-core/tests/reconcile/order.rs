//! What is pushed when: dependencies, versions, credentials.

use crate::world::{options, world, world_with};
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::runtime::Payload;
use powerloom_store::MemoryStore;
use serde_json::json;
use std::sync::Arc;

/// Rows P30, P33, P35, P36, P37, P40: the environment comes first, the agent is revisited without penalty.
#[tokio::test(start_paused = true)]
async fn an_agent_waits_for_the_environment_and_is_revisited_in_the_next_tick() {
    let w = world().await;
    let agent = w.agent("code-reviewer", &[], &[]).await;
    let first = w.tick().await;
    assert_eq!((first.pushed, first.not_ready, first.rows()), (1, 1, 2));
    assert_eq!(w.runtime.pushes(), std::slice::from_ref(&w.environment));
    let waiting = w.state(&agent).await;
    assert_eq!((waiting.attempts, waiting.last_error.clone()), (0, None));
    assert!(
        matches!(w.status(&agent).await, SyncStatus::Blocked { on } if on.contains(&w.environment.to_string()))
    );

    assert_eq!(w.tick().await.pushed, 1);
    let synced = w.state(&agent).await;
    assert_eq!(synced.actual, Some(synced.desired));
    assert_eq!(synced.remote, w.runtime.object(&agent).map(|object| object.remote));
    assert_eq!(w.tick().await.rows(), 0, "what is in sync is left alone");
    assert_eq!(w.runtime.calls().len(), 2);
}

/// Rows P38, P51, P53: versions in their order, all of one remote skill, then the agent that has the newest.
#[tokio::test(start_paused = true)]
async fn skill_versions_go_in_order_and_before_the_agents_that_have_them() {
    let w = world().await;
    let skill = w.skill("python-lint").await;
    let agent = w.agent("code-reviewer", &[skill], &[]).await;
    w.tick().await;
    assert!(matches!(w.status(&agent).await, SyncStatus::Blocked { on } if on.contains("no version yet")));
    let one = w.publish(skill, "python-lint", "one").await;
    let two = w.publish(skill, "python-lint", "two").await;
    w.settle().await;
    assert_eq!(w.runtime.pushes(), [w.environment.clone(), one.clone(), two.clone(), agent.clone()]);
    let parents = [&one, &two].map(|key| w.runtime.object(key).unwrap().remote.parent);
    assert!(parents[0].is_some() && parents[0] == parents[1]);

    let three = w.publish(skill, "python-lint", "three").await;
    w.settle().await;
    let Payload::Agent(has) = w.runtime.object(&agent).unwrap().payload else { panic!("it is an agent") };
    assert_eq!((has.skills[0].version, has.skills[0].number), (three.id, 3));
    assert_eq!(w.runtime.object(&agent).unwrap().remote.version, Some(2));
}

/// Row P46 and the upload that mends it: a version that is parked does not keep the next one away.
#[tokio::test(start_paused = true)]
async fn a_parked_version_does_not_block_its_successor_and_joins_its_skill_later() {
    use powerloom_core::conformance::fake_runtime::Fault;
    use powerloom_core::runtime::RuntimeErrorClass;
    let w = world().await;
    let skill = w.skill("python-lint").await;
    let bad = w.publish(skill, "python-lint", "bad").await;
    w.runtime.fault_of(&bad, Some(Fault::Fails(RuntimeErrorClass::Permanent)));
    w.tick().await;
    let good = w.publish(skill, "python-lint", "good").await;
    w.tick().await;
    assert!(w.is_synced(&good).await);
    w.runtime.fault_of(&bad, None);
    w.submit(powerloom_core::door::mutation::Action::ResetSync { target: bad.clone() }).await;
    w.settle().await;
    let parents = [&bad, &good].map(|key| w.runtime.object(key).unwrap().remote.parent);
    assert_eq!(parents[0], parents[1]);
}

/// Rows P39, P40, P65: a server nobody serves yet has no URL; the agent waits and does not fail.
#[tokio::test(start_paused = true)]
async fn an_agent_waits_for_a_server_that_has_no_address_yet() {
    let w = world().await;
    w.create("MCPDeployment", Some("pg-analytics"), json!({ "template_kind": "echo" })).await;
    let unique = format!("{}/pg-analytics", w.org.root_ou);
    let kind = crate::world::kind("MCPServerRegistration");
    let server = w.cp.store().record_by_unique_key(w.org.id, &kind, &unique).await.unwrap().unwrap();
    let agent = w.agent("pg-reader", &[], &[server.meta.id]).await;
    for _ in 0..15 {
        w.tick().await;
    }
    assert_eq!(w.state(&agent).await.attempts, 0);
    assert!(matches!(w.status(&agent).await, SyncStatus::Blocked { on } if on.contains("not served")));
    let left = w.reconciler.until_settled(std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(left.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [agent]);
}

/// Rows P30, P68: vault first, then its credentials with the bearer that was minted, and the bearer is nowhere else.
#[tokio::test(start_paused = true)]
async fn a_credential_follows_its_vault_and_brings_the_bearer() {
    let w = world().await;
    let server = w.server("pg").await;
    let agent = w.agent("pg-reader", &[], &[server]).await;
    let credential = w.credential(&agent, server).await;
    w.settle().await;
    let object = w.runtime.object(&credential.key()).unwrap();
    let bearer = object.bearer.unwrap();
    let fingerprint = powerloom_core::secret::Fingerprint::of(&bearer.clone().into()).to_string();
    assert_eq!(credential.status["fingerprint"], fingerprint);
    let vault = w.runtime.objects().into_iter().find(|object| object.key.kind.as_str() == "Vault").unwrap();
    assert_eq!(object.remote.parent, Some(vault.remote.id));
    assert!(!format!("{:?}", w.state(&credential.key()).await).contains(&bearer));

    w.submit(powerloom_core::door::mutation::Action::RotateCredential {
        credential: credential.meta.id,
        expect: None,
    })
    .await;
    w.settle().await;
    assert_ne!(w.runtime.object(&credential.key()).unwrap().bearer, Some(bearer));
    assert_eq!(w.runtime.creates(&credential.key()), 1);
}

/// Sem. 2.4, fairness: an organization with much to do does not keep another waiting.
#[tokio::test(start_paused = true)]
async fn organizations_are_served_in_turn() {
    let options = options(|options| (options.batch, options.concurrency) = (4, 1));
    let store = Arc::new(MemoryStore::new());
    let w = world_with(store, |cp| cp, |reconciler| reconciler.options(options)).await;
    for number in 0..40 {
        w.environment(&format!("big-{number}")).await;
    }
    let small =
        w.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    let small = crate::world::environment_of(&w.cp, &small).await;
    assert_eq!(w.tick().await.pushed, 42);
    let place = w.runtime.pushes().iter().position(|key| *key == small).unwrap();
    assert!(place < 4, "it came {place}-th");
    assert_eq!(w.runtime.most_at_once(), 1);
}

/// Sem. 2.4: a projection that is computed differently now is noticed when the row is claimed and when it is swept.
#[tokio::test(start_paused = true)]
async fn a_convergence_record_that_missed_a_change_is_repaired() {
    use powerloom_core::digest::Digest;
    use powerloom_core::store::{Commit, Write};
    let w = world().await;
    w.settle().await;
    for swept in [false, true] {
        let mut commit = Commit::new(w.org.id, w.cp.clock().now());
        commit.write.push(Write::Desire { key: w.environment.clone(), desired: Digest::of(b"older code") });
        w.cp.store().commit(commit).await.unwrap();
        let right = w.runtime.pushes().len();
        if swept {
            // As if it had been pushed by the older code.
            let state = w.state(&w.environment).await;
            let seen = powerloom_core::reconcile::state::Observation::Present {
                actual: state.desired,
                remote: state.remote.unwrap(),
            };
            let now = w.cp.clock().now();
            assert!(w.cp.store().observe(w.org.id, &w.environment, state.version, seen, now).await.unwrap());
            assert_eq!(w.reconciler.sweep().await.unwrap().outdated, 1);
        }
        w.settle().await;
        assert_eq!(w.runtime.pushes().len(), right + usize::from(swept), "only what differs is sent");
    }
}
