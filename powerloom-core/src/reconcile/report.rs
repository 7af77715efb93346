//! What a pass or a sweep came to.

use crate::id::OrgId;
use crate::reconcile::state::SyncStatus;
use crate::record::ResourceKey;

/// What came of the rows of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TickReport {
    /// The runtime took it.
    pub pushed: usize,
    /// It is off the runtime and archived.
    pub removed: usize,
    /// The runtime had something else than was known; it is tried again at once.
    pub observed: usize,
    /// A dependency was not ready (row P40).
    pub not_ready: usize,
    /// The call failed and may work later.
    pub failed: usize,
    /// It failed for good and is parked.
    pub parked: usize,
    /// It was given back untried: the organization rests, the loop stops, or the record was just changed.
    pub released: usize,
    /// Another worker took it over; what came of it here counts for nothing.
    pub overtaken: usize,
}

impl TickReport {
    /// Something is different on the runtime: what waited for it may be ready.
    #[must_use]
    pub const fn progressed(&self) -> bool {
        self.pushed + self.removed + self.observed > 0
    }

    /// All rows of the pass.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.pushed
            + self.removed
            + self.observed
            + self.not_ready
            + self.failed
            + self.parked
            + self.released
            + self.overtaken
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.pushed += other.pushed;
        self.removed += other.removed;
        self.observed += other.observed;
        self.not_ready += other.not_ready;
        self.failed += other.failed;
        self.parked += other.parked;
        self.released += other.released;
        self.overtaken += other.overtaken;
    }
}

/// What a sweep saw (rows P47, P48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SweepReport {
    /// As it should be.
    pub clean: usize,
    /// Different from what was pushed, or gone: dirty again.
    pub drifted: usize,
    /// What it should be is computed differently now, or a change was missed: dirty again.
    pub outdated: usize,
    /// Not read, or changed while it was read: nothing is concluded.
    pub unknown: usize,
}

impl SweepReport {
    pub(crate) fn add(&mut self, other: Self) {
        self.clean += other.clean;
        self.drifted += other.drifted;
        self.outdated += other.outdated;
        self.unknown += other.unknown;
    }
}

/// A resource that is not in sync, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsettled {
    /// The organization.
    pub org: OrgId,
    /// The resource.
    pub key: ResourceKey,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: SyncStatus,
    /// The last failure, in words.
    pub last_error: Option<String>,
}
