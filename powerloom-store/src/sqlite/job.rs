//! What callers send to the writer, and what they get back.

use crate::tables::Tables;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Observation, SyncState};
use powerloom_core::record::ResourceKey;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::{ClaimRequest, Commit, Committed, Pause, Refused, Settlement};

/// One call that writes.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Box<Commit>),
    Claim(ClaimRequest),
    ClaimSessions(ClaimRequest),
    Renew { claims: Vec<(OrgId, ResourceKey, u64)>, until: Timestamp },
    Settle { results: Vec<Settlement>, now: Timestamp, backoff: Backoff },
    Observe { org: OrgId, key: ResourceKey, version: u64, observation: Observation, now: Timestamp },
    Pause { org: OrgId, pause: Option<Pause> },
    LeaseSession { org: OrgId, id: SessionId, fence: u64, until: Option<Timestamp> },
}

/// What a call did.
#[derive(Debug)]
pub(super) enum Done {
    Committed(Committed),
    States(Vec<SyncState>),
    Sessions(Vec<SessionRecord>),
    Taken(Vec<bool>),
}

impl Job {
    /// Whether it must not share a batch: it chooses its rows itself, among all there are.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Claim(_) | Self::ClaimSessions(_))
    }

    /// Does it, on tables that hold every row it can touch.
    pub(super) fn run(&self, tables: &mut Tables) -> Result<Done, Refused> {
        Ok(match self {
            Self::Commit(commit) => Done::Committed(tables.apply(commit)?),
            Self::Claim(request) => Done::States(tables.claim(request)),
            Self::ClaimSessions(request) => Done::Sessions(tables.claim_sessions(request)),
            Self::Renew { claims, until } => Done::Taken(tables.renew(claims, *until)),
            Self::Settle { results, now, backoff } => Done::Taken(tables.settle(results, *now, backoff)),
            Self::Observe { org, key, version, observation, now } => {
                Done::Taken(vec![tables.observe(*org, key, *version, observation, *now)])
            }
            Self::Pause { org, pause } => {
                tables.pause(*org, pause.as_ref())?;
                Done::Taken(vec![true])
            }
            Self::LeaseSession { org, id, fence, until } => {
                Done::Taken(vec![tables.lease_session(*org, *id, *fence, *until)])
            }
        })
    }
}
