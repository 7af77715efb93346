//! The rows of sem. 2.4 that need nothing but the state machine, and vector 4.1.

use crate::clock::Timestamp;
use crate::digest::{Digest, desired_hash};
use crate::id::{OrgId, ResourceId};
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, RemoteRef, SyncOutcome, SyncState, SyncStatus};
use crate::record::{KindName, ResourceKey};
use serde_json::json;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn hash(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn remote(version: i64) -> RemoteRef {
    RemoteRef { id: "r1".to_owned(), version: Some(version), parent: None }
}

fn declared() -> SyncState {
    let uuid = uuid::Uuid::nil();
    let key = ResourceKey { kind: KindName::known("Agent"), id: ResourceId::from_uuid(uuid) };
    SyncState::new(OrgId::from_uuid(uuid), key, hash("a"), NOW)
}

fn transient() -> SyncOutcome {
    SyncOutcome::Transient { error: "503".to_owned(), retry_after: None, unsure: false }
}

fn permanent() -> SyncOutcome {
    SyncOutcome::Permanent { error: "no such model".to_owned() }
}

fn pushed(text: &str) -> SyncOutcome {
    SyncOutcome::Pushed { pushed: hash(text), remote: remote(1) }
}

/// Claims at `now` and settles at once.
fn attempt(state: &mut SyncState, outcome: SyncOutcome, now: Timestamp) {
    let fence = state.claim("w", now, now + Duration::from_secs(60)).unwrap();
    assert!(state.settle(fence, outcome, now, &Backoff::default()));
}

fn synced() -> SyncState {
    let mut state = declared();
    attempt(&mut state, pushed("a"), NOW);
    state
}

/// Row P31; vector 4.4.
#[test]
fn the_desired_hash_of_a_payload_is_the_published_one() {
    let payload = json!({"model": "claude-sonnet-4-6", "name": "code-reviewer", "skills": [], "system": "x"});
    let expected = "f088c2b67a6d8288f589195998549c44b44297b9c534d321bfced85d7c2daab5";
    assert_eq!(desired_hash("Agent", &payload).unwrap().to_string(), expected);
}

/// Rows P31, P32, P33, P35, P36.
#[test]
fn a_row_is_dirty_exactly_while_the_two_hashes_differ() {
    let mut state = declared();
    assert_eq!((state.is_dirty(), state.status(NOW)), (true, SyncStatus::Pending));
    attempt(&mut state, pushed("a"), NOW);
    assert_eq!((state.is_dirty(), state.status(NOW)), (false, SyncStatus::Synced));
    assert_eq!((state.actual, state.remote.clone()), (Some(hash("a")), Some(remote(1))));
    state.desire(hash("b"), NOW);
    assert_eq!((state.is_dirty(), state.status(NOW)), (true, SyncStatus::Dirty));
    state.desire(hash("a"), NOW);
    assert_eq!(state.status(NOW), SyncStatus::Synced);
}

/// Row P36.
#[test]
fn a_change_during_the_push_is_not_lost() {
    let mut state = declared();
    let fence = state.claim("w", NOW, after(60)).unwrap();
    assert_eq!(state.status(NOW), SyncStatus::Syncing);
    state.desire(hash("b"), NOW);
    assert!(state.settle(fence, pushed("a"), NOW, &Backoff::default()));
    assert_eq!(state.actual, Some(hash("a")));
    assert!(state.is_due(NOW));
}

#[test]
fn a_failure_of_what_is_no_longer_wanted_neither_counts_nor_parks() {
    for outcome in [transient(), permanent()] {
        let mut state = declared();
        let fence = state.claim("w", NOW, after(60)).unwrap();
        state.desire(hash("b"), NOW);
        assert!(state.settle(fence, outcome.clone(), NOW, &Backoff::default()));
        assert_eq!((state.attempts, state.parked.clone(), state.is_due(NOW)), (0, None, true));
        attempt(&mut state, outcome, NOW);
        assert_eq!(state.attempts, 1);
    }
}

/// Rows P41, P42, P43; vector 4.1.
#[test]
fn nine_failures_wait_810_seconds_in_all_and_the_tenth_parks() {
    let mut state = declared();
    let mut now = NOW;
    for wait in [2, 4, 8, 16, 32, 64, 128, 256, 300] {
        attempt(&mut state, transient(), now);
        let until = now + Duration::from_secs(wait);
        assert_eq!(state.status(now), SyncStatus::BackingOff { until });
        assert!(!state.is_due(until - Duration::from_micros(1)) && state.is_due(until));
        now = until;
    }
    assert_eq!(now.since(NOW), Duration::from_secs(810));
    attempt(&mut state, transient(), now);
    assert!(matches!(state.status(now), SyncStatus::Parked { reason } if reason.contains("10 failures")));
    assert!(!state.is_due(after(1_000_000)));
}

/// Vector 4.1: a success between resets to zero.
#[test]
fn a_success_forgets_the_failures_before() {
    let mut state = declared();
    attempt(&mut state, transient(), NOW);
    attempt(&mut state, transient(), after(2));
    attempt(&mut state, pushed("a"), after(6));
    assert_eq!((state.attempts, state.last_error.clone()), (0, None));
    state.desire(hash("b"), after(6));
    attempt(&mut state, transient(), after(6));
    assert_eq!(state.next_attempt_at, after(8));
}

/// Row P40; vector 4.1: a `NotReady` anywhere changes nothing.
#[test]
fn a_dependency_that_is_not_ready_costs_nothing() {
    let mut state = declared();
    attempt(&mut state, transient(), NOW);
    let not_ready = SyncOutcome::NotReady { on: "Environment/e".to_owned() };
    for _ in 0..20 {
        attempt(&mut state, not_ready.clone(), after(2));
    }
    assert_eq!((state.attempts, state.is_due(after(2))), (1, true));
    assert_eq!(state.status(after(2)), SyncStatus::Blocked { on: "Environment/e".to_owned() });
    attempt(&mut state, transient(), after(2));
    assert_eq!((state.next_attempt_at, state.blocked_on.clone()), (after(6), None));
}

/// Row P46.
#[test]
fn a_permanent_failure_parks_at_once_and_shows_why() {
    let mut state = declared();
    attempt(&mut state, permanent(), NOW);
    assert_eq!(state.status(NOW), SyncStatus::Parked { reason: "no such model".to_owned() });
    assert_eq!(state.last_error.as_deref(), Some("no such model"));
}

/// Row P45.
#[test]
fn a_rate_limit_waits_the_longer_of_back_off_and_the_runtimes_wish_and_counts() {
    for (wish, wait) in [(30, 30), (1, 2)] {
        let mut state = declared();
        let retry_after = Some(Duration::from_secs(wish));
        let outcome = SyncOutcome::Transient { error: "429".to_owned(), retry_after, unsure: false };
        attempt(&mut state, outcome, NOW);
        assert_eq!((state.attempts, state.next_attempt_at), (1, after(wait)));
    }
}

/// Row P44.
#[test]
fn a_parked_row_is_freed_by_another_spec_or_by_a_reset_and_by_nothing_else() {
    let mut parked = declared();
    attempt(&mut parked, permanent(), NOW);
    assert_eq!(parked.parked.as_ref().unwrap().hash, hash("a"));

    let mut same = parked.clone();
    same.desire(hash("a"), after(1));
    assert!(!same.is_due(after(1)));
    let mut seen = parked.clone();
    assert!(!seen.observe(seen.version, Observation::Gone, after(1)));
    assert_eq!(seen, parked);

    let mut changed = parked.clone();
    changed.desire(hash("b"), after(1));
    let mut reset = parked;
    reset.reset(after(1));
    for freed in [changed, reset] {
        assert!(freed.is_due(after(1)) && freed.attempts == 0 && freed.parked.is_none());
    }
}

/// Sem. 2.4, concurrency of workers; S3.
#[test]
fn a_worker_that_was_overtaken_changes_nothing() {
    let mut state = declared();
    let slow = state.claim("slow", NOW, after(60)).unwrap();
    assert_eq!(state.claim("quick", after(59), after(119)), None);
    let quick = state.claim("quick", after(60), after(120)).unwrap();
    assert!(!state.renew(slow, after(500)) && state.renew(quick, after(130)));
    let before = state.clone();
    assert!(!state.settle(slow, pushed("a"), after(61), &Backoff::default()));
    assert_eq!(state, before);
    assert!(state.settle(quick, pushed("a"), after(62), &Backoff::default()));
    assert!(!state.settle(quick, transient(), after(63), &Backoff::default()));
    assert_eq!(state.status(after(63)), SyncStatus::Synced);
}

/// Sem. 2.4, ambiguous create.
#[test]
fn a_lost_answer_or_an_abandoned_claim_makes_the_next_create_unsure_until_one_succeeds() {
    let mut lost = declared();
    let outcome = SyncOutcome::Transient { error: "timeout".to_owned(), retry_after: None, unsure: true };
    attempt(&mut lost, outcome, NOW);
    let mut abandoned = declared();
    assert!(abandoned.claim("w", NOW, after(2)).is_some() && !abandoned.unsure);
    for mut state in [lost, abandoned] {
        let fence = state.claim("w", after(2), after(62)).unwrap();
        assert!(state.unsure);
        state.settle(fence, pushed("a"), after(3), &Backoff::default());
        assert!(!state.unsure);
    }
    let mut clean = declared();
    attempt(&mut clean, SyncOutcome::Released, NOW);
    clean.claim("w", NOW, after(60));
    assert!(!clean.unsure);
}

/// Rows P47, P48.
#[test]
fn drift_makes_a_row_dirty_and_a_vanished_object_is_made_anew() {
    let mut edited = synced();
    let seen = Observation::Present { actual: hash("x"), remote: remote(2) };
    assert!(edited.observe(edited.version, seen, after(60)));
    assert_eq!((edited.status(after(60)), edited.remote.clone()), (SyncStatus::Dirty, Some(remote(2))));
    let mut gone = synced();
    assert!(gone.observe(gone.version, Observation::Gone, after(60)));
    assert_eq!((gone.status(after(60)), gone.remote.clone()), (SyncStatus::Pending, None));
    for state in [edited, gone] {
        assert!(state.is_due(after(60)));
        assert_eq!((state.drift_count, state.last_drift_at), (1, Some(after(60))));
    }
    let mut clean = synced();
    let seen = Observation::Present { actual: hash("a"), remote: remote(1) };
    assert!(clean.observe(clean.version, seen, after(60)));
    assert_eq!((clean.drift_count, clean.last_synced_at, clean.is_dirty()), (0, Some(after(60)), false));
}

/// Sem. 2.4, write race with the drift sweep.
#[test]
fn an_observation_of_an_older_state_is_dropped() {
    let mut state = synced();
    let read = state.version;
    state.desire(hash("b"), after(1));
    attempt(&mut state, pushed("b"), after(1));
    let before = state.clone();
    let seen = Observation::Present { actual: hash("a"), remote: remote(1) };
    assert!(!state.observe(read, seen.clone(), after(2)));
    state.desire(hash("c"), after(3));
    state.claim("w", after(3), after(63));
    assert!(!state.observe(state.version, seen, after(4)), "somebody works on it");
    assert_eq!(state.actual, before.actual);
}

/// Sem. 2.4: what a push finds out about the other side counts at once, and is no failure.
#[test]
fn what_an_attempt_saw_is_taken_in_without_penalty() {
    let mut state = synced();
    state.desire(hash("b"), after(1));
    attempt(&mut state, SyncOutcome::Observed(Observation::Gone), after(1));
    assert_eq!((state.remote.clone(), state.attempts, state.is_due(after(1))), (None, 0, true));
    attempt(&mut state, pushed("b"), after(1));
    state.desire(hash("c"), after(2));
    let seen = Observation::Present { actual: hash("b"), remote: remote(7) };
    attempt(&mut state, SyncOutcome::Observed(seen), after(2));
    assert_eq!((state.remote.clone(), state.is_due(after(2))), (Some(remote(7)), true));
}

/// Sem. 2.4, Deletion; 3.4.
#[test]
fn a_removed_row_is_archiving_then_archived_and_wanted_again_it_is_made_anew() {
    let mut state = synced();
    state.remove(after(1));
    assert_eq!((state.status(after(1)), state.is_due(after(1))), (SyncStatus::Archiving, true));
    attempt(&mut state, transient(), after(1));
    assert_eq!((state.status(after(1)), state.is_due(after(2))), (SyncStatus::Archiving, false));
    attempt(&mut state, SyncOutcome::Removed, after(3));
    assert_eq!((state.status(after(3)), state.is_due(after(9))), (SyncStatus::Archived, false));

    let mut wanted = synced();
    wanted.remove(after(1));
    let fence = wanted.claim("w", after(1), after(61)).unwrap();
    wanted.desire(hash("a"), after(2));
    assert!(wanted.settle(fence, SyncOutcome::Removed, after(3), &Backoff::default()));
    assert_eq!((wanted.remote.clone(), wanted.is_due(after(3))), (None, true));
}

/// Whoever adds a status adds its word to the list: faces read it in lists and describe it by them.
#[test]
fn every_status_has_its_word_in_the_list() {
    let (until, text) = (NOW, String::new());
    let every = [
        SyncStatus::Pending,
        SyncStatus::Dirty,
        SyncStatus::Syncing,
        SyncStatus::Synced,
        SyncStatus::BackingOff { until },
        SyncStatus::Parked { reason: text.clone() },
        SyncStatus::Blocked { on: text },
        SyncStatus::Archiving,
        SyncStatus::Archived,
    ];
    let words: Vec<&str> = every.iter().map(SyncStatus::word).collect();
    assert_eq!(words, SyncStatus::WORDS);
    // As they are written.
    for status in every {
        assert_eq!(json!(status)["status"], status.word());
    }
    let refused = serde_json::from_str::<SyncStatus>(r#"{"status":"?"}"#).unwrap_err().to_string();
    let (_, known) = refused.split_once("expected one of ").unwrap();
    assert_eq!(known.matches('`').count() / 2, SyncStatus::WORDS.len(), "{known}");
}
