//! Answering tool calls that wait (`requires_action`).

use crate::clock::Timestamp;
use crate::error::Result;
use crate::plane::Plane;
use crate::runtime::{RuntimeErrorClass, ToolAnswer};
use crate::session::event::EventSeq;
use crate::session::pump::work::{Pump, Step};
use crate::session::record::SessionRecord;
use crate::session::tool_answers::{ToolAnswers, ToolAsk};
use crate::store::MAX_PAGE;
use serde_json::Value;
use std::sync::Arc;

/// An answer that is being waited for.
pub(crate) type Asking = futures::future::BoxFuture<'static, Result<(String, ToolAnswer)>>;

impl Pump {
    /// The call to answer next, if one waits.
    pub(crate) fn next_call(&self) -> Option<(String, Timestamp)> {
        let waiting = self.book.progress.waiting.as_ref()?;
        let open = waiting.event_ids.iter().find(|id| !self.answered.contains(*id))?;
        Some((open.clone(), waiting.since))
    }

    /// Asks whoever decides. Nobody's answer in time is a refusal (sem. 3.4).
    pub(crate) fn ask(&self, event_id: String, since: Timestamp) -> Asking {
        let (plane, record) = (self.plane.clone(), self.book.record.clone());
        let answers: Arc<dyn ToolAnswers> = self.options.answers.clone();
        let left = (since + plane.limits.decision_timeout).since(plane.now());
        Box::pin(async move {
            let ask = tool_ask(&plane, &record, event_id).await?;
            let answer = tokio::time::timeout(left, answers.answer(&ask)).await;
            let answer = answer.unwrap_or_else(|_| {
                let allowed = plane.limits.decision_timeout.as_secs();
                ToolAnswer::Deny(format!("nobody decided on the call of `{}` within {allowed} s", ask.tool))
            });
            Ok((ask.event_id, answer))
        })
    }

    /// Tells the runtime. An answer it does not take any more was given before, by us or by somebody else.
    pub(crate) async fn tell(&mut self, event_id: String, answer: &ToolAnswer) -> Step<()> {
        let remote_id = self.remote_id()?;
        if let Err(error) = self.runtime.answer_tool(&remote_id, &event_id, answer).await {
            match error.class {
                RuntimeErrorClass::Permanent | RuntimeErrorClass::Conflict | RuntimeErrorClass::Gone => {
                    tracing::warn!(session = %self.book.record.id, %error, "the answer to a tool call was not taken");
                }
                _ => return Err(error.into()),
            }
        }
        self.answered.insert(event_id);
        // Back to `running`, once each call has its answer.
        self.save(|_| Ok(()), &[], |_, _| None).await
    }
}

/// What is known of the call: its event is in the log.
async fn tool_ask(plane: &Plane, record: &SessionRecord, event_id: String) -> Result<ToolAsk> {
    let mut after = EventSeq::START;
    let mut payload = Value::Null;
    loop {
        let page = plane.store.events(record.org, record.id, after, MAX_PAGE).await?;
        let found = page.iter().find(|event| event.event.event_id.as_deref() == Some(&event_id));
        if let Some(event) = found {
            payload = event.event.payload.clone();
            break;
        }
        let Some(last) = page.last() else { break };
        after = last.seq;
    }
    let text = |field| payload.get(field).and_then(Value::as_str).map(str::to_owned);
    Ok(ToolAsk {
        org: record.org,
        session: record.id,
        agent: record.agent_id,
        on_behalf_of: record.on_behalf_of.clone(),
        event_id,
        tool: text("name").unwrap_or_default(),
        mcp_server: text("mcp_server_name"),
        input: payload.get("input").cloned().unwrap_or(Value::Null),
    })
}
