//! One commit: all of it, or none of it.

use crate::tables::set::Tables;
use powerloom_core::audit::{AuditHead, seal};
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::reconcile::state::{Lease, SyncState};
use powerloom_core::record::{RecordRow, Stage};
use powerloom_core::session::event::{EventSeq, NewEvent, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::store::{AuditWrite, Commit, Committed, OrgRow, Refused, Write};

impl Tables {
    /// Does all of `commit`, or nothing.
    ///
    /// In a working set, every row the commit names must have been loaded.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<Committed, Refused> {
        let outcome = self.try_apply(commit);
        match outcome {
            Ok(_) => self.accept(),
            Err(_) => self.reject(),
        }
        outcome
    }

    fn try_apply(&mut self, commit: &Commit) -> Result<Committed, Refused> {
        let org = commit.org;
        let creates = commit.write.iter().any(|write| matches!(write, Write::CreateOrg(_)));
        if !creates && self.orgs.get(&org).is_none() {
            return Err(Refused::NoSuchOrg(org));
        }
        if let Some(broken) = commit.expect.iter().find(|condition| !self.holds(org, commit.at, condition)) {
            return Err(Refused::Precondition(Box::new(broken.clone())));
        }
        let mut events = Vec::new();
        for write in &commit.write {
            self.write(commit, write, &mut events)?;
        }
        let audit_head = self.append_audit(commit)?;
        Ok(Committed::new(audit_head, events, self.authz_epoch(org)))
    }

    fn write(
        &mut self,
        commit: &Commit,
        write: &Write,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let (org, at) = (commit.org, commit.at);
        match write {
            Write::CreateOrg(row) => self.create_org(org, row)?,
            Write::PutRecord(row) => self.put_record(org, row)?,
            Write::BumpAuthzEpoch => {
                let mut row = self.orgs.get(&org).cloned().ok_or(Refused::NoSuchOrg(org))?;
                row.authz_epoch += 1;
                self.orgs.put(org, row);
            }
            Write::Desire { key, desired } => {
                let key = (org, key.clone());
                let state = match self.sync.get(&key).cloned() {
                    Some(mut state) => {
                        state.desire(*desired, at);
                        state
                    }
                    None => SyncState::new(org, key.1.clone(), *desired, at),
                };
                self.sync.put(key, state);
            }
            Write::Remove(key) => {
                let key = (org, key.clone());
                if let Some(mut state) = self.sync.get(&key).cloned() {
                    state.remove(at);
                    self.sync.put(key, state);
                }
            }
            Write::ResetSync(key) => {
                let key = (org, key.clone());
                if let Some(mut state) = self.sync.get(&key).cloned() {
                    state.reset(at);
                    self.sync.put(key, state);
                }
                if let Some(mut row) = self.orgs.get(&org).filter(|row| row.paused.is_some()).cloned() {
                    row.paused = None;
                    self.orgs.put(org, row);
                }
            }
            Write::PutSession(session) => self.put_session(org, session)?,
            Write::AppendEvents { session, events: new } => self.append_events(org, *session, new, events)?,
            Write::PutTicket(ticket) => {
                own(org, ticket.org)?;
                self.tickets.put(ticket.digest, ticket.clone());
            }
            Write::TakeTicket(digest) => {
                if self.tickets.get(digest).is_some_and(|ticket| ticket.org == org) {
                    self.tickets.remove(digest);
                }
            }
            Write::HoldStream { session, holder, until } => {
                self.streams.put((org, *session), Lease { owner: holder.clone(), until: *until });
            }
            Write::ReleaseStream { session, holder } => {
                if self.streams.get(&(org, *session)).is_some_and(|lease| lease.owner == *holder) {
                    self.streams.remove(&(org, *session));
                }
            }
            Write::PutSecret { owner, sealed } => self.secrets.put((org, *owner), sealed.clone()),
            Write::DeleteSecret(owner) => self.secrets.remove(&(org, *owner)),
            Write::PutBlob { digest, bytes } => self.blobs.put((org, *digest), bytes.clone()),
            Write::PutIdempotency(row) => {
                let key = (org, row.key.clone());
                if self.idempotency.get(&key).is_none_or(|earlier| earlier.expires_at <= at) {
                    self.idempotency.put(key, row.clone());
                }
            }
            Write::EraseAuditPayload(seq) => self.erase_audit_payload(org, *seq),
        }
        Ok(())
    }

    fn create_org(&mut self, org: OrgId, row: &OrgRow) -> Result<(), Refused> {
        own(org, row.id)?;
        if self.orgs.get(&org).is_some() || self.slugs.get(&row.slug).is_some() {
            return Err(Refused::Exists { slug: row.slug.clone() });
        }
        self.orgs.put(org, row.clone());
        self.slugs.put(row.slug.clone(), org);
        Ok(())
    }

    fn put_record(&mut self, org: OrgId, row: &RecordRow) -> Result<(), Refused> {
        own(org, row.meta.org)?;
        let key = (org, row.key());
        let name = |row: &RecordRow| (org, row.kind.clone(), row.unique_key.clone());
        let counts = |row: &RecordRow| row.meta.stage != Stage::Archived;

        let before = self.records.get(&key).filter(|row| counts(row)).cloned();
        let after = Some(row).filter(|row| counts(row));
        if after.and_then(|row| self.names.get(&name(row))).is_some_and(|holder| *holder != row.meta.id) {
            return Err(Refused::NameTaken { kind: row.kind.clone(), unique_key: row.unique_key.clone() });
        }
        // Only what differs is written: a record that keeps its name, OU and references touches no index.
        if before.as_ref().map(name) != after.map(name) {
            before.iter().for_each(|row| self.names.remove(&name(row)));
            after.iter().for_each(|row| self.names.put(name(row), row.meta.id));
        }
        if before.as_ref().map(|row| row.meta.ou) != after.map(|row| row.meta.ou) {
            before.iter().for_each(|row| self.members.remove(&(org, row.meta.ou, key.1.clone())));
            after.iter().for_each(|row| self.members.put((org, row.meta.ou, key.1.clone()), ()));
        }
        let (old, new) =
            (before.as_ref().map_or(&[][..], |row| &row.refs), after.map_or(&[][..], |row| &row.refs));
        for target in old.iter().filter(|target| !new.contains(target)) {
            self.refs.remove(&(org, target.clone(), key.1.clone()));
        }
        for target in new.iter().filter(|target| !old.contains(target)) {
            self.refs.put((org, target.clone(), key.1.clone()), ());
        }
        self.records.put(key, row.clone());
        Ok(())
    }

    fn put_session(&mut self, org: OrgId, session: &SessionRecord) -> Result<(), Refused> {
        own(org, session.org)?;
        let key = (org, session.id);
        let mut row = session.clone();
        if let Some(before) = self.sessions.get(&key) {
            row.lease.clone_from(&before.lease);
            row.fence = before.fence;
        }
        row.last_seq = EventSeq::START;
        self.sessions.put(key, row);
        Ok(())
    }

    fn append_events(
        &mut self,
        org: OrgId,
        session: SessionId,
        new: &[NewEvent],
        appended: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        if self.sessions.get(&(org, session)).is_none() {
            return Err(Refused::NoSuchSession(session));
        }
        let mut last = self.last_seq.get(&(org, session)).copied().unwrap_or(EventSeq::START);
        for event in new {
            if let Some(id) = &event.event_id {
                let id = (org, session, id.clone());
                if self.event_ids.get(&id).is_some() {
                    continue;
                }
                self.event_ids.put(id, ());
            }
            last = last.next();
            let event = SessionEvent { session_id: session, seq: last, event: event.clone() };
            self.events.put((org, session, last), event.clone());
            appended.push(event);
        }
        self.last_seq.put((org, session), last);
        Ok(())
    }

    fn append_audit(&mut self, commit: &Commit) -> Result<Option<AuditHead>, Refused> {
        let mut head = self.head(commit.org);
        for AuditWrite { draft, salt } in &commit.audit {
            let entry = seal(draft.clone(), commit.org, &head, *salt).map_err(Refused::Audit)?;
            head = entry.head();
            self.audit.put((commit.org, head.seq), entry);
            for ou in &draft.change.ous {
                self.audit_ous.put((commit.org, *ou, head.seq), ());
            }
        }
        if commit.audit.is_empty() {
            return Ok(None);
        }
        self.heads.put(commit.org, head);
        Ok(Some(head))
    }

    fn erase_audit_payload(&mut self, org: OrgId, seq: u64) {
        if let Some(mut entry) = self.audit.get(&(org, seq)).cloned() {
            entry.erase();
            self.audit.put((org, seq), entry);
        } else if (1..=self.head(org).seq).contains(&seq) {
            self.erased.put((org, seq), ());
        }
    }
}

/// A row of another organization has no place in a commit of this one: here, that other one does not exist.
fn own(org: OrgId, named: OrgId) -> Result<(), Refused> {
    if org == named { Ok(()) } else { Err(Refused::NoSuchOrg(named)) }
}
