//! Which rows a batch of calls can look at or touch.

use crate::sqlite::job::Job;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::record::{KindName, ResourceKey};
use powerloom_core::store::{ClaimRequest, Commit, Precondition, Write};
use std::collections::BTreeSet;

/// The keys of the rows to load, table by table.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    pub(super) orgs: BTreeSet<OrgId>,
    pub(super) slugs: BTreeSet<&'a str>,
    pub(super) records: BTreeSet<(OrgId, &'a KindName, ResourceId)>,
    pub(super) names: BTreeSet<(OrgId, &'a KindName, &'a str)>,
    pub(super) refs: BTreeSet<(OrgId, &'a ResourceKey)>,
    pub(super) members: BTreeSet<(OrgId, ResourceId)>,
    pub(super) sync: BTreeSet<(OrgId, &'a ResourceKey)>,
    pub(super) sessions: BTreeSet<(OrgId, SessionId)>,
    pub(super) event_ids: BTreeSet<(OrgId, SessionId, &'a str)>,
    pub(super) tickets: BTreeSet<Digest>,
    pub(super) streams: BTreeSet<(OrgId, SessionId)>,
    pub(super) idempotency: BTreeSet<(OrgId, &'a str)>,
    pub(super) heads: BTreeSet<OrgId>,
    pub(super) claim: Option<&'a ClaimRequest>,
    pub(super) claim_sessions: Option<&'a ClaimRequest>,
    /// The earliest moment of a commit in the batch.
    pub(super) at: Option<Timestamp>,
}

impl<'a> Needs<'a> {
    /// What all of `jobs` need.
    pub(super) fn of(jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        let mut needs = Self::default();
        for job in jobs {
            match job {
                Job::Commit(commit) => needs.commit(commit),
                Job::Claim(request) => needs.claim = Some(request),
                Job::ClaimSessions(request) => needs.claim_sessions = Some(request),
                Job::Renew { claims, .. } => {
                    needs.sync.extend(claims.iter().map(|(org, key, _)| (*org, key)))
                }
                Job::Settle { results, .. } => {
                    needs.sync.extend(results.iter().map(|result| (result.org, &result.key)));
                }
                Job::Observe { org, key, .. } => {
                    needs.sync.insert((*org, key));
                }
                Job::Pause { org, .. } => {
                    needs.orgs.insert(*org);
                }
                Job::LeaseSession { org, id, .. } => {
                    needs.sessions.insert((*org, *id));
                }
            }
        }
        needs
    }

    fn commit(&mut self, commit: &'a Commit) {
        let org = commit.org;
        self.orgs.insert(org);
        self.at = Some(self.at.map_or(commit.at, |at| at.min(commit.at)));
        for condition in &commit.expect {
            self.precondition(org, condition);
        }
        for write in &commit.write {
            self.write(org, write);
        }
        if !commit.audit.is_empty() {
            self.heads.insert(org);
        }
    }

    fn precondition(&mut self, org: OrgId, condition: &'a Precondition) {
        match condition {
            Precondition::RecordVersion { key, .. } | Precondition::Live(key) => {
                self.records.insert((org, &key.kind, key.id));
            }
            Precondition::ReferredBy { target, .. } => {
                self.refs.insert((org, target));
            }
            Precondition::EmptyOu(ou) => {
                self.members.insert((org, *ou));
            }
            Precondition::AuthzEpoch(_) => {}
            Precondition::IdempotencyFree(key) => {
                self.idempotency.insert((org, key));
            }
            Precondition::SessionVersion { id, .. } | Precondition::SessionFence { id, .. } => {
                self.sessions.insert((org, *id));
            }
            Precondition::Ticket { digest, .. } => {
                self.tickets.insert(*digest);
            }
            Precondition::StreamFree { session, .. } => {
                self.streams.insert((org, *session));
            }
        }
    }

    fn write(&mut self, org: OrgId, write: &'a Write) {
        match write {
            Write::CreateOrg(row) => {
                self.slugs.insert(&row.slug);
            }
            Write::PutRecord(row) => {
                self.records.insert((org, &row.kind, row.meta.id));
                self.names.insert((org, &row.kind, &row.unique_key));
            }
            Write::Desire { key, .. } | Write::Remove(key) | Write::ResetSync(key) => {
                self.sync.insert((org, key));
            }
            Write::PutSession(session) => {
                self.sessions.insert((org, session.id));
            }
            Write::AppendEvents { session, events } => {
                self.sessions.insert((org, *session));
                let ids = events.iter().filter_map(|event| event.event_id.as_deref());
                self.event_ids.extend(ids.map(|id| (org, *session, id)));
            }
            Write::TakeTicket(digest) => {
                self.tickets.insert(*digest);
            }
            Write::ReleaseStream { session, .. } => {
                self.streams.insert((org, *session));
            }
            Write::PutIdempotency(row) => {
                self.idempotency.insert((org, &row.key));
            }
            Write::EraseAuditPayload(_) => {
                self.heads.insert(org);
            }
            Write::BumpAuthzEpoch
            | Write::PutTicket(_)
            | Write::HoldStream { .. }
            | Write::PutSecret { .. }
            | Write::DeleteSecret(_)
            | Write::PutBlob { .. } => {}
        }
    }
}
