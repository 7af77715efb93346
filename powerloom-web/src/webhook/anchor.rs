//! Keeps checkpoints of the audit chain with somebody who receives webhooks.

use crate::client::Client;
use crate::endpoint::{Cleartext, Endpoint};
use crate::fetch_error::FetchError;
use crate::webhook::error::WebhookError;
use crate::webhook::sender::Webhook;
use async_trait::async_trait;
use powerloom_core::anchor::{Anchor, AnchorAccess, AnchorError};
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::note::{MAX_NOTE, SignedNote};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::error_kind::ErrorKind;
use reqwest::header::ACCEPT;
use serde::Serialize;
use std::time::Duration;

/// How long reading a note back may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Posts each note as `{"type": "audit.checkpoint", "timestamp": …, "data": {"origin", "size", "note"}}`, under an id
/// made of the note: the same note has the same id.
///
/// # What the receiver owes
/// It answers with success once it keeps the note for good, and with 409 for one that covers fewer entries than the one
/// it has of that origin: the guarantees of an [`Anchor`] are kept there. If it can be read back, a `GET` with
/// `?origin=…` answers the kept note as it was sent, or 404. Notes are no secret and prove themselves, so that is not signed.
#[derive(Debug, Clone)]
pub struct WebhookAnchor {
    name: String,
    webhook: Webhook,
    read: Option<(Endpoint, Client)>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    origin: &'a str,
    /// As text: it may grow beyond what every reader of JSON keeps exactly.
    size: String,
    note: &'a str,
}

impl WebhookAnchor {
    /// To this webhook; notes cannot be read back.
    #[must_use]
    pub fn new(webhook: Webhook) -> Self {
        let at = webhook.endpoint().url().origin().ascii_serialization();
        Self { name: format!("webhook:{at}"), webhook, read: None }
    }

    /// The same, with notes read back from `url`.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] for a URL that is neither `https` nor of the loopback; [`WebhookError::Setup`] if TLS
    /// cannot be set up.
    pub fn read_from(mut self, url: &str) -> Result<Self, WebhookError> {
        let endpoint = Endpoint::parse("read_url", url, Cleartext::Loopback)?;
        let client = Client::to(&endpoint).map_err(|source| WebhookError::Setup { source })?;
        self.read = Some((endpoint, client));
        Ok(self)
    }

    async fn refused(&self, origin: &Origin, offered: u64, error: WebhookError) -> AnchorError {
        if let WebhookError::Undelivered { source: FetchError::Status { status: 409, .. }, .. } = &error {
            // How many entries the kept one covers only reading it back can tell.
            return match self.latest(origin).await {
                Ok(Some(kept)) => match kept.text().parse::<Checkpoint>() {
                    Ok(kept) => AnchorError::Behind { kept: kept.size(), offered },
                    Err(_) => AnchorError::Corrupt { message: "its note is no checkpoint".to_owned() },
                },
                _ => AnchorError::Refused { message: "it says that it has a later checkpoint".to_owned() },
            };
        }
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::RateLimited => {
                AnchorError::Unavailable { message: error.to_string(), source: Some(Box::new(error)) }
            }
            _ => AnchorError::Refused { message: why(&error) },
        }
    }
}

fn why(error: &WebhookError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// The checkpoint in a note, which is one of this log.
fn checkpoint_of(origin: &Origin, note: &SignedNote) -> Option<Checkpoint> {
    note.text().parse::<Checkpoint>().ok().filter(|checkpoint| checkpoint.origin == *origin)
}

#[async_trait]
impl Anchor for WebhookAnchor {
    fn name(&self) -> &str {
        &self.name
    }

    fn access(&self) -> AnchorAccess {
        if self.read.is_some() { AnchorAccess::ReadWrite } else { AnchorAccess::WriteOnly }
    }

    async fn publish(&self, origin: &Origin, note: &SignedNote) -> Result<(), AnchorError> {
        let checkpoint = checkpoint_of(origin, note)
            .ok_or_else(|| AnchorError::Refused { message: "it is no checkpoint of this log".to_owned() })?;
        let text = note.to_string();
        let id = format!("checkpoint-{}", Digest::of(text.as_bytes()));
        let data = Data { origin: origin.as_str(), size: checkpoint.size().to_string(), note: &text };
        let message = Message { kind: "audit.checkpoint", timestamp: checkpoint.at, data };
        match self.webhook.send(&id, &message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(origin, checkpoint.size(), error).await),
        }
    }

    async fn latest(&self, origin: &Origin) -> Result<Option<SignedNote>, AnchorError> {
        let Some((endpoint, client)) = &self.read else { return Err(AnchorError::WriteOnly) };
        let mut url = endpoint.url().clone();
        url.query_pairs_mut().append_pair("origin", origin.as_str());
        let request = client.http().get(url).header(ACCEPT, "text/plain");
        let body = match client.send(request, READ_TIMEOUT, MAX_NOTE, self.webhook.now()).await {
            Ok(body) => body,
            Err(FetchError::Status { status: 404, .. }) => return Ok(None),
            Err(FetchError::TooLong { .. }) => {
                return Err(AnchorError::Corrupt { message: "its note is longer than a note".to_owned() });
            }
            Err(error) => {
                return Err(AnchorError::Unavailable {
                    message: error.to_string(),
                    source: Some(Box::new(error)),
                });
            }
        };
        let corrupt = |message: &str| AnchorError::Corrupt { message: message.to_owned() };
        let text = std::str::from_utf8(&body).map_err(|_| corrupt("its note is no text"))?;
        let note: SignedNote = text.parse().map_err(|_| corrupt("it is no signed note"))?;
        match checkpoint_of(origin, &note) {
            Some(_) => Ok(Some(note)),
            None => Err(corrupt("its note is no checkpoint of this log")),
        }
    }
}
