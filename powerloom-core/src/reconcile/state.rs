//! The convergence record of one resource: a pure state machine of (input, time) → state.
//!
//! Only facts are stored: the two hashes, attempts, times, the lease. [`SyncStatus`] is derived from them
//! (sem. 2.4, 3.4), so it can never disagree with them.

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use crate::reconcile::backoff::Backoff;
use crate::record::ResourceKey;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a resource stands on the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RemoteRef {
    /// The runtime's id.
    pub id: String,
    /// The runtime's version, where it has one: the precondition of the next update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The runtime's id of the container (a vault's for a credential, a skill's for a skill version).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A bounded right to work on a row, with the number every result must bear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Lease {
    /// Who holds it.
    pub owner: String,
    /// Until when; another may take it from this moment on.
    pub until: Timestamp,
}

/// Why a resource is not tried any more until it changes or is reset (rows P43, P44, P46).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SyncParked))]
pub struct Parked {
    /// What went wrong.
    pub reason: String,
    /// The desired hash that was parked: another hash un-parks.
    pub hash: Digest,
    /// Since when.
    pub at: Timestamp,
}

/// The convergence record of one resource (rows P30–P48).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SyncState {
    /// The organization.
    pub org: OrgId,
    /// The resource.
    pub key: ResourceKey,
    /// SHA-256 of what it should be (row P31).
    pub desired: Digest,
    /// SHA-256 of what the runtime has, as far as is known (row P32).
    #[cfg_attr(feature = "schema", schema(required))]
    pub actual: Option<Digest>,
    /// Where it is on the runtime, once it is.
    #[cfg_attr(feature = "schema", schema(required))]
    pub remote: Option<RemoteRef>,
    /// It is to be removed from the runtime instead of pushed.
    pub removing: bool,
    /// The removal is done; nothing is left to do.
    pub removed: bool,
    /// Failures in a row (row P41).
    pub attempts: u32,
    /// Not before this moment.
    pub next_attempt_at: Timestamp,
    /// Set while parked.
    #[cfg_attr(feature = "schema", schema(required))]
    pub parked: Option<Parked>,
    /// What it waits for, if a dependency was not ready at the last look (row P40).
    #[cfg_attr(feature = "schema", schema(required))]
    pub blocked_on: Option<String>,
    /// The last failure, in words.
    #[cfg_attr(feature = "schema", schema(required))]
    pub last_error: Option<String>,
    /// Who works on it now.
    #[cfg_attr(feature = "schema", schema(required))]
    pub lease: Option<Lease>,
    /// Raised by every claim; a result of an older claim is refused.
    pub fence: u64,
    /// A create may have been sent whose answer never came: look for the object before creating another.
    pub unsure: bool,
    /// What is wanted has changed since the row was claimed: a failure of that claim says nothing about it.
    #[serde(default)]
    pub outdated: bool,
    /// How often drift was found (row P48).
    pub drift_count: u64,
    /// When drift was last found.
    #[cfg_attr(feature = "schema", schema(required))]
    pub last_drift_at: Option<Timestamp>,
    /// When the runtime was last known to agree.
    #[cfg_attr(feature = "schema", schema(required))]
    pub last_synced_at: Option<Timestamp>,
    /// Raised by every change of desired or actual: an observation of an older state is dropped.
    pub version: u64,
}

/// What the stored facts amount to (sem. 2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new status must break every caller that decides on one")]
pub enum SyncStatus {
    /// Never pushed.
    Pending,
    /// Pushed before; what is wanted has changed since, or the runtime has.
    Dirty,
    /// Someone works on it now.
    Syncing,
    /// The runtime has what is wanted.
    Synced,
    /// The last attempt failed; tried again at `until`.
    BackingOff {
        /// When.
        until: Timestamp,
    },
    /// Not tried again until it is changed or reset.
    Parked {
        /// Why.
        reason: String,
    },
    /// A dependency is not ready.
    Blocked {
        /// Which.
        on: String,
    },
    /// Being removed from the runtime.
    Archiving,
    /// Removed.
    Archived,
}

