//! The event stream of a session, from bytes to events.

use crate::cma::api_error::ApiError;
use crate::cma::error::{Cause, CmaError, WaitedFor};
use crate::cma::event::Event;
use crate::cma::secret::Secret;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde_json::Value;
use sse_stream::{Sse, SseStream};
use std::time::Duration;

/// Largest frame that is read: 32 MiB.
const FRAME_LIMIT: usize = 32 * 1024 * 1024;

/// Reads events from the bytes of an answer.
///
/// The `event:` line is ignored but for `ping` and `error`: the type is in the JSON. Comments, pings and frames without
/// data are skipped. The stream ends where the bytes end, and after the first error; half a frame at the end is
/// dropped. `idle` without a byte, heartbeats included, is a time-out.
pub(crate) fn events<B, E>(
    bytes: B,
    idle: Duration,
    key: Secret,
) -> BoxStream<'static, Result<Event, CmaError>>
where
    B: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Cause> + Send + 'static,
{
    let mut frames = SseStream::from_bytes_stream(guarded(bytes, idle));
    Box::pin(async_stream::try_stream! {
        while let Some(frame) = frames.next().await {
            let event = read(frame.map_err(failure)?, &key)?;
            if let Some(event) = event {
                yield event;
            }
        }
    })
}

/// The event in a frame, if it holds one.
fn read(frame: Sse, key: &Secret) -> Result<Option<Event>, CmaError> {
    let Some(data) = frame.data.filter(|data| !data.trim().is_empty()) else { return Ok(None) };
    match frame.event.as_deref() {
        Some("ping") => return Ok(None),
        Some("error") => return Err(ApiError::from_frame(&data, key).into()),
        _ => {}
    }
    let event: Event = serde_json::from_str(&data).map_err(|error| unreadable(Box::new(error)))?;
    match event.kind() {
        "ping" => Ok(None),
        "error" if event.get("error").is_some_and(Value::is_object) => {
            Err(ApiError::from_frame(&data, key).into())
        }
        _ => Ok(Some(event)),
    }
}

/// The bytes, with an end put to silence and to frames without one. Its errors are [`CmaError`]s.
fn guarded<B, E>(bytes: B, idle: Duration) -> BoxStream<'static, Result<Bytes, CmaError>>
where
    B: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Cause> + Send + 'static,
{
    Box::pin(async_stream::try_stream! {
        let mut bytes = Box::pin(bytes);
        let mut frame = FrameLength::default();
        loop {
            let silence = |_| CmaError::Timeout { waited_for: WaitedFor::Stream, limit: idle, maybe_applied: false };
            let Some(chunk) = tokio::time::timeout(idle, bytes.next()).await.map_err(silence)? else { return };
            let chunk = chunk.map_err(|error| CmaError::Cut { maybe_applied: false, source: error.into() })?;
            frame.pass(&chunk);
            if frame.length > FRAME_LIMIT {
                Err(unreadable("a frame is larger than 32 MiB".into()))?;
            }
            yield chunk;
        }
    })
}

/// How long the frame is that is being read; a blank line ends it.
#[derive(Debug, Default)]
struct FrameLength {
    length: usize,
    line: usize,
    after_cr: bool,
}

impl FrameLength {
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.length += 1;
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => {
                    if self.line == 0 {
                        self.length = 0;
                    }
                    self.line = 0;
                }
                _ => self.line += 1,
            }
            self.after_cr = *byte == b'\r';
        }
    }
}

/// What the parser reports, as what it is: our own error passed through it, or a line that is no SSE.
fn failure(error: sse_stream::Error) -> CmaError {
    match error {
        sse_stream::Error::Body(cause) => match cause.downcast::<CmaError>() {
            Ok(error) => *error,
            Err(source) => CmaError::Cut { maybe_applied: false, source },
        },
        other => unreadable(Box::new(other)),
    }
}

