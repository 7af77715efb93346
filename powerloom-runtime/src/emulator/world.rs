//! Everything the parts of a running emulator share.

use crate::emulator::faults::Faults;
use crate::emulator::hub::Hub;
use crate::emulator::model::Model;
use crate::emulator::requests::RequestLog;
use crate::emulator::state::Db;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The shared parts. The lock on the state is held for moments only, never across an await.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: Mutex<Db>,
    pub(crate) hub: Hub,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    pub(crate) running: Running,
    pub(crate) keys: Vec<String>,
    pub(crate) keep_alive: Duration,
    pub(crate) http: reqwest::Client,
    pub(crate) stop: CancellationToken,
}

impl World {
    /// The state, locked.
    pub(crate) fn db(&self) -> MutexGuard<'_, Db> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Run {
    again: bool,
    interrupt: CancellationToken,
}

/// The sessions that a task works on now; at most one task for each.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<String, Run>>);

impl Running {
    /// Whether the caller must start the task; otherwise the one that runs will look again before it ends.
    pub(crate) fn begin(&self, session: &str) -> bool {
        let mut runs = self.runs();
        if let Some(run) = runs.get_mut(session) {
            run.again = true;
            return false;
        }
        runs.insert(session.to_owned(), Run::default());
        true
    }

    /// Whether the task may end; otherwise there is news and it must look again.
    pub(crate) fn end(&self, session: &str) -> bool {
        let mut runs = self.runs();
        match runs.get_mut(session) {
            Some(run) if run.again => {
                run.again = false;
                false
            }
            _ => {
                runs.remove(session);
                true
            }
        }
    }

    /// Forgets the session's task, which is no more.
    pub(crate) fn forget(&self, session: &str) {
        self.runs().remove(session);
    }

    /// What is cancelled when the user interrupts the session's work.
    pub(crate) fn interruption(&self, session: &str) -> CancellationToken {
        self.runs().get(session).map(|run| run.interrupt.clone()).unwrap_or_default()
    }

    /// Stops what the session's task waits for.
    pub(crate) fn interrupt(&self, session: &str) {
        if let Some(run) = self.runs().get_mut(session) {
            run.interrupt.cancel();
        }
    }

    /// Makes the session's task interruptible once more.
    pub(crate) fn rearm(&self, session: &str) {
        if let Some(run) = self.runs().get_mut(session) {
            run.interrupt = CancellationToken::new();
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
