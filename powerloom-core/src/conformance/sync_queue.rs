//! The reconciler's bookkeeping.

use crate::conformance::world::{AGENT, SKILL, at, claim, desire, org, resource, write};
use crate::digest::Digest;
use crate::id::OrgId;
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, RemoteRef, SyncOutcome, SyncState};
use crate::record::ResourceKey;
use crate::store::{ClaimRequest, Commit, Pause, Settlement, Store, Write};

fn remote() -> RemoteRef {
    RemoteRef { id: "r1".to_owned(), version: Some(1), parent: None }
}

fn settlement(state: &SyncState, outcome: SyncOutcome) -> Settlement {
    Settlement { org: state.org, key: state.key.clone(), fence: state.fence, outcome }
}

async fn settle(store: &dyn Store, state: &SyncState, outcome: SyncOutcome, seconds: u64) -> bool {
    store.settle(vec![settlement(state, outcome)], at(seconds), &Backoff::default()).await.unwrap()[0]
}

fn pushed(state: &SyncState) -> SyncOutcome {
    SyncOutcome::Pushed { pushed: state.desired, remote: remote() }
}

/// SyncQueue 1: a claimed row is claimed durably before it is returned, and by nobody else.
pub async fn a_claim_is_exclusive_and_durable(store: &dyn Store) {
    let org = org(store, "acme").await;
    let keys = desire(store, org, 1).await;
    let claimed = store.claim(&claim("a", 0, 10)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(store.sync_state(org, &keys[0]).await.unwrap().as_ref(), Some(&claimed[0]));
    assert_eq!((claimed[0].fence, &claimed[0].lease.as_ref().unwrap().owner[..]), (1, "a"));
    assert!(store.claim(&claim("b", 59, 10)).await.unwrap().is_empty());
    let unknown = ResourceKey { kind: AGENT, id: resource() };
    let found = store.sync_states(org, &[keys[0].clone(), unknown, keys[0].clone()]).await.unwrap();
    assert_eq!(found, claimed);
}

/// Reliability S3: a lease ends at its moment; whoever takes over does not know whether a create was sent.
pub async fn a_lapsed_claim_is_taken_over_and_unsure(store: &dyn Store) {
    let org = org(store, "acme").await;
    desire(store, org, 1).await;
    let first = store.claim(&claim("a", 0, 1)).await.unwrap().remove(0);
    assert!(!first.unsure);
    let second = store.claim(&claim("b", 60, 1)).await.unwrap().remove(0);
    assert!(second.unsure && second.fence == 2);
}

/// SyncQueue 2.
pub async fn a_settlement_of_an_older_claim_changes_nothing(store: &dyn Store) {
    let org = org(store, "acme").await;
    desire(store, org, 1).await;
    let first = store.claim(&claim("a", 0, 1)).await.unwrap().remove(0);
    let second = store.claim(&claim("b", 60, 1)).await.unwrap().remove(0);
    assert!(!settle(store, &first, pushed(&first), 61).await);
    assert_eq!(store.sync_state(org, &first.key).await.unwrap(), Some(second.clone()));
    assert!(settle(store, &second, pushed(&second), 62).await);
    assert!(!settle(store, &second, pushed(&second), 63).await, "a claim settles once");
    let state = store.sync_state(org, &first.key).await.unwrap().unwrap();
    assert_eq!((state.actual, state.last_synced_at, state.lease), (Some(first.desired), Some(at(62)), None));
}

/// SyncQueue 5: in a batch, what is refused does not touch what is taken; each outcome is written as it says.
pub async fn settlements_of_one_batch_stand_alone(store: &dyn Store) {
    let org = org(store, "acme").await;
    desire(store, org, 4).await;
    let claimed = store.claim(&claim("a", 0, 4)).await.unwrap();
    let mut batch = vec![
        settlement(&claimed[0], pushed(&claimed[0])),
        settlement(
            &claimed[1],
            SyncOutcome::Transient { error: "busy".to_owned(), retry_after: None, unsure: true },
        ),
        settlement(&claimed[2], pushed(&claimed[2])),
        settlement(&claimed[3], SyncOutcome::Permanent { error: "no".to_owned() }),
    ];
    batch[2].fence = 9;
    let unknown = ResourceKey { kind: AGENT, id: resource() };
    batch.push(Settlement { key: unknown, ..batch[0].clone() });
    let taken = store.settle(batch, at(1), &Backoff::default()).await.unwrap();
    assert_eq!(taken, [true, true, false, true, false]);
    let state = async |n: usize| store.sync_state(org, &claimed[n].key).await.unwrap().unwrap();
    assert!(!state(0).await.is_dirty());
    assert_eq!((state(1).await.next_attempt_at, state(1).await.attempts), (at(3), 1));
    assert!(state(2).await.lease.is_some());
    assert!(state(3).await.parked.is_some());
    assert_eq!(store.settle(vec![], at(1), &Backoff::default()).await.unwrap(), Vec::<bool>::new());
}

/// SyncQueue 2, for renewals.
pub async fn a_renewal_of_an_older_claim_is_refused(store: &dyn Store) {
    let org = org(store, "acme").await;
    let keys = desire(store, org, 1).await;
    store.claim(&claim("a", 0, 1)).await.unwrap();
    let renew =
        |fence| [(org, keys[0].clone(), fence), (org, ResourceKey { kind: SKILL, id: keys[0].id }, fence)];
    assert_eq!(store.renew(&renew(1), at(100)).await.unwrap(), [true, false]);
    assert!(store.claim(&claim("b", 99, 1)).await.unwrap().is_empty());
    assert_eq!(store.claim(&claim("b", 100, 1)).await.unwrap().len(), 1);
    assert_eq!(store.renew(&renew(1), at(200)).await.unwrap(), [false, false]);
}

/// SyncQueue 3: no organization gets a second row while another has a due first one.
pub async fn organizations_are_served_in_turn(store: &dyn Store) {
    let (big, small, third) = (org(store, "big").await, org(store, "small").await, org(store, "third").await);
    desire(store, big, 20).await;
    desire(store, small, 2).await;
    desire(store, third, 1).await;
    let count = |states: &[SyncState], org: OrgId| states.iter().filter(|state| state.org == org).count();
    let first = store.claim(&claim("a", 10, 3)).await.unwrap();
    assert_eq!([big, small, third].map(|org| count(&first, org)), [1, 1, 1]);
    let second = store.claim(&claim("a", 10, 3)).await.unwrap();
    assert_eq!([big, small, third].map(|org| count(&second, org)), [2, 1, 0]);
    assert_eq!(store.claim(&claim("a", 10, 100)).await.unwrap().len(), 17);
}

/// Within an organization, the one that has been due longest.
pub async fn the_longest_due_comes_first(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut wanted = Vec::new();
    for seconds in [30, 10, 20] {
        let key = ResourceKey { kind: AGENT, id: resource() };
        let desire = Write::Desire { key: key.clone(), desired: Digest::of(b"d") };
        store.commit(Commit { write: vec![desire], ..Commit::new(org, at(seconds)) }).await.unwrap();
        wanted.push((seconds, key));
    }
    wanted.sort();
    let claimed = store.claim(&claim("a", 25, 10)).await.unwrap();
    assert_eq!(claimed.iter().map(|state| &state.key).collect::<Vec<_>>(), [&wanted[0].1, &wanted[1].1]);
    assert_eq!(store.claim(&claim("a", 30, 1)).await.unwrap()[0].key, wanted[2].1);
}

/// SyncQueue 4: until the pause has passed or ended.
pub async fn a_paused_organization_is_not_served(store: &dyn Store) {
    let (paused, other) = (org(store, "paused").await, org(store, "other").await);
    desire(store, paused, 2).await;
    desire(store, other, 1).await;
    let pause = Pause { reason: "the key is refused".to_owned(), until: at(50) };
    store.pause(paused, Some(pause)).await.unwrap();
    let claimed = store.claim(&claim("a", 49, 10)).await.unwrap();
    assert_eq!(claimed.iter().map(|state| state.org).collect::<Vec<_>>(), [other]);
    assert_eq!(store.claim(&claim("a", 50, 1)).await.unwrap()[0].org, paused);
    store.pause(paused, Some(Pause { reason: String::new(), until: at(900) })).await.unwrap();
    assert!(store.claim(&claim("a", 55, 1)).await.unwrap().is_empty());
    store.pause(paused, None).await.unwrap();
    assert_eq!(store.claim(&claim("a", 55, 1)).await.unwrap()[0].org, paused);
}

/// A worker leaves out the kinds it cannot serve.
pub async fn kinds_can_be_left_out(store: &dyn Store) {
    let org = org(store, "acme").await;
    let keys = desire(store, org, 1).await;
    let skill = ResourceKey { kind: SKILL, id: keys[0].id };
    write(store, org, vec![Write::Desire { key: skill.clone(), desired: Digest::of(b"d") }]).await;
    let request = ClaimRequest { except: vec![AGENT], ..claim("a", 0, 10) };
    let claimed = store.claim(&request).await.unwrap();
    assert_eq!(claimed.iter().map(|state| &state.key).collect::<Vec<_>>(), [&skill]);
}

/// A drift sweep sees what is in sync, all organizations, in order, each row once.
pub async fn a_sweep_pages_through_what_is_in_sync(store: &dyn Store) {
    let orgs = [org(store, "a").await, org(store, "b").await];
    let mut synced = Vec::new();
    for org in orgs {
        desire(store, org, 3).await;
        let claimed = store.claim(&claim("a", 0, 3)).await.unwrap();
        for state in &claimed[..2] {
            assert!(settle(store, state, pushed(state), 1).await);
            synced.push((state.org, state.key.clone()));
        }
    }
    synced.sort();
    let mut after = None;
    for key in &synced {
        let page = store.sweep(after, 1).await.unwrap();
        assert_eq!(
            page.iter().map(|state| (state.org, state.key.clone())).collect::<Vec<_>>(),
            std::slice::from_ref(key)
        );
        after = Some(key);
    }
    assert!(store.sweep(after, 1).await.unwrap().is_empty());
    write(store, synced[0].0, vec![Write::Remove(synced[0].1.clone())]).await;
    assert_eq!(store.sweep(None, 10).await.unwrap().len(), 3);
}

/// Rows P47, P48: an observation counts only for the state it was made of.
pub async fn an_observation_of_an_older_state_is_dropped(store: &dyn Store) {
    let org = org(store, "acme").await;
    let keys = desire(store, org, 1).await;
    let claimed = store.claim(&claim("a", 0, 1)).await.unwrap().remove(0);
    settle(store, &claimed, pushed(&claimed), 1).await;
    let version = store.sync_state(org, &keys[0]).await.unwrap().unwrap().version;
    let gone = || Observation::Gone;
    assert!(!store.observe(org, &keys[0], version - 1, gone(), at(2)).await.unwrap());
    assert!(!store.sync_state(org, &keys[0]).await.unwrap().unwrap().is_dirty());
    assert!(store.observe(org, &keys[0], version, gone(), at(2)).await.unwrap());
    let state = store.sync_state(org, &keys[0]).await.unwrap().unwrap();
    assert!(state.is_due(at(2)) && state.drift_count == 1);
    let unknown = ResourceKey { kind: AGENT, id: resource() };
    assert!(!store.observe(org, &unknown, 1, gone(), at(2)).await.unwrap());
}

/// The reconciler knows until when it may sleep.
pub async fn the_next_due_moment_is_known(store: &dyn Store) {
    let org = org(store, "acme").await;
    assert_eq!(store.next_due(at(0)).await.unwrap(), None);
    desire(store, org, 1).await;
    assert_eq!(store.next_due(at(5)).await.unwrap(), Some(at(0)));
    let claimed = store.claim(&claim("a", 5, 1)).await.unwrap().remove(0);
    assert_eq!(store.next_due(at(6)).await.unwrap(), Some(at(65)), "when the lease lapses");
    store.pause(org, Some(Pause { reason: String::new(), until: at(100) })).await.unwrap();
    assert_eq!(store.next_due(at(6)).await.unwrap(), Some(at(100)));
    store.pause(org, None).await.unwrap();
    settle(store, &claimed, pushed(&claimed), 7).await;
    assert_eq!(store.next_due(at(8)).await.unwrap(), None);
}