fn unreadable(source: Cause) -> CmaError {
    CmaError::Decode { what: "a frame of the event stream", maybe_applied: false, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    const IDLE: Duration = Duration::from_secs(30);

    /// The types of the events in `chunks`, and how the stream ended.
    async fn check(chunks: Vec<Result<Bytes, &'static str>>) -> (Vec<String>, Option<CmaError>) {
        let mut events = events(stream::iter(chunks), IDLE, Secret::new("sk-ant-1"));
        let mut kinds = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => kinds.push(event.kind().to_owned()),
                Err(error) => {
                    assert!(events.next().await.is_none(), "the stream goes on after {error}");
                    return (kinds, Some(error));
                }
            }
        }
        (kinds, None)
    }

    fn one(text: &'static str) -> Vec<Result<Bytes, &'static str>> {
        vec![Ok(Bytes::from_static(text.as_bytes()))]
    }

    #[tokio::test]
    async fn the_type_is_read_from_the_json_and_heartbeats_are_skipped() {
        let (kinds, end) = check(one(concat!(
            ": keep-alive\n\n",
            "event: session.status_running\ndata: {\"type\":\"session.status_running\"}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: ping\n\n",
            "data: {\"type\":\"ping\"}\n\n",
            "data: {\"type\":\"a\"}\r\n\r\n",
            "event: wrong\nid: 7\nretry: 10\ndata: {\"type\":\ndata: \"b\"}\n\n",
            "data: {\"type\":\"half\"}\n",
        )))
        .await;
        assert_eq!(kinds, ["session.status_running", "a", "b"]);
        assert!(end.is_none(), "{end:?}");
    }

    #[tokio::test]
    async fn a_frame_may_be_split_anywhere() {
        let text = "event: x\r\ndata: {\"type\":\"grüße\"}\r\n\r\ndata: {\"type\":\"b\"}\n\n".as_bytes();
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            let (kinds, end) = check(vec![Ok(Bytes::from_static(head)), Ok(Bytes::from_static(tail))]).await;
            assert_eq!(
                (kinds, end.is_none()),
                (vec!["grüße".to_owned(), "b".to_owned()], true),
                "split at {at}"
            );
        }
    }

    #[tokio::test]
    async fn an_error_frame_is_the_error_it_holds() {
        for frame in [
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n",
            "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\ndata: {\"type\":\"after\"}\n\n",
        ] {
            let (kinds, end) = check(one(frame)).await;
            assert_eq!((kinds.len(), end.and_then(|end| end.status())), (0, Some(529)));
        }
        let (_, end) = check(one("event: error\ndata: no json, key sk-ant-1\n\n")).await;
        let shown = end.unwrap().to_string();
        assert!(shown.contains("500") && !shown.contains("sk-ant-1"), "{shown}");
    }

    #[tokio::test]
    async fn a_cut_is_an_error_after_the_events_before_it() {
        let (kinds, end) = check(vec![
            Ok(Bytes::from_static(b"data: {\"type\":\"a\"}\n\ndata: {")),
            Err("connection reset"),
        ])
        .await;
        assert_eq!(kinds, ["a"]);
        assert!(matches!(end, Some(CmaError::Cut { maybe_applied: false, .. })), "{end:?}");
    }

    #[tokio::test]
    async fn what_is_no_frame_or_no_json_is_a_decode_error() {
        for text in ["<html>502</html>\n", "data: {\"type\":\n\n", "data: [1]\n\n"] {
            let (_, end) = check(one(text)).await;
            assert!(matches!(end, Some(CmaError::Decode { .. })), "{text} {end:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_without_end_is_refused_and_a_long_stream_is_not() {
        let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
        let (_, end) = check((0..40).map(|_| Ok(chunk.clone())).collect()).await;
        assert!(matches!(end, Some(CmaError::Decode { .. })), "{end:?}");
        let comment = Bytes::from([b":".as_slice(), &[b'x'; 1024 * 1024], b"\r\n\r\n"].concat());
        let (_, end) = check((0..40).map(|_| Ok(comment.clone())).collect()).await;
        assert!(end.is_none(), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_timeout_and_a_heartbeat_is_no_silence() {
        let beats = stream::iter(0..5).then(|beat| async move {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            Ok::<_, CmaError>(Bytes::from(if beat == 4 {
                "data: {\"type\":\"a\"}\n\n"
            } else {
                ": beat\n\n"
            }))
        });
        let began = tokio::time::Instant::now();
        let mut events = events(beats.chain(stream::pending()), IDLE, Secret::new("k"));
        assert_eq!(events.next().await.unwrap().unwrap().kind(), "a");
        let end = events.next().await.unwrap();
        assert!(
            matches!(end, Err(CmaError::Timeout { waited_for: WaitedFor::Stream, limit: IDLE, .. })),
            "{end:?}"
        );
        assert_eq!(began.elapsed(), 5 * (IDLE - Duration::from_secs(1)) + IDLE);
    }
}
