//! A session over a WebSocket (rows P75–P85; sem. 2.7).
//!
//! There is no queue between log and socket: the cursor waits for the socket, so a reader costs the same however far it is
//! behind. What bounds it is how far the log may run ahead of what was sent while the socket takes nothing.

use crate::app::App;
use crate::metrics::Raised;
use crate::stream::authority::{Authority, Credential};
use crate::stream::end::End;
use crate::stream::reader::Reader;
use crate::stream::shelf::Shelf;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures::SinkExt;
use powerloom_core::id::SessionId;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::stream::SessionStream;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use zeroize::Zeroizing;

/// Longest message of a client. Whatever it says is ignored.
const MOST_HEARD: usize = 4 << 10;
/// Buffers small enough for thousands of idle streams.
const READ_BUFFER: usize = 1 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// How long a client has to take the last frames and to say goodbye.
const PARTING: Duration = Duration::from_secs(5);

/// What opens a stream.
pub(crate) enum Opening {
    /// A ticket, good once (rows P83, P84).
    Ticket(String),
    /// A bearer who may watch, and their token.
    Viewer(Box<SessionStream>, Zeroizing<String>),
}

/// Answers 101; the ticket is looked at once the client can be told over the socket what is wrong with it.
pub(crate) fn upgrade(
    app: App,
    upgrade: WebSocketUpgrade,
    session: SessionId,
    after: EventSeq,
    opening: Opening,
) -> Response {
    let span = tracing::info_span!("stream", %session);
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MOST_HEARD)
        .max_frame_size(MOST_HEARD)
        .on_upgrade(move |socket| serve(app, socket, session, after, opening).instrument(span))
}

async fn serve(app: App, mut socket: WebSocket, session: SessionId, after: EventSeq, opening: Opening) {
    let _open = Raised::of(&app.metrics.streams);
    let (end, sent) = match open(&app, session, after, opening).await {
        Err(end) => (end, after),
        Ok((reader, credential)) => {
            let authority = Authority::watch(&app, session, credential);
            let stopping = app.stopping.child_token();
            let shelf = app.shelves.of(session);
            let socket = &mut socket;
            let (sent, live) = (after, false);
            let mut link = Link { app: &app, socket, reader, authority, shelf, stopping, sent, live };
            let end = link.run().await;
            let Link { reader, sent, .. } = link;
            // Before the client is told that it is over: it may come back at once.
            reader.release().await;
            (end, sent)
        }
    };
    if matches!(end, End::Slow | End::Silent) {
        app.metrics.slow_readers.inc();
    }
    tracing::debug!(?end, %sent, "a stream has ended");
    part(socket, end, sent).await;
}

async fn open(
    app: &App,
    session: SessionId,
    after: EventSeq,
    opening: Opening,
) -> Result<(Reader, Credential), End> {
    if app.stopping.is_cancelled() {
        // The ticket is as good at the next replica, and nothing was looked up.
        if let Opening::Ticket(_) = opening {
            app.guesses.back();
        }
        return Err(End::Stopping);
    }
    match opening {
        Opening::Viewer(stream, token) => Ok((Reader::Viewer(stream), Credential::Bearer(token))),
        Opening::Ticket(ticket) => {
            let opened = app.loom.open_stream(session, &ticket, after);
            let opened = tokio::time::timeout(app.config.bounds.request_timeout, opened).await;
            let opened = opened.map_err(|_| End::Failed).and_then(|opened| opened.map_err(End::from));
            if !matches!(opened, Err(End::TicketRefused)) {
                app.guesses.back();
            }
            let connection = opened?;
            let credential = Credential::Ticket(connection.holder().clone());
            Ok((Reader::Client(Box::new(connection)), credential))
        }
    }
}

