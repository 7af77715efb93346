//! A stream of HTTP/2 whose client takes nothing: its window is shut while the connection itself is as alive as can be.
//!
//! The HTTP library asks a body for more only when there is room for it, so a body cannot see for itself that nobody takes what
//! it gave. It notes when it gave it, and the task that sends it is given up when it is not asked again for too long.

use crate::server::line::PARTING;
use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    /// Of the task that serves this stream.
    static STALL: Arc<Stall>;
}

/// Since when what a body gave is not asked to be followed by more.
#[derive(Debug, Default)]
pub(crate) struct Stall(Mutex<Option<Instant>>);

impl Stall {
    /// Does the work of a stream, and gives it up once what its body gave has not been taken for `bound`; once the server is
    /// about to end, for [`PARTING`] at most.
    pub(crate) async fn watch<F: Future>(
        work: F,
        bound: Duration,
        closing: CancellationToken,
    ) -> Option<F::Output> {
        let stall = Arc::<Self>::default();
        tokio::select! {
            biased;
            done = STALL.scope(Arc::clone(&stall), work) => Some(done),
            () = stall.lasts(bound, closing) => {
                tracing::debug!("a stream was given up: its client takes nothing");
                None
            }
        }
    }

    async fn lasts(&self, mut bound: Duration, closing: CancellationToken) {
        let mut closes = false;
        loop {
            let since = self.since().unwrap_or_else(Instant::now);
            tokio::select! {
                () = tokio::time::sleep_until(since + bound) => {}
                () = closing.cancelled(), if !closes => {
                    closes = true;
                    bound = bound.min(PARTING);
                    continue;
                }
            }
            if self.since().is_some_and(|since| since.elapsed() >= bound) {
                return;
            }
        }
    }

    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, gave: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gave.then(Instant::now);
    }
}

/// A body that notes when it gave something.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Body,
    stall: Option<Arc<Stall>>,
}

impl Watched {
    /// Watched where this is called in the task of a stream of HTTP/2; elsewhere the connection itself is.
    pub(crate) fn new(body: Body) -> Self {
        Self { body, stall: STALL.try_with(Arc::clone).ok() }
    }
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Some(stall) = &self.stall {
            stall.note(matches!(frame, Poll::Ready(Some(Ok(_)))));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
