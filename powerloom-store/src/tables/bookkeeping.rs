//! Claims, leases and settlements: changes that are no part of the audited control plane.

use crate::tables::set::Tables;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::reconcile::backoff::Backoff;
use powerloom_core::reconcile::state::{Lease, Observation, SyncState};
use powerloom_core::record::ResourceKey;
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::{ClaimRequest, MAX_PAGE, Pause, Refused, Settlement};
use std::collections::BTreeMap;

/// From when on a row may be claimed: `Some(t)` means that [`SyncState::is_due`] holds from `t` on, `None` that it
/// never does as it stands.
pub(crate) fn due_at(state: &SyncState) -> Option<Timestamp> {
    let leased = state.lease.as_ref().map(|lease| lease.until);
    let due = leased.map_or(state.next_attempt_at, |until| until.max(state.next_attempt_at));
    (state.is_dirty() && state.parked.is_none()).then_some(due)
}

/// Whether the runtime has what is wanted, as far as is known: what a drift sweep looks at.
pub(crate) fn is_in_sync(state: &SyncState) -> bool {
    !state.removed && state.parked.is_none() && !state.removing && !state.is_dirty()
}

/// From when on a session may be claimed; `None` once it is done.
pub(crate) fn free_at(session: &SessionRecord) -> Option<Timestamp> {
    let free = session.lease.as_ref().map_or(Timestamp::from_micros(0), |lease| lease.until);
    (!session.is_done()).then_some(free)
}

impl Tables {
    /// Claims due rows: every organization's longest due first, then every organization's second, and so on.
    pub(crate) fn claim(&mut self, request: &ClaimRequest) -> Vec<SyncState> {
        let mut due: Vec<(Timestamp, &(OrgId, ResourceKey))> = self
            .sync
            .rows()
            .iter()
            .filter(|((org, key), state)| {
                state.is_due(request.now)
                    && !request.except.contains(&key.kind)
                    && !self.is_paused(*org, request.now)
            })
            .filter_map(|(key, state)| Some((due_at(state)?, key)))
            .collect();
        due.sort();
        let mut taken: BTreeMap<OrgId, usize> = BTreeMap::new();
        let mut in_turn: Vec<(usize, Timestamp, (OrgId, ResourceKey))> = due
            .into_iter()
            .map(|(at, key)| {
                let turn = taken.entry(key.0).or_default();
                *turn += 1;
                (*turn, at, key.clone())
            })
            .collect();
        in_turn.sort();
        in_turn.truncate(request.limit.min(MAX_PAGE));

        let mut claimed = Vec::with_capacity(in_turn.len());
        for (_, _, key) in in_turn {
            let Some(mut state) = self.sync.get(&key).cloned() else { continue };
            if state.claim(&request.owner, request.now, request.until).is_some() {
                claimed.push(state.clone());
                self.sync.put(key, state);
            }
        }
        self.accept();
        claimed
    }

    fn is_paused(&self, org: OrgId, now: Timestamp) -> bool {
        self.orgs.get(&org).and_then(|row| row.paused.as_ref()).is_some_and(|pause| now < pause.until)
    }

    /// Prolongs leases.
    pub(crate) fn renew(&mut self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> Vec<bool> {
        claims
            .iter()
            .map(|(org, key, fence)| self.change(*org, key, |state| state.renew(*fence, until)))
            .collect()
    }

    /// Writes what came of claims, each on its own.
    pub(crate) fn settle(&mut self, results: &[Settlement], now: Timestamp, backoff: &Backoff) -> Vec<bool> {
        results
            .iter()
            .map(|result| {
                self.change(result.org, &result.key, |state| {
                    state.settle(result.fence, result.outcome.clone(), now, backoff)
                })
            })
            .collect()
    }

    /// Takes in what a sweep saw.
    pub(crate) fn observe(
        &mut self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: &Observation,
        now: Timestamp,
    ) -> bool {
        self.change(org, key, |state| state.observe(version, observation.clone(), now))
    }

    fn change(&mut self, org: OrgId, key: &ResourceKey, step: impl FnOnce(&mut SyncState) -> bool) -> bool {
        let key = (org, key.clone());
        let Some(mut state) = self.sync.get(&key).cloned() else { return false };
        let taken = step(&mut state);
        if taken {
            self.sync.put(key, state);
            self.accept();
        }
        taken
    }

    /// Sets or ends an organization's pause.
    pub(crate) fn pause(&mut self, org: OrgId, pause: Option<&Pause>) -> Result<(), Refused> {
        let mut row = self.orgs.get(&org).cloned().ok_or(Refused::NoSuchOrg(org))?;
        row.paused = pause.cloned();
        self.orgs.put(org, row);
        self.accept();
        Ok(())
    }

    /// Claims sessions nobody pumps, oldest first. Ids are of version 7: their order is their age.
    pub(crate) fn claim_sessions(&mut self, request: &ClaimRequest) -> Vec<SessionRecord> {
        let mut free: Vec<(SessionId, OrgId)> = self
            .sessions
            .rows()
            .iter()
            .filter(|(_, session)| free_at(session).is_some_and(|at| at <= request.now))
            .map(|((org, id), _)| (*id, *org))
            .collect();
        free.sort();
        free.truncate(request.limit.min(MAX_PAGE));
        for (id, org) in &free {
            let Some(mut session) = self.sessions.get(&(*org, *id)).cloned() else { continue };
            session.lease = Some(Lease { owner: request.owner.clone(), until: request.until });
            session.fence += 1;
            self.sessions.put((*org, *id), session);
        }
        self.accept();
        free.into_iter().filter_map(|(id, org)| self.session(org, id)).collect()
    }

    /// Prolongs (`Some`) or ends (`None`) the lease of a session's claim.
    pub(crate) fn lease_session(
        &mut self,
        org: OrgId,
        id: SessionId,
        fence: u64,
        until: Option<Timestamp>,
    ) -> bool {
        let claimed = |session: &&SessionRecord| session.fence == fence && session.lease.is_some();
        let Some(mut session) = self.sessions.get(&(org, id)).filter(claimed).cloned() else { return false };
        session.lease = session.lease.and_then(|lease| Some(Lease { owner: lease.owner, until: until? }));
        self.sessions.put((org, id), session);
        self.accept();
        true
    }
}
