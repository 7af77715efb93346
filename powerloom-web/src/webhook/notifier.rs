//! Tells approvals to a webhook.

use crate::webhook::error::WebhookError;
use crate::webhook::sender::Webhook;
use async_trait::async_trait;
use powerloom_core::approval::notifier::{ApprovalNotice, ApprovalNotifier, NotifyError};
use powerloom_core::clock::Timestamp;
use powerloom_core::error_kind::ErrorKind;
use serde::Serialize;

/// Posts each notice as `{"type": "approval.<event>", "timestamp": …, "data": {…}}`, under the notice's own id.
#[derive(Debug, Clone)]
pub struct WebhookNotifier(Webhook);

/// The envelope Standard Webhooks recommends.
#[derive(Debug, Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
    data: &'a ApprovalNotice,
}

impl WebhookNotifier {
    /// To this webhook.
    #[must_use]
    pub fn new(webhook: Webhook) -> Self {
        Self(webhook)
    }
}

#[async_trait]
impl ApprovalNotifier for WebhookNotifier {
    async fn notify(&self, notice: &ApprovalNotice) -> Result<(), NotifyError> {
        let kind = format!("approval.{}", notice.event);
        let message = Message { kind, timestamp: notice.at, data: notice };
        self.0.send(&notice.id, &message).await.map(drop).map_err(|error| untold(notice.id.clone(), error))
    }
}

fn untold(id: String, error: WebhookError) -> NotifyError {
    let source = Box::new(error);
    match source.kind() {
        ErrorKind::Unavailable | ErrorKind::RateLimited => NotifyError::Unreachable { id, source },
        _ => NotifyError::Refused { id, source },
    }
}
