//! Talking HTTP/1.1 or HTTP/2 on one connection.

use crate::server::bounds::ServerBounds;
use crate::server::line::{Line, Spoken};
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
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
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

/// Work of a connection of HTTP/2 runs beside it, and ends when connections are cut.
#[derive(Debug, Clone)]
struct Beside(End);

impl<F> Executor<F> for Beside
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, work: F) {
        let cut = self.0.cut.clone();
        tokio::spawn(self.0.open.track_future(async move { cut.run_until_cancelled_owned(work).await }));
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
            app.clone().oneshot(request.map(Body::new))
        });
        let mut http = auto::Builder::new(Beside(end.clone()));
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_read)
            .max_headers(bounds.headers)
            // Below this the library would refuse to be set up.
            .max_buf_size(bounds.head_bytes.max(8 << 10));
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(bounds.requests_per_connection)
            .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), answer));
        let mut closing = false;
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
                () = end.cut.cancelled() => return,
            }
        }
    }
}
