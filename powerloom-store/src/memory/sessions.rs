//! Sessions: their logs and the pumps' bookkeeping.

use crate::memory::state::MemoryStore;
use crate::page::page;
use async_trait::async_trait;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::{ClaimRequest, EventLog, MAX_PAGE, SessionQuery, SessionQueue, StoreResult};

#[async_trait]
impl EventLog for MemoryStore {
    async fn session(&self, org: OrgId, id: SessionId) -> StoreResult<Option<SessionRecord>> {
        Ok(self.tables().session(org, id))
    }

    async fn sessions(&self, org: OrgId, query: &SessionQuery) -> StoreResult<Vec<SessionRecord>> {
        let wanted = |session: &&SessionRecord| {
            query.agent.is_none_or(|agent| session.agent_id == agent)
                && !(query.active && session.status.is_settled())
                && query.after.is_none_or(|after| session.id < after)
        };
        let tables = self.tables();
        let newest_first = tables.sessions.rows().iter().rev().filter(|((of, _), _)| *of == org);
        let wanted = newest_first.map(|(_, session)| session).filter(wanted).take(page(query.limit));
        Ok(wanted.filter_map(|session| tables.session(org, session.id)).collect())
    }

    async fn events(
        &self,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>> {
        let tables = self.tables();
        let log = tables.events.rows().range((org, session, after.next())..);
        let log = log.take_while(|((of, id, _), _)| *of == org && *id == session);
        Ok(log.take(limit.min(MAX_PAGE)).map(|(_, event)| event.clone()).collect())
    }
}

#[async_trait]
impl SessionQueue for MemoryStore {
    async fn claim_sessions(&self, request: &ClaimRequest) -> StoreResult<Vec<SessionRecord>> {
        Ok(self.tables().claim_sessions(request))
    }

    async fn renew_session(
        &self,
        org: OrgId,
        id: SessionId,
        fence: u64,
        until: Timestamp,
    ) -> StoreResult<bool> {
        Ok(self.tables().lease_session(org, id, fence, Some(until)))
    }

    async fn release_session(&self, org: OrgId, id: SessionId, fence: u64) -> StoreResult<bool> {
        Ok(self.tables().lease_session(org, id, fence, None))
    }

    async fn ticket(&self, digest: &Digest) -> StoreResult<Option<TicketRow>> {
        Ok(self.tables().tickets.get(digest).cloned())
    }
}
