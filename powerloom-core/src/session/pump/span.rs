//! The span of a pump at work, in the words of OpenTelemetry's semantic conventions for generative AI (`invoke_agent`).
//!
//! One span for as long as one pump has the session: if another takes over there are two, of one conversation. Neither what
//! was asked nor what was answered is in it.

use crate::id::{OrgId, ResourceId};
use crate::plane::Plane;
use crate::record::{Record, ResourceKey};
use crate::resource::agent::Agent;
use crate::session::record::SessionRecord;
use crate::session::status::SessionStatus;
use tracing::Span;
use tracing::field::{Empty, display};

/// The span of one pump.
pub(crate) fn invoke_agent(record: &SessionRecord, provider: &'static str) -> Span {
    let agent = &record.snapshot.agent_name;
    tracing::info_span!(
        "invoke_agent",
        otel.name = %format_args!("invoke_agent {agent}"),
        otel.kind = "client",
        otel.status_code = Empty,
        error.r#type = Empty,
        gen_ai.operation.name = "invoke_agent",
        gen_ai.provider.name = provider,
        gen_ai.agent.id = %record.agent_id,
        gen_ai.agent.name = %agent,
        gen_ai.conversation.id = %record.id,
        gen_ai.request.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.cache_creation.input_tokens = Empty,
        powerloom.organization.id = %record.org,
        powerloom.session.status = Empty,
    )
}

/// Says which model the agent is declared with. Nothing is asked where nobody listens, and a store that does not answer is no
/// reason not to go on.
pub(crate) async fn name_model(span: &Span, plane: &Plane, org: OrgId, agent: ResourceId) {
    if span.is_disabled() {
        return;
    }
    let row = plane.store.record(org, &ResourceKey::of::<Agent>(agent)).await;
    if let Ok(Some(row)) = row
        && let Ok(agent) = Record::<Agent>::read(&row)
    {
        span.record("gen_ai.request.model", display(&agent.spec.model));
    }
}

/// Says how the session ended, on the span it is pumped in.
pub(crate) fn settled(record: &SessionRecord) {
    let span = Span::current();
    let status = record.status;
    span.record("powerloom.session.status", status.word());
    if matches!(status, SessionStatus::Failed | SessionStatus::Timeout) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.word());
    }
    let Some(usage) = &record.usage else { return };
    span.record("gen_ai.usage.input_tokens", usage.input_tokens);
    span.record("gen_ai.usage.output_tokens", usage.output_tokens);
    span.record("gen_ai.usage.cache_read.input_tokens", usage.cache_read_input_tokens);
    span.record("gen_ai.usage.cache_creation.input_tokens", usage.cache_creation_input_tokens);
}