impl SyncStatus {
    /// What [`word`](Self::word) may say.
    pub const WORDS: &'static [&'static str] = &[
        "pending",
        "dirty",
        "syncing",
        "synced",
        "backing_off",
        "parked",
        "blocked",
        "archiving",
        "archived",
    ];

    /// The status in one word, as shown in lists and errors.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dirty => "dirty",
            Self::Syncing => "syncing",
            Self::Synced => "synced",
            Self::BackingOff { .. } => "backing_off",
            Self::Parked { .. } => "parked",
            Self::Blocked { .. } => "blocked",
            Self::Archiving => "archiving",
            Self::Archived => "archived",
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "every outcome must be settled by name")]
pub enum SyncOutcome {
    /// The runtime took what hashes to `pushed`. Not `desired`: that may have changed during the call.
    Pushed {
        /// Hash of what was sent.
        pushed: Digest,
        /// Where it is now.
        remote: RemoteRef,
    },
    /// It is gone from the runtime.
    Removed,
    /// A dependency is not ready: no failure, no penalty (row P40).
    NotReady {
        /// Which.
        on: String,
    },
    /// A failure that may pass.
    Transient {
        /// What went wrong, in words.
        error: String,
        /// The runtime's own wish, if longer than the back-off.
        retry_after: Option<Duration>,
        /// The call may have taken effect all the same.
        unsure: bool,
    },
    /// A failure that cannot pass by waiting: parks at once (row P46).
    Permanent {
        /// What went wrong, in words.
        error: String,
    },
    /// What was known of the runtime's side is outdated: somebody changed or took away the object. No failure; the
    /// next claim works on what was seen.
    Observed(Observation),
    /// The claim ended without an attempt: the organization is paused or the worker stops.
    Released,
}

/// What a look at the runtime showed (row P47).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "every observation must be handled by name")]
pub enum Observation {
    /// The managed fields of what is there hash to this.
    Present {
        /// Hash of the managed fields.
        actual: Digest,
        /// The version there now.
        remote: RemoteRef,
    },
    /// Nothing is there any more.
    Gone,
}

impl SyncState {
    /// The record of a resource that was just declared.
    #[must_use]
    pub fn new(org: OrgId, key: ResourceKey, desired: Digest, now: Timestamp) -> Self {
        Self {
            org,
            key,
            desired,
            actual: None,
            remote: None,
            removing: false,
            removed: false,
            attempts: 0,
            next_attempt_at: now,
            parked: None,
            blocked_on: None,
            last_error: None,
            lease: None,
            fence: 0,
            unsure: false,
            outdated: false,
            drift_count: 0,
            last_drift_at: None,
            last_synced_at: None,
            version: 1,
        }
    }

