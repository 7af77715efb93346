//! Talking HTTP/1.1 or HTTP/2 on one connection.

use crate::server::bounds::ServerBounds;
use crate::server::line::{Line, Spoken};
use crate::server::stall::{Stall, Watched};
#[cfg(feature = "tls")]
use crate::server::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);

/// How connections are talked on. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    app: Router,
    bounds: ServerBounds,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// What a connection is told of the end of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    /// No more requests than those under way.
    pub(crate) closing: CancellationToken,
    /// Not even those.
    pub(crate) cut: CancellationToken,
    /// What is still open.
    pub(crate) open: TaskTracker,
}

/// Work of a connection of HTTP/2 runs beside it, and ends when connections are cut: one piece for each stream, as long as
/// its answer or its WebSocket lasts.
#[derive(Debug, Clone)]
struct Beside {
    end: End,
    streams: Arc<Streams>,
    write: Duration,
}

/// The streams of one connection of HTTP/2.
#[derive(Debug, Default)]
struct Streams {
    open: AtomicUsize,
    /// How many there have been.
    begun: AtomicU64,
    /// The last one has ended.
    none: Notify,
}

/// One of them.
struct OpenStream(Arc<Streams>);

impl OpenStream {
    fn of(streams: &Arc<Streams>) -> Self {
        streams.open.fetch_add(1, Ordering::SeqCst);
        streams.begun.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(streams))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_one();
        }
    }
}

impl Streams {
    fn is_none(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    /// Returns once there has been none for so long. Before the first one it is the bytes that are waited for.
    async fn idle(&self, bound: Duration) {
        loop {
            self.none.notified().await;
            let begun = self.begun.load(Ordering::SeqCst);
            tokio::time::sleep(bound).await;
            // One that has begun meanwhile says so itself once it has ended.
            if self.is_none() && self.begun.load(Ordering::SeqCst) == begun {
                return;
            }
        }
    }
}

impl<F> Executor<F> for Beside
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, work: F) {
        let (cut, stream) = (self.end.cut.clone(), OpenStream::of(&self.streams));
        let work = Stall::watch(work, self.write, self.end.closing.clone());
        let work = async move {
            let _stream = stream;
            cut.run_until_cancelled_owned(work).await
        };
        tokio::spawn(self.end.open.track_future(work));
    }
}

/// Whoever was asked to go has until then.
async fn until(leave: Option<Instant>) {
    match leave {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Talk {
    pub(crate) const fn new(app: Router, bounds: &ServerBounds) -> Self {
        Self {
            app,
            bounds: *bounds,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn over(mut self, tls: Option<&Tls>) -> Self {
        self.tls = tls.cloned();
        self
    }

    /// Serves one connection to its end, or until it is taken away by an upgrade.
    pub(crate) async fn serve(self, line: Line, end: End) {
        let spoken = line.spoken();
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let handshake = tokio::time::timeout(self.bounds.handshake, tls.acceptor().accept(line));
            return match end.closing.run_until_cancelled(handshake).await {
                Some(Ok(Ok(stream))) => self.talk(stream, spoken, end).await,
                Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
                Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
                None => {}
            };
        }
        self.talk(line, spoken, end).await;
    }

    async fn talk(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        spoken: Spoken,
        end: End,
    ) {
        let (app, bounds) = (self.app, self.bounds);
        let answer = service_fn(move |request: Request<Incoming>| {
            spoken.set();
            let answer = app.clone().oneshot(request.map(Body::new));
            async { answer.await.map(|answer| answer.map(Watched::new)) }
        });
        let streams = Arc::<Streams>::default();
        let mut http = auto::Builder::new(Beside {
            end: end.clone(),
            streams: Arc::clone(&streams),
            write: bounds.write,
        });
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_read)
            .max_headers(bounds.headers)
            // Below this the library would refuse to be set up.
            .max_buf_size(bounds.head_bytes.max(8 << 10));
        http.http2()
            .timer(TokioTimer::new())
            // A browser that has such a connection opens its WebSockets over it (RFC 8441).
            .enable_connect_protocol()
            .max_concurrent_streams(bounds.requests_per_connection)
            .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), answer));
        let mut idle = pin!(streams.idle(bounds.idle));
        let (mut closing, mut leave) = (false, None);
        loop {
            tokio::select! {
                done = connection.as_mut() => {
                    if let Err(error) = done {
                        tracing::debug!(%error, "a connection ended badly");
                    }
                    return;
                }
                () = end.closing.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                // It answers pings, and asks for nothing.
                () = &mut idle, if !closing => {
                    closing = true;
                    leave = Some(Instant::now() + PING);
                    connection.as_mut().graceful_shutdown();
                }
                () = until(leave), if leave.is_some() => {
                    if streams.is_none() {
                        return;
                    }
                    leave = None;
                }
                () = end.cut.cancelled() => return,
            }
        }
    }
}
