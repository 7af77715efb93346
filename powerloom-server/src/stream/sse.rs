//! A session as server-sent events (WHATWG HTML, 9.2): the same frames, for whoever has only HTTP.

use crate::app::App;
use crate::metrics::Raised;
use crate::stream::authority::{Authority, Credential};
use crate::stream::end::End;
use crate::stream::shelf::Shelf;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use powerloom_core::id::SessionId;
use powerloom_core::session::event::SessionEvent;
use powerloom_core::session::stream::SessionStream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How long a stream may be silent before a comment keeps it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// From how many bytes on a chunk is sent, though there is more.
const CHUNK: usize = 32 << 10;

/// Goes on elsewhere after a second, behind the last id.
const COME_BACK: &[u8] = b"retry: 1000\n\n";

/// Whoever may no longer follow is told so by a comment; coming back would be refused.
const FORBIDDEN: &[u8] = b": forbidden\n\n";

/// Streams what is behind the cursor, to the end of the session, or until the token does not let its bearer follow any longer.
///
/// How slow its reader is does not matter: the cursor waits for it, and it holds up nobody else.
pub(crate) fn respond(
    app: &App,
    session: SessionId,
    stream: SessionStream,
    token: Zeroizing<String>,
) -> Response {
    let feed = Feed {
        app: app.clone(),
        stream,
        authority: Authority::watch(app, session, Credential::Bearer(token)),
        waiting: VecDeque::new(),
        shelf: app.shelves.of(session),
        stopping: app.stopping.child_token(),
        over: false,
        _open: Raised::of(&app.metrics.streams),
    };
    let chunks = futures::stream::unfold(feed, |mut feed| async move {
        let chunk = feed.chunk().await?;
        Some((Ok::<_, Infallible>(chunk), feed))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies must not collect it.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

struct Feed {
    app: App,
    stream: SessionStream,
    authority: Authority,
    /// Taken from the stream, and not written yet.
    waiting: VecDeque<Arc<SessionEvent>>,
    shelf: Arc<Shelf>,
    stopping: CancellationToken,
    over: bool,
    _open: Raised,
}

impl Feed {
    /// What is to be sent next, as much at once as there is; `None` at the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        if let Some(end) = self.authority.is_lost() {
            return Some(self.last(end));
        }
        if !self.waiting.is_empty() {
            return Some(self.written());
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Some(self.last(End::Stopping)),
            end = self.authority.lost() => Some(self.last(end)),
            event = self.stream.next() => match event? {
                Ok(event) => {
                    self.waiting.push_back(event);
                    self.waiting.extend(self.stream.ready());
                    Some(self.written())
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream cannot go on");
                    Some(self.last(End::Failed))
                }
            },
            () = tokio::time::sleep(KEEP_ALIVE) => Some(Bytes::from_static(b":\n\n")),
        }
    }

    fn last(&mut self, end: End) -> Bytes {
        self.over = true;
        Bytes::from_static(if end == End::Forbidden { FORBIDDEN } else { COME_BACK })
    }

    fn written(&mut self) -> Bytes {
        let mut chunk = BytesMut::new();
        while chunk.len() < CHUNK
            && let Some(event) = self.waiting.pop_front()
        {
            put(&mut chunk, &event, self.shelf.frame(&event).as_str());
            self.app.metrics.frames.inc();
        }
        chunk.freeze()
    }
}

fn put(chunk: &mut BytesMut, event: &SessionEvent, frame: &str) {
    let kind = &event.event.kind;
    chunk.reserve(frame.len() + kind.len() + 48);
    chunk.put_slice(format!("id: {}\n", event.seq).as_bytes());
    // A runtime may call its events what it likes; a line break would begin a field of its own making.
    if !kind.contains(['\n', '\r']) {
        chunk.put_slice(b"event: ");
        chunk.put_slice(kind.as_bytes());
        chunk.put_u8(b'\n');
    }
    chunk.put_slice(b"data: ");
    chunk.put_slice(frame.as_bytes());
    chunk.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::frame::written;
    use powerloom_core::clock::Timestamp;
    use powerloom_core::entropy::SystemEntropy;
    use powerloom_core::session::event::{EventSeq, NewEvent};
    use serde_json::json;

    #[test]
    fn a_type_with_a_line_break_begins_no_field() {
        let at = Timestamp::default();
        for (kind, expected) in [("agent.message", "event: agent.message\n"), ("a\ndata: {}\n\nid: 9", "")] {
            let event = NewEvent { event_id: None, kind: kind.into(), payload: json!({}), at };
            let session_id = SessionId::generate(at, &SystemEntropy);
            let event = SessionEvent { session_id, seq: EventSeq::new(3), event };
            let mut chunk = BytesMut::new();
            put(&mut chunk, &event, &written(&event));
            let text = format!("id: 3\n{expected}data: {}\n\n", written(&event));
            assert_eq!(chunk, text.as_bytes());
        }
    }
}
