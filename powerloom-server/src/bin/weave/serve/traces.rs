//! Traces, sent by OTLP over HTTP.

use crate::serve::logs::OURS;
use anyhow::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long one batch may take to be sent.
const SEND: Duration = Duration::from_secs(10);

/// Where spans go.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// To this collector: `/v1/traces` below its URL.
    pub(crate) fn to(endpoint: &str) -> anyhow::Result<Self> {
        let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        // The client blocks: spans are sent by a thread of their own, which has no runtime.
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND)
            .with_endpoint(endpoint)
            .build()
            .context("`otlp.endpoint` cannot be used")?;
        let resource = Resource::builder()
            .with_service_name("powerloom")
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self { provider })
    }

    /// What makes spans of ours into theirs. Spans of other crates are not sent: those of the client that sends would be.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let ours = Targets::new().with_targets(OURS.map(|name| (name, LevelFilter::INFO)));
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("powerloom"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours)
    }

    /// Sends what is left.
    pub(crate) async fn end(self) {
        let sent = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(SEND)).await;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::warn!(%error, "the last spans were not sent"),
        }
    }
}
