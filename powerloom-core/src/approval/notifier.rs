//! Telling people that an approval waits for them, or what became of it: the port, and what carries it out.
//!
//! Not the record of an approval, and not its proof: that is the request itself and its audit rows. A notice that is
//! lost loses nothing but time.

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error_kind::ErrorKind;
use crate::id::{OrgId, ResourceId};
use crate::record::KindName;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most notices on their way at once, per process; one more is dropped, and logged.
pub const MAX_UNDER_WAY: usize = 256;

/// What happened to an approval request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApprovalEvent {
    /// It was made and waits for votes.
    Requested,
    /// Somebody voted, and it still waits.
    Voted,
    /// It was approved: a change is made by then, a plan may be applied now.
    Approved,
    /// It was rejected.
    Rejected,
    /// The requester took it back, or somebody who may cancel requests.
    Cancelled,
    /// Nobody decided in time.
    Expired,
    /// It was approved, but the change could not be applied any more.
    Failed,
    /// The change was made without votes, by break-glass: it waits for review.
    BrokenGlass,
    /// A break-glass was reviewed.
    Reviewed,
}

impl ApprovalEvent {
    /// The word on the wire, such as `broken_glass`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Voted => "voted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::BrokenGlass => "broken_glass",
            Self::Reviewed => "reviewed",
        }
    }
}

impl fmt::Display for ApprovalEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event of an approval request, as it is told. It holds no secret: the change itself is not in it, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[expect(clippy::exhaustive_structs, reason = "plain data from the approvals to a notifier")]
pub struct ApprovalNotice {
    /// The same each time the same event of the same request is told ([`stable_id`](Self::stable_id)): a receiver
    /// drops what it has seen.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The organization.
    pub org: OrgId,
    /// The request, `req_…`.
    #[cfg_attr(feature = "schema", schema(value_type = crate::approval::ApprovalId))]
    pub request_id: String,
    /// What happened.
    pub event: ApprovalEvent,
    /// What is to be done, such as `agent.update`.
    pub verb: String,
    /// To what kind of thing.
    pub resource_kind: KindName,
    /// To which; none for one that is to be made.
    #[cfg_attr(feature = "schema", schema(required))]
    pub resource_id: Option<ResourceId>,
    /// The OU the change is judged at.
    pub ou: ResourceId,
    /// Who asked, in written form, such as `user:<id>`.
    pub requester: String,
    /// One line for people.
    pub summary: String,
    /// What a vote must quote: the hash of the parked change (sem. 2.8, Pinning).
    pub payload_hash: Digest,
    /// From this moment on it cannot be decided any more; `None` for a review, which has to be decided.
    #[cfg_attr(feature = "schema", schema(required))]
    pub expires_at: Option<Timestamp>,
    /// Who may vote, in written form.
    pub approvers: Vec<String>,
}

impl ApprovalNotice {
    /// The id of what happened to a request when it got `version`: `<request>-<event>-<version>`.
    ///
    /// ```
    /// use powerloom_core::approval::notifier::{ApprovalEvent, ApprovalNotice};
    ///
    /// let id = ApprovalNotice::stable_id("req_7", ApprovalEvent::Voted, 2);
    /// assert_eq!(id, "req_7-voted-2");
    /// ```
    #[must_use]
    pub fn stable_id(request_id: &str, event: ApprovalEvent, version: u64) -> String {
        format!("{request_id}-{event}-{version}")
    }
}

/// A notice did not reach anybody, as far as is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// Whoever should be told cannot be reached, also after the notifier's own retries.
    #[error("notice `{id}` reached nobody")]
    Unreachable {
        /// The notice.
        id: String,
        /// What stood in the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was refused, and would be again.
    #[error("notice `{id}` was refused")]
    Refused {
        /// The notice.
        id: String,
        /// What stood in the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl NotifyError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } => ErrorKind::Unavailable,
            Self::Refused { .. } => ErrorKind::Invalid,
        }
    }
}

/// Tells people of approvals.
///
/// # Guarantees of the caller
/// 1. **After the commit**: what is told has happened.
/// 2. **Best effort**: each event is told at least once, unless the process ends first or more than [`MAX_UNDER_WAY`]
///    are on their way; the same event may be told again under the same id.
/// 3. **Beside the change**: neither the time a notifier takes nor its failure reaches whoever made the change.
/// 4. **In no order**: a later event may arrive first; `at` says which was.
///
/// # What an implementation owes
/// An end: its own bound on time and retries. A dropped future leaves the notice told or not.
#[async_trait]
pub trait ApprovalNotifier: fmt::Debug + Send + Sync + 'static {
    /// Tells of `notice`.
    ///
    /// # Errors
    /// [`NotifyError`] after its last try.
    ///
    /// # Cancel safety
    /// Dropped, the notice has been told or not.
    async fn notify(&self, notice: &ApprovalNotice) -> Result<(), NotifyError>;
}

