//! Figures for Prometheus, of this process. No label says whose a request was.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

/// What a request is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    /// The method: one of few words.
    pub(crate) method: &'static str,
    /// The route, with its parameters unfilled: `/agents/{id}`.
    pub(crate) route: String,
    /// The status.
    pub(crate) status: u16,
}

/// What a duration is kept by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Route {
    /// The method: one of few words.
    pub(crate) method: &'static str,
    /// The route.
    pub(crate) route: String,
}

/// One more of something, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Raised(Gauge);

impl Raised {
    pub(crate) fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The figures of one router.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram>,
    /// Requests being answered now.
    pub(crate) in_flight: Gauge,
    /// Open streams: WebSockets and server-sent events.
    pub(crate) streams: Gauge,
    /// Frames sent to readers of sessions.
    pub(crate) frames: Counter,
    /// Readers closed because they were too slow.
    pub(crate) slow_readers: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("powerloom");
        let requests = Family::<Request, Counter>::default();
        let durations = Family::<Route, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_25, 2.0, 18))
        });
        let (in_flight, streams) = (Gauge::default(), Gauge::default());
        let (frames, slow_readers) = (Counter::default(), Counter::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        let name = "http_request_duration";
        registry.register_with_unit(name, "How long answers took", Unit::Seconds, durations.clone());
        registry.register("http_requests_in_flight", "Requests being answered", in_flight.clone());
        registry.register("session_streams_open", "Open streams of sessions", streams.clone());
        registry.register("session_frames_sent", "Frames sent to readers of sessions", frames.clone());
        registry.register("session_slow_readers", "Readers closed for being slow", slow_readers.clone());
        Self { registry, requests, durations, in_flight, streams, frames, slow_readers }
    }
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn answered(&self, request: Request, took: Duration) {
        let route = Route { method: request.method, route: request.route.clone() };
        self.durations.get_or_create(&route).observe(took.as_secs_f64());
        self.requests.get_or_create(&request).inc();
    }

    /// All figures, in the text format of OpenMetrics 1.0.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
