//! Who listens to which session.

use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

/// How far a listener may fall behind before its stream is cut, in events.
const BACKLOG: usize = 65_536;

/// The open event streams. A listener gets what happens after it came, in order, or its stream ends.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<HashMap<String, Vec<mpsc::Sender<Value>>>>);

impl Hub {
    /// Starts listening to `session`.
    pub(crate) fn listen(&self, session: &str) -> mpsc::Receiver<Value> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.listeners().entry(session.to_owned()).or_default().push(sender);
        receiver
    }

    /// Hands `event` to every listener of `session`; one that left or fell behind is dropped.
    pub(crate) fn publish(&self, session: &str, event: &Value) {
        if let Some(listeners) = self.listeners().get_mut(session) {
            listeners.retain(|listener| listener.try_send(event.clone()).is_ok());
        }
    }

    /// Ends every stream of `session`.
    pub(crate) fn close(&self, session: &str) {
        self.listeners().remove(session);
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<mpsc::Sender<Value>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
