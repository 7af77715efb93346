//! A crash or a lost answer at the n-th call to the outside.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never answers, and has done nothing.
    HangBefore,
    /// It never answers, and is done.
    HangAfter,
    /// It fails, and has done nothing.
    FailBefore,
    /// Its answer is lost: it is done.
    FailAfter,
}

/// Counts calls, and strikes at one of them.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: AtomicUsize,
    plan: Mutex<Option<(usize, Fault)>>,
    pub(crate) hung: Notify,
}

impl Faults {
    /// Strikes at the `n`-th call from now, counted from 1.
    pub(crate) fn strike(&self, n: usize, fault: Fault) {
        *self.plan.lock().unwrap() = Some((self.calls.load(Ordering::SeqCst) + n, fault));
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) async fn around<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        error: impl FnOnce(bool) -> E,
    ) -> Result<T, E> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.plan.lock().unwrap().filter(|(at, _)| *at == call).map(|(_, fault)| fault);
        match fault {
            None => work.await,
            Some(Fault::HangBefore) => self.hang().await,
            Some(Fault::HangAfter) => {
                let _ = work.await;
                self.hang().await
            }
            Some(Fault::FailBefore) => Err(error(false)),
            Some(Fault::FailAfter) => {
                work.await?;
                Err(error(true))
            }
        }
    }

    async fn hang<T>(&self) -> T {
        self.hung.notify_one();
        std::future::pending().await
    }
}
