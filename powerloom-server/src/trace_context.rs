//! The trace a request is part of, as its caller says (W3C Trace Context), where traces are kept at all.

use axum::http::HeaderMap;
use tracing::Span;

/// Makes the caller's span the parent of this one. What the caller says decides nothing else.
#[cfg(feature = "otel")]
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
    use opentelemetry::trace::TraceContextExt as _;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    struct Carried<'a>(&'a HeaderMap);

    impl Extractor for Carried<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key).and_then(|value| value.to_str().ok())
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }

    if !headers.contains_key("traceparent") {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Carried(headers));
    if context.span().span_context().is_valid()
        && let Err(error) = span.set_parent(context)
    {
        tracing::debug!(%error, "the caller's trace cannot be taken over");
    }
}

/// Traces are not kept.
#[cfg(not(feature = "otel"))]
pub(crate) const fn adopt(_: &Span, _: &HeaderMap) {}
