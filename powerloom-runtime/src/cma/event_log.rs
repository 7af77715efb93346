//! The events of a session: sending, listing, following.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::event::Event;
use crate::cma::outgoing::OutgoingEvent;
use crate::cma::page::{Order, Page, all, push, push_time};
use crate::cma::sse;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;

impl CmaClient {
    /// The events of sessions.
    #[must_use]
    pub const fn events(&self) -> Events<'_> {
        Events(self)
    }
}

/// Calls on the events of a session; from [`CmaClient::events`].
#[derive(Debug, Clone, Copy)]
pub struct Events<'a>(&'a CmaClient);

impl Events<'_> {
    /// Queues events, in this order, and answers with them as stored. Not idempotent: list the history before sending
    /// again.
    ///
    /// # Errors
    /// 400 for an event that does not fit the state (a confirmation nobody asked for), 400 or 409 for a session that
    /// is over.
    pub async fn send(&self, session: &str, events: &[OutgoingEvent]) -> Result<Vec<Event>, CmaError> {
        #[derive(Serialize)]
        struct Body<'a> {
            events: &'a [OutgoingEvent],
        }
        let call = Call::post("sessions").id("session", session)?.then("events").json(&Body { events })?;
        self.0.json::<Page<Event>>(call, "the stored events").await.map(|stored| stored.data)
    }

    /// One page of the history.
    ///
    /// # Errors
    /// 404 if there is no such session; 400 for a cursor that is not of this list.
    pub async fn list(&self, session: &str, list: &ListEvents) -> Result<Page<Event>, CmaError> {
        self.0.json(history(session, list, list.page.as_deref())?, "the events").await
    }

    /// The whole history, page after page.
    #[must_use]
    pub fn all(&self, session: &str, list: ListEvents) -> BoxStream<'static, Result<Event, CmaError>> {
        let session = session.to_owned();
        all(self.0.clone(), "the events", move |page| history(&session, &list, page.or(list.page.as_deref())))
    }

    /// Follows a session: what happens from now on, with **no replay**.
    ///
    /// When this returns the stream is open, so: open it, then send. After a cut, open a new one, list the history and
    /// drop what was seen, by id. The stream does not end when the session becomes idle; it ends when the service
    /// closes it (the session was deleted, say), and an orderly end is `None`, not an error. Pings and comments do not
    /// show, but count against [`idle_timeout`](crate::cma::CmaClientBuilder::idle_timeout). Nothing follows an error.
    ///
    /// # Errors
    /// 404 if there is no such session. In the stream: [`CmaError::Cut`], [`CmaError::Timeout`] after silence,
    /// [`CmaError::Api`] for an error the service sends, [`CmaError::Decode`] for what is no event.
    ///
    /// # Cancel safety
    /// Dropping the stream closes its connection; nothing is lost at the service.
    pub async fn stream(
        &self,
        session: &str,
    ) -> Result<BoxStream<'static, Result<Event, CmaError>>, CmaError> {
        let call = Call::get("sessions").id("session", session)?.then("events").then("stream");
        let answer = self.0.stream(call).await?;
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type
            .is_some_and(|kind| !kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
        {
            let source = "the answer is not of type `text/event-stream`".into();
            return Err(CmaError::Decode { what: "the event stream", maybe_applied: false, source });
        }
        let bytes = answer.bytes_stream().map_err(reqwest::Error::without_url);
        Ok(sse::events(bytes, self.0.idle_timeout(), self.0.api_key().clone()))
    }
}

fn history(session: &str, list: &ListEvents, page: Option<&str>) -> Result<Call, CmaError> {
    Ok(Call::get("sessions").id("session", session)?.then("events").query(list.query(page)))
}

/// Which events to list. Times are compared with the time of processing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListEvents {
    /// Processed after this time.
    pub created_at_gt: Option<Timestamp>,
    /// Processed at this time or later.
    pub created_at_gte: Option<Timestamp>,
    /// Processed before this time.
    pub created_at_lt: Option<Timestamp>,
    /// Processed at this time or earlier.
    pub created_at_lte: Option<Timestamp>,
    /// How many a page; the service's default is 1 000.
    pub limit: Option<u32>,
    /// The service's default is oldest first.
    pub order: Option<Order>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// Of these types; empty means any.
    pub types: Vec<String>,
}

impl ListEvents {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push_time(&mut query, "created_at[gt]", self.created_at_gt);
        push_time(&mut query, "created_at[gte]", self.created_at_gte);
        push_time(&mut query, "created_at[lt]", self.created_at_lt);
        push_time(&mut query, "created_at[lte]", self.created_at_lte);
        push(&mut query, "limit", self.limit);
        push(&mut query, "order", self.order.map(Order::word));
        push(&mut query, "page", page);
        query.extend(self.types.iter().map(|kind| ("types[]", kind.clone())));
        query
    }
}
