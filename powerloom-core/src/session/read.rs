//! Reading sessions: one, many, their events, and waiting for their end (row P9).

use crate::control_plane::ControlPlane;
use crate::door::authorizer::AccessRequest;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::invalid::Invalid;
use crate::page::{MAX_LOOKED_AT, Page};
use crate::permission::Permission;
use crate::session::event::{EventSeq, SessionEvent};
use crate::session::record::SessionRecord;
use crate::session::stream::SessionStream;
use crate::session::visibility::is_starter;
use crate::store::{MAX_PAGE, SessionQuery};

/// Most events one page may have (sem. 2.7).
pub const MAX_EVENTS: usize = 500;

impl ControlPlane {
    /// Reads one session (rows P9, P95). Whoever started it may; others need `session:read` at its agent's OU.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a session of another organization; [`Error::Denied`].
    pub async fn session(&self, caller: &Caller, id: SessionId) -> Result<SessionRecord> {
        self.visible(caller, id, Permission::SESSION_READ).await
    }

    /// Lists sessions, newest first: those the caller started, and those of others where it holds `session:list_all`.
    /// A page may be shorter than asked for and yet not be the last: go on from its last row until one is empty. It walks
    /// over the whole list if need be: see [`sessions_page`](Self::sessions_page).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sessions(&self, caller: &Caller, query: &SessionQuery) -> Result<Vec<SessionRecord>> {
        let mut query = query.clone();
        loop {
            let page = self.sessions_page(caller, &query).await?;
            if !page.rows.is_empty() || page.next.is_none() {
                return Ok(page.rows);
            }
            query.after = page.next;
        }
    }

    /// A page of the same, of which no more than [`MAX_LOOKED_AT`] are looked at: it may be empty and yet not be the last.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sessions_page(
        &self,
        caller: &Caller,
        query: &SessionQuery,
    ) -> Result<Page<SessionRecord, SessionId>> {
        let snapshot = self.authz(caller.org).await?;
        let at = self.plane.now();
        let known = snapshot.knows(&caller.principal);
        let may = |session: &SessionRecord| {
            let permission = Permission::SESSION_LIST_ALL;
            let request = AccessRequest { caller, permission, ou: session.ou, at };
            (known && is_starter(caller, session)) || self.plane.decide(&snapshot, &request).is_allowed()
        };
        let most = if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) };
        let mut query = SessionQuery { limit: MAX_PAGE, ..query.clone() };
        let (mut rows, mut looked_at) = (Vec::new(), 0);
        while looked_at < MAX_LOOKED_AT {
            let page = self.plane.store.sessions(caller.org, &query).await?;
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for session in page {
                looked_at += 1;
                query.after = Some(session.id);
                if may(&session) {
                    rows.push(session.shown());
                }
                if rows.len() == most {
                    return Ok(Page { rows, next: query.after });
                }
            }
        }
        Ok(Page { rows, next: query.after })
    }

    /// Reads events of a session strictly behind `after`, oldest first: at most `limit`, 1 to 500.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a limit out of bounds; as [`session`](Self::session).
    pub async fn session_events(
        &self,
        caller: &Caller,
        id: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> Result<Vec<SessionEvent>> {
        if !(1..=MAX_EVENTS.min(MAX_PAGE)).contains(&limit) {
            return Err(Invalid::new("limit", limit, format!("1 to {MAX_EVENTS}")).into());
        }
        self.visible(caller, id, Permission::SESSION_READ).await?;
        Ok(self.plane.store.events(caller.org, id, after, limit).await?)
    }

    /// Follows a session from behind `after` to its end. Whoever started it may; others need `session:stream`.
    /// Unlike a ticket's connection, this may be done by any number of readers at once.
    ///
    /// # Errors
    /// As [`session`](Self::session); [`Error::Invalid`] if the log does not reach to `after`.
    pub async fn follow(&self, caller: &Caller, id: SessionId, after: EventSeq) -> Result<SessionStream> {
        self.visible(caller, id, Permission::SESSION_STREAM).await?;
        self.cursor(caller.org, id, after).await
    }

    /// Whether the caller may follow the session now, judged as [`follow`](Self::follow) does. A stream outlives the question
    /// that opened it: a face asks again while one is open, every few seconds, and ends it once the answer is no.
    ///
    /// # Errors
    /// As [`session`](Self::session): [`Error::NotFound`] and [`Error::Denied`] are the answer no; any other is no answer.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn may_follow(&self, caller: &Caller, id: SessionId) -> Result<()> {
        self.visible(caller, id, Permission::SESSION_STREAM).await.map(drop)
    }

    /// Waits until the session has settled. It settles by itself once it has run too long, if a loop pumps it.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    ///
    /// # Cancel safety
    /// Dropped, the session goes on.
    pub async fn wait(&self, caller: &Caller, id: SessionId) -> Result<SessionRecord> {
        let session = self.visible(caller, id, Permission::SESSION_READ).await?;
        let mut stream = self.cursor(caller.org, id, session.last_seq).await?;
        while let Some(event) = stream.next().await {
            event?;
        }
        let settled = self.plane.store.session(caller.org, id).await?;
        settled.map(SessionRecord::shown).ok_or_else(|| Error::not_found("session", id))
    }

    pub(crate) async fn cursor(
        &self,
        org: crate::id::OrgId,
        id: SessionId,
        after: EventSeq,
    ) -> Result<SessionStream> {
        // Followed before anything is read: what is appended in between is in the tail.
        let follower = self.plane.hub.follow(id);
        SessionStream::open(self.plane.store.clone(), follower, org, id, after).await
    }
}
