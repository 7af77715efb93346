//! Tickets, and the one connection a ticket opens (rows P75, P83–P85; vectors 4.7).

use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Conflict, Error, Result};
use crate::id::{OrgId, SessionId};
use crate::permission::Permission;
use crate::plane::Plane;
use crate::session::event::{EventSeq, SessionEvent};
use crate::session::stream::SessionStream;
use crate::session::ticket::{TICKET_TTL, Ticket, TicketRow};
use crate::session::visibility::is_starter;
use crate::store::{Commit, Precondition, Refused, StoreError, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a connection holds the stream without renewing: another client can have it that long after a crash.
pub const STREAM_LEASE: Duration = Duration::from_secs(30);

/// A client's connection to a session's stream: nobody else can open one while it lives (row P85).
///
/// It holds a lease, renewed every ten seconds by a task of its own, and given back when it is closed or dropped.
#[derive(Debug)]
pub struct SessionConnection {
    stream: SessionStream,
    holder: Caller,
    lost: CancellationToken,
    closed: DropGuard,
    keeper: JoinHandle<Result<()>>,
}

impl ControlPlane {
    /// Gives out a ticket for the stream of a session, good once and for 60 seconds, and says when it ends.
    ///
    /// It needs `session:stream` where the session's agent is, and the caller must have started the session or hold
    /// `session:list_all` there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`].
    ///
    /// # Cancel safety
    /// Dropped, a ticket nobody knows may exist for a minute.
    pub async fn stream_ticket(&self, caller: &Caller, session: SessionId) -> Result<(Ticket, Timestamp)> {
        let record = self.plane.store.session(caller.org, session).await?;
        let record = record.ok_or_else(|| Error::not_found("session", session))?;
        self.require(caller, Permission::SESSION_STREAM, record.ou).await?;
        if !is_starter(caller, &record) {
            self.require(caller, Permission::SESSION_LIST_ALL, record.ou).await?;
        }
        self.mint_ticket(caller, session).await
    }

    /// Whether the holder of a ticket's connection may have it now: whoever started the session, as long as they exist and are
    /// enabled; others need `session:stream` and `session:list_all` where its agent is. A connection outlives the ticket that
    /// opened it: a face asks again while one is open, every few seconds, with [`SessionConnection::holder`].
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Denied`] are the answer no; any other is no answer.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn may_hold_stream(&self, holder: &Caller, session: SessionId) -> Result<()> {
        let record = self.visible(holder, session, Permission::SESSION_STREAM).await?;
        if !is_starter(holder, &record) {
            self.require(holder, Permission::SESSION_LIST_ALL, record.ou).await?;
        }
        Ok(())
    }

    pub(crate) async fn mint_ticket(
        &self,
        caller: &Caller,
        session: SessionId,
    ) -> Result<(Ticket, Timestamp)> {
        let plane = &self.plane;
        let now = plane.now();
        let ticket = Ticket::mint(plane.entropy.as_ref());
        let expires_at = now + TICKET_TTL;
        let mut commit = Commit::new(caller.org, now);
        commit.write.push(Write::PutTicket(TicketRow {
            digest: ticket.digest(),
            org: caller.org,
            session,
            holder: caller.principal.to_string(),
            expires_at,
        }));
        plane.store.commit(commit).await?;
        Ok((ticket, expires_at))
    }

    /// Opens the stream of a session with a ticket, behind `after`. The ticket is used up by this and by nothing else:
    /// neither by trying it on another session nor by a refusal because somebody else has the stream.
    ///
    /// # Errors
    /// [`Error::TicketRefused`] if the ticket is used, expired, foreign or unknown, or its holder may no longer have the stream:
    /// it does not say which;
    /// [`Error::Invalid`] if the session's log does not reach to `after`, and `stream_held` while another client has the
    /// stream: after both the ticket is as good as before.
    ///
    /// # Cancel safety
    /// Dropped, the ticket may be used up and the stream held for up to 30 seconds.
    pub async fn open_stream(
        &self,
        session: SessionId,
        ticket: &str,
        after: EventSeq,
    ) -> Result<SessionConnection> {
        let plane = &self.plane;
        let presented = Ticket::presented(ticket);
        // What no ticket looks like costs the store nothing.
        if !presented.is_well_formed() {
            return Err(Error::TicketRefused);
        }
        let digest = presented.digest();
        let row = plane.store.ticket(&digest).await?.ok_or(Error::TicketRefused)?;
        let now = plane.now();
        if row.session != session || row.expires_at <= now {
            return Err(Error::TicketRefused);
        }
        let principal = row.holder.parse().map_err(|_| Error::TicketRefused)?;
        let holder = Caller::new(row.org, principal);
        // A minute is long enough to be disabled in.
        match self.may_hold_stream(&holder, session).await {
            Err(Error::Denied(_) | Error::NotFound { .. }) => return Err(Error::TicketRefused),
            judged => judged?,
        }
        // Before the ticket is taken: what can fail here must not cost it.
        let stream = self.cursor(row.org, session, after).await?;
        let mut random = [0; 16];
        plane.entropy.fill(&mut random);
        let hold = Hold {
            plane: plane.clone(),
            org: row.org,
            session,
            holder: format!("{} {}", row.holder, hex::encode(random)),
        };
        let mut commit = hold.take(now);
        commit.expect.insert(0, Precondition::Ticket { digest, session });
        commit.write.insert(0, Write::TakeTicket(digest));
        match plane.store.commit(commit).await {
            Ok(_) => {}
            Err(StoreError::Refused(Refused::Precondition(broken))) => {
                return Err(match *broken {
                    Precondition::StreamFree { .. } => Conflict::StreamHeld { session }.into(),
                    _ => Error::TicketRefused,
                });
            }
            Err(error) => return Err(error.into()),
        }
        let (lost, closed) = (CancellationToken::new(), CancellationToken::new());
        let keeper = tokio::spawn(hold.keep(lost.clone(), closed.clone()));
        let closed = closed.drop_guard();
        Ok(SessionConnection { stream, holder, lost, closed, keeper })
    }
}

impl SessionConnection {
    /// The next event; `None` once the session has ended.
    ///
    /// # Errors
    /// `stream_held` if the lease was lost and somebody else may have the stream; the store's.
    ///
    /// # Cancel safety
    /// As [`SessionStream::next`].
    pub async fn next(&mut self) -> Option<Result<Arc<SessionEvent>>> {
        let session = self.stream.session();
        tokio::select! {
            biased;
            () = self.lost.cancelled() => Some(Err(Conflict::StreamHeld { session }.into())),
            event = self.stream.next() => event,
        }
    }

    /// What is there already: see [`SessionStream::ready`].
    pub fn ready(&mut self) -> Vec<Arc<SessionEvent>> {
        if self.lost.is_cancelled() { Vec::new() } else { self.stream.ready() }
    }

    /// See [`SessionStream::is_caught_up`].
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.stream.is_caught_up()
    }

    /// See [`SessionStream::grown_beyond`].
    ///
    /// # Cancel safety
    /// Safe: nothing is consumed.
    pub async fn grown_beyond(&mut self, seq: EventSeq) {
        self.stream.grown_beyond(seq).await;
    }

    /// Who got the ticket that opened this, without what narrowed them then: see [`ControlPlane::may_hold_stream`].
    #[must_use]
    pub const fn holder(&self) -> &Caller {
        &self.holder
    }

    /// The number of the last event given: present it with the next ticket to go on.
    #[must_use]
    pub const fn after(&self) -> EventSeq {
        self.stream.after()
    }

    /// Gives the stream back, and returns once somebody else can have it.
    ///
    /// # Errors
    /// The store's: then the lease runs out by itself.
    pub async fn close(self) -> Result<()> {
        drop(self.closed);
        self.keeper.await.unwrap_or_else(|error| {
            Err(Error::Internal { message: format!("the lease of a stream was not given back: {error}") })
        })
    }
}

/// A lease on a stream.
#[derive(Debug)]
struct Hold {
    plane: Arc<Plane>,
    org: OrgId,
    session: SessionId,
    holder: String,
}

impl Hold {
    fn take(&self, now: Timestamp) -> Commit {
        let (session, holder) = (self.session, self.holder.clone());
        let mut commit = Commit::new(self.org, now);
        commit.expect.push(Precondition::StreamFree { session, holder: holder.clone() });
        commit.write.push(Write::HoldStream { session, holder, until: now + STREAM_LEASE });
        commit
    }

    /// Renews the lease until it is closed, then gives it back; says so if it is lost.
    async fn keep(self, lost: CancellationToken, closed: CancellationToken) -> Result<()> {
        let mut until = self.plane.now() + STREAM_LEASE;
        loop {
            tokio::select! {
                () = closed.cancelled() => return self.release().await,
                () = tokio::time::sleep(STREAM_LEASE / 3) => {}
            }
            let now = self.plane.now();
            let renewed = tokio::select! {
                () = closed.cancelled() => return self.release().await,
                renewed = self.plane.store.commit(self.take(now)) => renewed,
            };
            match renewed {
                Ok(_) => until = now + STREAM_LEASE,
                // Not known: the lease may still hold.
                Err(StoreError::Unavailable { .. }) if self.plane.now() < until => {}
                Err(error) => {
                    lost.cancel();
                    return Err(error.into());
                }
            }
        }
    }

    async fn release(&self) -> Result<()> {
        let (session, holder) = (self.session, self.holder.clone());
        let mut commit = Commit::new(self.org, self.plane.now());
        commit.write.push(Write::ReleaseStream { session, holder });
        self.plane.store.commit(commit).await?;
        Ok(())
    }
}
