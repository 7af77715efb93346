//! Whether a stream may go on: a stream outlives the question that opened it, so it is asked again while it is open.

use crate::app::App;
use crate::authenticate::caller;
use crate::failure::Failure;
use crate::stream::end::End;
use powerloom_core::door::caller::Caller;
use powerloom_core::error::Error;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::SessionId;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};
use zeroize::Zeroizing;

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// How long the answer may take. Without one the stream ends too: after at most 15 seconds nobody reads who may not.
const ANSWER: Duration = Duration::from_secs(4);

/// What opened a stream.
pub(crate) enum Credential {
    /// A bearer.
    Bearer(Zeroizing<String>),
    /// A ticket, which was given to this one.
    Ticket(Caller),
}

/// The right to a stream, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Authority {
    lost: CancellationToken,
    why: Arc<OnceLock<End>>,
    _kept: DropGuard,
}

impl Authority {
    /// Asks every ten seconds, from now on. It was asked just now.
    pub(crate) fn watch(app: &App, session: SessionId, credential: Credential) -> Self {
        let (lost, kept, why) =
            (CancellationToken::new(), CancellationToken::new(), Arc::<OnceLock<End>>::default());
        let (app, told, dropped, reason) = (app.clone(), lost.clone(), kept.clone(), Arc::clone(&why));
        tokio::spawn(async move {
            let asking = lasts(&app, session, &credential);
            if let Some(end) = dropped.run_until_cancelled(asking).await {
                reason.get_or_init(|| end);
                told.cancel();
            }
        });
        Self { lost, why, _kept: kept.drop_guard() }
    }

    /// Waits until it is lost, and says how the stream ends then. Cancel-safe.
    pub(crate) async fn lost(&self) -> End {
        self.lost.cancelled().await;
        self.end()
    }

    /// Whether it is lost.
    pub(crate) fn is_lost(&self) -> Option<End> {
        self.lost.is_cancelled().then(|| self.end())
    }

    fn end(&self) -> End {
        self.why.get().copied().unwrap_or(End::Forbidden)
    }
}

/// Returns once the answer is no, or there is none.
async fn lasts(app: &App, session: SessionId, credential: &Credential) -> End {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        match tokio::time::timeout(ANSWER, may(app, session, credential)).await {
            Ok(Ok(())) => {}
            Ok(Err(Failure::Core(error))) if is_no(&error) => {
                tracing::info!(%session, code = error.code(), "a stream ends: its reader may no longer follow");
                return End::Forbidden;
            }
            Ok(Err(error)) => {
                tracing::warn!(%session, %error, "a stream ends: whether its reader may follow cannot be told");
                return End::Failed;
            }
            Err(_) => {
                tracing::warn!(%session, "a stream ends: whether its reader may follow is not told in time");
                return End::Failed;
            }
        }
    }
}

async fn may(app: &App, session: SessionId, credential: &Credential) -> Result<(), Failure> {
    match credential {
        Credential::Bearer(token) => {
            let caller = caller(app, token).await?;
            Ok(app.loom.may_follow(&caller, session).await?)
        }
        Credential::Ticket(holder) => Ok(app.loom.may_hold_stream(holder, session).await?),
    }
}

fn is_no(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unauthenticated | ErrorKind::NotFound)
}
