//! The events of a session, live, and resumed without a gap when the connection is cut.

use crate::api::{Api, Broken, segment};
use crate::failure::Refusal;
use anyhow::Context;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sse_stream::SseStream;
use std::time::Duration;

/// How often a stream that brings nothing is opened again before we give up.
const MOST_CUTS: u32 = 8;

/// How long a stream may be silent before it counts as cut: a server says something every 15 seconds, if only that it is there.
const SILENCE: Duration = Duration::from_secs(45);

/// What the stream of a session ends with.
pub(crate) const ENDED: &str = "powerloom.session_ended";

/// What a reader gets who has all of a settled session. It bears the number of the last event, and is no part of the log.
pub(crate) const ALREADY_ENDED: &str = "powerloom.session_already_ended";

/// One thing that happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Its place, from 1; absent in what is no part of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<String>,
    /// What happened: `agent.message`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it says.
    #[serde(default)]
    pub(crate) payload: Value,
}

impl Frame {
    /// Whether nothing comes after it.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self.kind.as_str(), ENDED | ALREADY_ENDED)
    }

    /// Its place as a number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.seq.as_ref().and_then(|seq| seq.parse().ok())
    }
}

/// The body of an answer, in pieces.
type Body = BoxStream<'static, Result<Bytes, Broken>>;

/// A session followed from a place on.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    api: &'a Api,
    session: String,
    /// The last place that was shown.
    pub(crate) after: u64,
    resumes: bool,
}

impl Api {
    /// Follows a session from behind `after`.
    pub(crate) fn follow(&self, session: &str, after: u64) -> Follow<'_> {
        Follow { api: self, session: session.to_owned(), after, resumes: false }
    }
}

impl Follow<'_> {
    /// Hands each frame to `show`, in order and once, until the session has ended; `cut` hears of every interruption.
    ///
    /// A cut connection is opened again behind the last frame that arrived.
    ///
    /// # Errors
    /// What the server refuses; a stream that cannot be had again; those of `show`.
    ///
    /// # Cancel safety
    /// Dropped, the session goes on; [`after`](Self::after) says where to go on reading.
    pub(crate) async fn each(
        &mut self,
        mut show: impl FnMut(&Frame) -> anyhow::Result<()>,
        mut cut: impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let mut cuts = 0;
        loop {
            let before = self.after;
            match self.once(&mut show).await {
                Ok(true) => return Ok(()),
                Ok(false) => cut("the stream was cut; going on where it stopped"),
                Err(error) if is_passing(&error) && cuts < MOST_CUTS => {
                    cut("the stream broke off; trying again")
                }
                Err(error) => return Err(error),
            }
            if self.after > before {
                cuts = 0;
            }
            cuts += 1;
            anyhow::ensure!(
                cuts <= MOST_CUTS,
                "the stream of the session ends again and again; it goes on without us"
            );
            tokio::time::sleep(Duration::from_millis(100 << cuts.min(6))).await;
        }
    }

    /// Reads one connection to its end; whether the session has ended.
    async fn once(&mut self, show: &mut impl FnMut(&Frame) -> anyhow::Result<()>) -> anyhow::Result<bool> {
        let call = self.api.get(format!("/sessions/{}/events", segment(&self.session)));
        let call = call.header("accept", "text/event-stream");
        let call = match self.resumes {
            true => call.header("last-event-id", &self.after.to_string()),
            false => call.query("after", self.after),
        };
        let incoming = call.stream().await?;
        if incoming.status == 204 {
            // We have all of it.
            return Ok(true);
        }
        self.resumes = true;
        let mut events = SseStream::from_bytes_stream(awake(incoming.body));
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| anyhow::Error::new(Cut(error.to_string())))?;
            let Some(data) = event.data else { continue };
            let frame: Frame = serde_json::from_str(&data)
                .context("the stream holds something this program does not know")?;
            match frame.number().filter(|_| frame.kind != ALREADY_ENDED) {
                // Seen before the cut.
                Some(number) if number <= self.after => continue,
                Some(number) if number != self.after + 1 => {
                    anyhow::bail!("the stream has a gap: event {number} follows {}", self.after)
                }
                Some(number) => {
                    show(&frame)?;
                    self.after = number;
                }
                None => show(&frame)?,
            }
            if frame.is_last() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The same stream, broken off where it is silent for too long.
fn awake(body: Body) -> Body {
    let next = |body: Option<Body>| async {
        let mut body = body?;
        match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(piece) => Some((piece?, Some(body))),
            Err(_) => {
                let message = format!("the stream was silent for {} s", SILENCE.as_secs());
                Some((Err(Broken { message, never_sent: false, source: None }), None))
            }
        }
    };
    futures::stream::unfold(Some(body), next).boxed()
}

/// A stream that broke off.
#[derive(Debug, thiserror::Error)]
#[error("the stream broke off: {0}")]
struct Cut(String);

/// Whether the same may go better the next time.
fn is_passing(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => matches!(refusal.status, 429 | 502 | 503 | 504),
        None => error.is::<Cut>() || error.is::<crate::api::Broken>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Incoming, Transport};
    use axum::http::{HeaderMap, Request};
    use futures::stream;
    use std::sync::Mutex;

    /// Says one event, then nothing at all; opened again, it ends the session. Keeps where it was asked to go on.
    #[derive(Debug, Default)]
    struct Dozing(Mutex<Vec<Option<String>>>);

    #[async_trait::async_trait]
    impl Transport for Dozing {
        async fn send(&self, request: Request<Bytes>) -> Result<Incoming, Broken> {
            let from = request.headers().get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
            let mut asked = self.0.lock().unwrap();
            asked.push(from);
            let event = |seq: usize, kind: &str| {
                Ok(Bytes::from(format!(
                    "data: {{\"seq\":\"{seq}\",\"type\":\"{kind}\",\"payload\":{{}}}}\n\n"
                )))
            };
            let body = match asked.as_slice() {
                [None] => stream::iter([event(1, "user.message")]).chain(stream::pending()).boxed(),
                [None, Some(one)] if one == "1" => stream::iter([event(2, ENDED)]).boxed(),
                other => panic!("{other:?}"),
            };
            Ok(Incoming { status: 200, headers: HeaderMap::new(), body })
        }

        fn host(&self) -> &str {
            "loom.acme.com"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_counts_as_cut_and_goes_on_where_it_stopped() {
        let api = Api::over(Box::new(Dozing::default()));
        let (mut seen, mut cuts) = (Vec::new(), 0);
        let begun = tokio::time::Instant::now();
        let shown = |frame: &Frame| {
            seen.push(frame.number());
            Ok(())
        };
        api.follow("s", 0).each(shown, |_| cuts += 1).await.unwrap();
        assert_eq!((seen, cuts), (vec![Some(1), Some(2)], 1));
        assert!((45..60).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}
