//! Sessions: their logs and the pumps' bookkeeping.

use crate::page::page;
use crate::sqlite::error::read_error;
use crate::sqlite::job::{Done, Job};
use crate::sqlite::row::{body, number, session};
use crate::sqlite::store::{SqliteStore, mismatch};
use async_trait::async_trait;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, SessionId};
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::{ClaimRequest, EventLog, MAX_PAGE, SessionQuery, SessionQueue, StoreResult};
use sqlx::{QueryBuilder, Sqlite};

/// A session and the number of its last event.
const SESSIONS: &str = "SELECT s.body, \
     coalesce((SELECT max(e.seq) FROM events e WHERE e.org = s.org AND e.session = s.id), 0) \
     FROM sessions s WHERE s.org = ";

#[async_trait]
impl EventLog for SqliteStore {
    async fn session(&self, org: OrgId, id: SessionId) -> StoreResult<Option<SessionRecord>> {
        let mut sql = QueryBuilder::<Sqlite>::new(SESSIONS);
        sql.push_bind(org.to_string()).push(" AND s.id = ").push_bind(id.to_string());
        let found = sql.build().fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| session(&row, 0)).transpose()
    }

    async fn sessions(&self, org: OrgId, query: &SessionQuery) -> StoreResult<Vec<SessionRecord>> {
        let mut sql = QueryBuilder::<Sqlite>::new(SESSIONS);
        sql.push_bind(org.to_string());
        if let Some(agent) = query.agent {
            sql.push(" AND s.agent = ").push_bind(agent.to_string());
        }
        if query.active {
            // The first lets the index find them; a few of them have settled and wait for what is left to go.
            sql.push(" AND s.free_at IS NOT NULL AND s.body ->> '$.status' NOT IN (");
            let mut settled = sql.separated(", ");
            for status in SessionStatus::ALL.into_iter().filter(|status| status.is_settled()) {
                settled.push_bind(status.word());
            }
            sql.push(")");
        }
        if let Some(after) = query.after {
            sql.push(" AND s.id < ").push_bind(after.to_string());
        }
        sql.push(" ORDER BY s.id DESC LIMIT ").push_bind(i64::try_from(page(query.limit)).unwrap_or(0));
        let found = sql.build().fetch_all(&self.readers).await.map_err(read_error)?;
        found.iter().map(|row| session(row, 0)).collect()
    }

    async fn events(
        &self,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>> {
        let query = sqlx::query(
            "SELECT seq, body FROM events WHERE org = ? AND session = ? AND seq > ? ORDER BY seq LIMIT ?",
        );
        let after = i64::try_from(after.number()).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit.min(MAX_PAGE)).unwrap_or(0);
        let query = query.bind(org.to_string()).bind(session.to_string()).bind(after).bind(limit);
        let found = query.fetch_all(&self.readers).await.map_err(read_error)?;
        found
            .iter()
            .map(|row| {
                let seq = EventSeq::new(number(row, 0)?);
                Ok(SessionEvent { session_id: session, seq, event: body(row, 1)? })
            })
            .collect()
    }
}

#[async_trait]
impl SessionQueue for SqliteStore {
    async fn claim_sessions(&self, request: &ClaimRequest) -> StoreResult<Vec<SessionRecord>> {
        match self.write(Job::ClaimSessions(request.clone())).await? {
            Done::Sessions(sessions) => Ok(sessions),
            other => Err(mismatch(&other)),
        }
    }

    async fn renew_session(
        &self,
        org: OrgId,
        id: SessionId,
        fence: u64,
        until: Timestamp,
    ) -> StoreResult<bool> {
        let job = Job::LeaseSession { org, id, fence, until: Some(until) };
        Ok(self.taken(job).await?.contains(&true))
    }

    async fn release_session(&self, org: OrgId, id: SessionId, fence: u64) -> StoreResult<bool> {
        Ok(self.taken(Job::LeaseSession { org, id, fence, until: None }).await?.contains(&true))
    }

    async fn ticket(&self, digest: &Digest) -> StoreResult<Option<TicketRow>> {
        let query = sqlx::query("SELECT body FROM tickets WHERE digest = ?").bind(digest.to_string());
        let found = query.fetch_optional(&self.readers).await.map_err(read_error)?;
        found.map(|row| body(&row, 0)).transpose()
    }
}
