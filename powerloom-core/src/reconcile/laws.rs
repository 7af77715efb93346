//! What holds after any history of a convergence record.

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::{OrgId, ResourceId};
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, RemoteRef, SyncOutcome, SyncState, SyncStatus};
use crate::record::{KindName, ResourceKey};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    Desire(u8),
    Remove,
    Reset,
    Claim,
    /// Settles the claim made so many claims ago.
    Settle(usize, SyncOutcome),
    Observe(Observation),
    Wait(u64),
}

fn digest() -> impl Strategy<Value = Digest> {
    (0u8..3).prop_map(|n| Digest::of(&[n]))
}

fn remote() -> RemoteRef {
    RemoteRef { id: "r".to_owned(), version: None, parent: None }
}

fn observation() -> impl Strategy<Value = Observation> {
    prop_oneof![
        Just(Observation::Gone),
        digest().prop_map(|actual| Observation::Present { actual, remote: remote() }),
    ]
}

fn outcome() -> impl Strategy<Value = SyncOutcome> {
    prop_oneof![
        digest().prop_map(|pushed| SyncOutcome::Pushed { pushed, remote: remote() }),
        Just(SyncOutcome::Removed),
        Just(SyncOutcome::NotReady { on: "e".to_owned() }),
        any::<bool>().prop_map(|unsure| SyncOutcome::Transient {
            error: "t".to_owned(),
            retry_after: None,
            unsure
        }),
        Just(SyncOutcome::Permanent { error: "p".to_owned() }),
        observation().prop_map(SyncOutcome::Observed),
        Just(SyncOutcome::Released),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u8..3).prop_map(Step::Desire),
        1 => Just(Step::Remove),
        1 => Just(Step::Reset),
        6 => Just(Step::Claim),
        6 => (0usize..3, outcome()).prop_map(|(ago, outcome)| Step::Settle(ago, outcome)),
        2 => observation().prop_map(Step::Observe),
        3 => (0u64..400).prop_map(Step::Wait),
    ]
}

/// Sem. 3.3, invariant 3, and what else the status promises.
fn check(state: &SyncState, now: Timestamp) -> Result<(), TestCaseError> {
    let status = state.status(now);
    if state.removing {
        prop_assert_eq!(state.removed, status == SyncStatus::Archived);
    } else {
        prop_assert_eq!(state.actual == Some(state.desired), status == SyncStatus::Synced);
    }
    prop_assert_eq!(matches!(status, SyncStatus::Parked { .. }), state.parked.is_some());
    prop_assert_eq!(state.is_dirty(), !matches!(status, SyncStatus::Synced | SyncStatus::Archived));
    prop_assert!(state.attempts <= Backoff::default().park_after);
    if state.is_due(now) {
        let idle = !matches!(status, SyncStatus::Syncing | SyncStatus::BackingOff { .. });
        prop_assert!(idle, "{:?} is due", status);
    }
    Ok(())
}

proptest! {
    #[test]
    fn after_any_history_the_status_says_what_the_facts_say(steps in prop::collection::vec(step(), 1..60)) {
        let id = uuid::Uuid::nil();
        let key = ResourceKey { kind: KindName::known("Agent"), id: ResourceId::from_uuid(id) };
        let mut now = Timestamp::from_micros(0);
        let mut state = SyncState::new(OrgId::from_uuid(id), key, Digest::of(&[0]), now);
        let mut fences = Vec::new();
        for step in steps {
            let before = state.clone();
            match step {
                Step::Desire(n) => state.desire(Digest::of(&[n]), now),
                Step::Remove => state.remove(now),
                Step::Reset => state.reset(now),
                Step::Claim => {
                    let due = state.is_due(now);
                    let fence = state.claim("w", now, now + Duration::from_secs(60));
                    prop_assert_eq!(fence.is_some(), due);
                    prop_assert!(fence.is_none() || fence > fences.last().copied());
                    fences.extend(fence);
                }
                Step::Settle(ago, outcome) => {
                    let Some(fence) = fences.iter().rev().nth(ago).copied() else { continue };
                    let taken = state.settle(fence, outcome, now, &Backoff::default());
                    prop_assert_eq!(taken, before.lease.is_some() && before.fence == fence);
                    prop_assert!(taken || state == before);
                }
                Step::Observe(observation) => {
                    let taken = state.observe(state.version, observation, now);
                    prop_assert!(taken || state == before);
                }
                Step::Wait(seconds) => now = now + Duration::from_secs(seconds),
            }
            prop_assert!(state.version >= before.version);
            if (state.desired, state.actual, state.removing) != (before.desired, before.actual, before.removing) {
                prop_assert!(state.version > before.version, "a sweep could not notice this change");
            }
            check(&state, now)?;
        }
    }
}
