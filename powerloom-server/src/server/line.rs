//! One connection's bytes, for as long as somebody holds them: counted, and cut when the time is up, or when the other side
//! takes nothing.
//!
//! A WebSocket takes its bytes away from the connection that served its request. What is said of a connection is therefore
//! kept with the bytes.

use crate::server::bounds::ServerBounds;
use crate::server::connection::End;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long a write waits at most once the server is about to end.
pub(crate) const PARTING: Duration = Duration::from_secs(5);

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Runs until the first request has been read: the HTTP library waits for the first bytes without a bound.
    silence: Pin<Box<Sleep>>,
    spoken: Spoken,
    writing: Writing,
    _room: OwnedSemaphorePermit,
    _open: TaskTrackerToken,
}

/// How long a write waits for the other side to read.
#[derive(Debug)]
struct Writing {
    bound: Duration,
    /// The server is about to end: from then on it waits no longer than [`PARTING`].
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Runs while a write waits. Kept for the next one.
    patience: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Writing {
    fn new(bound: Duration, closing: CancellationToken) -> Self {
        Self { bound, closing: Some(Box::pin(closing.cancelled_owned())), patience: None, waits: false }
    }

    /// What a write has come to: an error if it has waited too long.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        let closes = self.closing.as_mut().is_some_and(|closing| closing.as_mut().poll(context).is_ready());
        if closes {
            self.closing = None;
            self.bound = self.bound.min(PARTING);
        }
        let bound = self.bound;
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
        if !self.waits || closes {
            self.waits = true;
            patience.as_mut().reset(Instant::now() + bound);
        }
        match patience.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
            }
            Poll::Pending => written,
        }
    }
}

/// Whether a connection has sent a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spoken(Arc<AtomicBool>);

impl Spoken {
    /// It has.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Line {
    pub(crate) fn new(
        stream: TcpStream,
        bounds: &ServerBounds,
        end: &End,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            stream,
            cut: Box::pin(end.cut.clone().cancelled_owned()),
            silence: Box::pin(tokio::time::sleep(bounds.head_read)),
            spoken: Spoken::default(),
            writing: Writing::new(bounds.write, end.closing.clone()),
            _room: room,
            _open: end.open.token(),
        }
    }

    pub(crate) fn spoken(&self) -> Spoken {
        self.spoken.clone()
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped")
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(cut()));
        }
        if !self.spoken.is_set() && self.silence.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request came")));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(cut()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(cut()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.writing.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// A write that is never taken, until it is given up.
    async fn never_taken(writing: &mut Writing) -> io::ErrorKind {
        poll_fn(|context| writing.judge(Poll::<io::Result<()>>::Pending, context)).await.unwrap_err().kind()
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_nobody_takes_is_given_up_after_its_bound() {
        let mut writing = Writing::new(Duration::from_secs(60), CancellationToken::new());
        let began = Instant::now();
        for seconds in [60, 120] {
            assert_eq!(never_taken(&mut writing).await, io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed().as_secs(), seconds);
            // A byte that is taken begins the time anew.
            let taken = poll_fn(|context| writing.judge(Poll::Ready(Ok(1)), context)).await;
            assert_eq!(taken.unwrap(), 1);
        }
    }

    /// Otherwise a client that has stalled would hold the end of the server up as long as it may take.
    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_when_the_server_ends_is_given_up_soon() {
        let closing = CancellationToken::new();
        let mut writing = Writing::new(Duration::from_secs(60), closing.clone());
        let began = Instant::now();
        let waits = tokio::time::timeout(Duration::from_secs(20), never_taken(&mut writing)).await;
        assert!(waits.is_err());
        closing.cancel();
        assert_eq!(never_taken(&mut writing).await, io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(20) + PARTING);
    }
}