    /// Whether the runtime lacks something (row P35).
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        if self.removing { !self.removed } else { self.actual != Some(self.desired) }
    }

    /// Whether it may be claimed now: dirty, not parked, due, not leased (C31).
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_dirty() && self.parked.is_none() && self.next_attempt_at <= now && !self.is_leased(now)
    }

    fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| now < lease.until)
    }

    /// What the facts amount to at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> SyncStatus {
        if self.removed {
            return SyncStatus::Archived;
        }
        if let Some(parked) = &self.parked {
            return SyncStatus::Parked { reason: parked.reason.clone() };
        }
        if self.removing {
            return SyncStatus::Archiving;
        }
        if !self.is_dirty() {
            return SyncStatus::Synced;
        }
        if self.is_leased(now) {
            return SyncStatus::Syncing;
        }
        if let Some(on) = &self.blocked_on {
            return SyncStatus::Blocked { on: on.clone() };
        }
        if self.attempts > 0 && now < self.next_attempt_at {
            return SyncStatus::BackingOff { until: self.next_attempt_at };
        }
        if self.actual.is_none() { SyncStatus::Pending } else { SyncStatus::Dirty }
    }

    /// The resource was written: `desired` is what it should be now (row P33).
    ///
    /// Another hash than before makes it due at once and un-parks it; the same hash changes nothing.
    pub fn desire(&mut self, desired: Digest, now: Timestamp) {
        if self.desired == desired && !self.removing {
            return;
        }
        self.removing = false;
        self.removed = false;
        self.desired = desired;
        self.retry_now(now);
    }

    /// The resource was archived: take it off the runtime.
    pub fn remove(&mut self, now: Timestamp) {
        if self.removing {
            return;
        }
        self.removing = true;
        self.removed = false;
        self.retry_now(now);
    }

    /// Somebody says the cause is mended: try again now (row P44).
    pub fn reset(&mut self, now: Timestamp) {
        self.retry_now(now);
    }

    fn retry_now(&mut self, now: Timestamp) {
        self.attempts = 0;
        self.parked = None;
        self.blocked_on = None;
        self.last_error = None;
        self.next_attempt_at = now;
        self.outdated = self.lease.is_some();
        self.version += 1;
    }

    /// Takes the lease. A claim that follows one that never settled makes a create `unsure`.
    ///
    /// Returns the fence every result of this claim must bear; `None` if it is not due.
    pub fn claim(&mut self, owner: &str, now: Timestamp, until: Timestamp) -> Option<u64> {
        if !self.is_due(now) {
            return None;
        }
        self.unsure |= self.lease.is_some();
        self.outdated = false;
        self.lease = Some(Lease { owner: owner.to_owned(), until });
        self.fence += 1;
        Some(self.fence)
    }

    /// Prolongs the lease of claim `fence`; `false` if that claim was overtaken.
    pub fn renew(&mut self, fence: u64, until: Timestamp) -> bool {
        match &mut self.lease {
            Some(lease) if self.fence == fence => {
                lease.until = until;
                true
            }
            _ => false,
        }
    }

    /// Writes what came of claim `fence`; `false`, and nothing changes, if that claim was overtaken.
    pub fn settle(&mut self, fence: u64, outcome: SyncOutcome, now: Timestamp, backoff: &Backoff) -> bool {
        if self.fence != fence || self.lease.is_none() {
            return false;
        }
        self.lease = None;
        let outdated = std::mem::take(&mut self.outdated);
        match outcome {
            SyncOutcome::Pushed { pushed, remote } => {
                self.actual = Some(pushed);
                self.remote = Some(remote);
                self.succeed(now);
                self.last_synced_at = Some(now);
            }
            SyncOutcome::Removed => {
                self.actual = None;
                // Wanted again while it was being removed: the next claim creates it anew.
                if self.removing {
                    self.removed = true;
                } else {
                    self.remote = None;
                }
                self.succeed(now);
            }
            SyncOutcome::NotReady { on } => {
                self.blocked_on = Some(on);
                self.next_attempt_at = now;
            }
            SyncOutcome::Transient { error, retry_after, unsure } => {
                self.unsure |= unsure;
                self.blocked_on = None;
                if outdated {
                    self.next_attempt_at = now;
                    return true;
                }
                self.attempts += 1;
                match backoff.wait(self.attempts) {
                    Some(wait) => self.next_attempt_at = now + wait.max(retry_after.unwrap_or_default()),
                    None => self.park(format!("{} failures in a row, the last: {error}", self.attempts), now),
                }
                self.last_error = Some(error);
            }
            SyncOutcome::Permanent { .. } if outdated => self.next_attempt_at = now,
            SyncOutcome::Permanent { error } => {
                self.attempts += 1;
                self.blocked_on = None;
                self.park(error.clone(), now);
                self.last_error = Some(error);
            }
            SyncOutcome::Observed(observation) => self.see(observation, now),
            SyncOutcome::Released => self.next_attempt_at = self.next_attempt_at.max(now),
        }
        true
    }

    fn succeed(&mut self, now: Timestamp) {
        self.attempts = 0;
        self.blocked_on = None;
        self.last_error = None;
        self.unsure = false;
        self.next_attempt_at = now;
        self.version += 1;
    }

    fn park(&mut self, reason: String, now: Timestamp) {
        self.parked = Some(Parked { reason, hash: self.desired, at: now });
    }

    /// Takes in what a sweep saw while the state was at `version`; `false` if the state has moved since, or the
    /// row is parked, being removed or being worked on (rows P47, P48).
    ///
    /// Drift makes it dirty by definition: `actual` is no longer `desired`.
    pub fn observe(&mut self, version: u64, observation: Observation, now: Timestamp) -> bool {
        if self.version != version || self.parked.is_some() || self.removing || self.is_leased(now) {
            return false;
        }
        self.see(observation, now);
        true
    }

    fn see(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Present { actual, remote } if Some(actual) == self.actual => {
                self.remote = Some(remote);
                self.last_synced_at = Some(now);
                return;
            }
            Observation::Present { actual, remote } => {
                self.actual = Some(actual);
                self.remote = Some(remote);
            }
            Observation::Gone => {
                self.actual = None;
                self.remote = None;
            }
        }
        self.drift_count += 1;
        self.last_drift_at = Some(now);
        self.retry_now(now);
    }
}