/// Says goodbye, and waits for the reply: a socket closed too early takes with it what the client has not read yet.
async fn part(mut socket: WebSocket, end: End, sent: EventSeq) {
    let farewell = async {
        if let Some(frame) = end.frame(sent)
            && socket.send(Message::Close(Some(frame))).await.is_err()
        {
            return;
        }
        while let Some(Ok(_)) = socket.recv().await {}
    };
    // Whoever does not take it in time is cut off.
    let _ = tokio::time::timeout(PARTING, farewell).await;
}

/// A cursor and a socket.
struct Link<'a> {
    app: &'a App,
    socket: &'a mut WebSocket,
    reader: Reader,
    authority: Authority,
    shelf: Arc<Shelf>,
    stopping: CancellationToken,
    /// The last event whose frame was handed to the socket.
    sent: EventSeq,
    /// The replay is over: from here on, falling behind counts.
    live: bool,
}

impl Link<'_> {
    async fn run(&mut self) -> End {
        let ping_every = self.app.config.bounds.ping_every;
        let stopping = self.stopping.clone();
        let mut stopping = pin!(stopping.cancelled());
        let mut silence = pin!(tokio::time::sleep(ping_every));
        let mut asked = false;
        loop {
            tokio::select! {
                () = &mut stopping => return End::Stopping,
                end = self.authority.lost() => return end,
                heard = self.socket.recv() => match heard {
                    Some(Ok(Message::Close(_))) | None => return End::Gone,
                    Some(Ok(_)) => {
                        asked = false;
                        silence.as_mut().reset(Instant::now() + ping_every);
                    }
                    Some(Err(error)) => return End::of_wire(error),
                },
                event = self.reader.next() => {
                    let sent = match event {
                        None => return End::Over,
                        Some(Err(error)) => Err(error.into()),
                        Some(Ok(event)) => self.send(event).await,
                    };
                    if let Err(end) = sent {
                        return end;
                    }
                }
                () = &mut silence => {
                    if asked {
                        return End::Silent;
                    }
                    asked = true;
                    silence.as_mut().reset(Instant::now() + ping_every);
                    if let Err(end) = self.write(Some(Message::Ping(Bytes::new())), true).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Sends an event and whatever is there behind it, then flushes once.
    async fn send(&mut self, first: Arc<SessionEvent>) -> Result<(), End> {
        let mut events = vec![first];
        events.append(&mut self.reader.ready());
        while !events.is_empty() {
            for event in events {
                // Somebody who reads slowly enough is sent for a long time.
                if let Some(end) = self.authority.is_lost() {
                    return Err(end);
                }
                let frame = self.shelf.frame(&event);
                self.write(Some(Message::Text(frame)), false).await?;
                self.sent = event.seq;
                self.app.metrics.frames.inc();
            }
            events = self.reader.ready();
        }
        self.write(None, true).await?;
        self.live = self.live || self.reader.is_caught_up();
        Ok(())
    }

    /// Hands a message to the socket, or flushes it, or both. While the socket takes nothing, the program may end, the time
    /// for a write may run out, or the log may run too far ahead.
    async fn write(&mut self, message: Option<Message>, flush: bool) -> Result<(), End> {
        let bounds = &self.app.config.bounds;
        let (socket, reader) = (&mut *self.socket, &mut self.reader);
        let mut write = pin!(async {
            if let Some(message) = message {
                socket.feed(message).await?;
            }
            if flush { socket.flush().await } else { Ok(()) }
        });
        // Nearly always the socket takes it at once.
        if let Poll::Ready(written) = futures::poll!(write.as_mut()) {
            return written.map_err(End::of_wire);
        }
        let queue = u64::try_from(bounds.stream_queue).unwrap_or(u64::MAX);
        let full = EventSeq::new(self.sent.number().saturating_add(queue));
        let (live, stopping, authority) = (self.live, &self.stopping, &self.authority);
        tokio::select! {
            biased;
            written = write => written.map_err(End::of_wire),
            () = stopping.cancelled() => Err(End::Stopping),
            end = authority.lost() => Err(end),
            () = reader.grown_beyond(full), if live => Err(End::Slow),
            () = tokio::time::sleep(bounds.stream_write) => Err(End::Slow),
        }
    }
}