/// Writes each notice to the log, and tells nobody: what is used unless another notifier is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingNotifier;

#[async_trait]
impl ApprovalNotifier for TracingNotifier {
    async fn notify(&self, notice: &ApprovalNotice) -> Result<(), NotifyError> {
        tracing::info!(
            notice = notice.id,
            org = %notice.org,
            request = notice.request_id,
            event = %notice.event,
            verb = notice.verb,
            requester = notice.requester,
            "an approval request moved"
        );
        Ok(())
    }
}

/// Carries notices to a notifier beside whoever made the change: keeps guarantees 2 and 3 of [`ApprovalNotifier`].
#[derive(Debug, Clone)]
pub struct Notices {
    notifier: Arc<dyn ApprovalNotifier>,
    room: Arc<Semaphore>,
}

impl Default for Notices {
    fn default() -> Self {
        Self::to(Arc::new(TracingNotifier))
    }
}

impl Notices {
    /// To this notifier.
    #[must_use]
    pub fn to(notifier: Arc<dyn ApprovalNotifier>) -> Self {
        Self { notifier, room: Arc::new(Semaphore::new(MAX_UNDER_WAY)) }
    }

    /// Sends each of `notices` on its way.
    pub(crate) fn send_all(&self, notices: Vec<ApprovalNotice>) {
        notices.into_iter().for_each(|notice| self.send(notice));
    }

    /// Sends `notice` on its way and returns at once. A failure is logged.
    ///
    /// It needs a Tokio runtime to run on; without one the notice is dropped, and logged.
    pub fn send(&self, notice: ApprovalNotice) {
        let (Ok(place), Ok(runtime)) =
            (self.room.clone().try_acquire_owned(), tokio::runtime::Handle::try_current())
        else {
            tracing::warn!(
                notice = notice.id,
                "an approval notice is dropped: too many are on their way, or nothing to run on"
            );
            return;
        };
        let notifier = self.notifier.clone();
        runtime.spawn(async move {
            let _place = place;
            if let Err(error) = notifier.notify(&notice).await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(notice = notice.id, %error, cause, "an approval notice was not told");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;
    use tokio::sync::mpsc;

    fn notice(event: ApprovalEvent) -> ApprovalNotice {
        ApprovalNotice {
            id: ApprovalNotice::stable_id("req_1", event, 1),
            at: Timestamp::from_micros(0),
            org: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            request_id: "req_1".to_owned(),
            event,
            verb: "agent:update".to_owned(),
            resource_kind: KindName::known("Agent"),
            resource_id: None,
            ou: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
            requester: "user:ada@acme.com".to_owned(),
            summary: "update an agent".to_owned(),
            payload_hash: Digest::ZERO,
            expires_at: Some(Timestamp::from_micros(1)),
            approvers: vec!["user:grace@acme.com".to_owned()],
        }
    }

    #[derive(Debug)]
    struct Told(mpsc::UnboundedSender<String>);

    #[async_trait]
    impl ApprovalNotifier for Told {
        async fn notify(&self, notice: &ApprovalNotice) -> Result<(), NotifyError> {
            self.0.send(notice.id.clone()).unwrap();
            if notice.event == ApprovalEvent::Failed {
                return Err(NotifyError::Refused { id: notice.id.clone(), source: "no".into() });
            }
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_notifier_that_hangs_or_fails_delays_nobody_and_what_is_too_much_is_dropped() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let notices = Notices::to(Arc::new(Told(tell)));
        notices.send(notice(ApprovalEvent::Failed));
        assert_eq!(told.recv().await.unwrap(), "req_1-failed-1");
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..MAX_UNDER_WAY + 5 {
            notices.send(notice(ApprovalEvent::Requested));
        }
        for _ in 0..MAX_UNDER_WAY {
            assert_eq!(told.recv().await.unwrap(), "req_1-requested-1");
        }
        assert!(tokio::time::timeout(Duration::from_secs(1), told.recv()).await.is_err());
    }

    #[test]
    fn without_a_runtime_a_notice_is_dropped_and_nothing_panics() {
        Notices::default().send(notice(ApprovalEvent::Voted));
    }

    #[test]
    fn the_word_of_an_event_is_the_one_on_the_wire_and_a_notice_reads_back() {
        for event in [
            ApprovalEvent::Requested,
            ApprovalEvent::Voted,
            ApprovalEvent::Approved,
            ApprovalEvent::Rejected,
            ApprovalEvent::Cancelled,
            ApprovalEvent::Expired,
            ApprovalEvent::Failed,
            ApprovalEvent::BrokenGlass,
            ApprovalEvent::Reviewed,
        ] {
            let written = serde_json::to_value(notice(event)).unwrap();
            assert_eq!(written["event"], json!(event.as_str()));
            assert_eq!(serde_json::from_value::<ApprovalNotice>(written).unwrap(), notice(event));
        }
    }
}
