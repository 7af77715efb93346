//! Whether the store answers, asked at most once a second.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer is good. Anybody may ask; the store is asked no more often than this.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// The last answer, or a new one if it is too old. Whoever asks meanwhile waits for the same one.
    ///
    /// # Cancel safety
    /// Safe: dropped, the next one asks.
    pub(crate) async fn ask(&self, store: impl Future<Output = bool>) -> bool {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = *last
            && at.elapsed() < GOOD_FOR
        {
            return answer;
        }
        let answer = store.await;
        *last = Some((Instant::now(), answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_within_a_second_cost_the_store_one_question() {
        let (readiness, asked) = (Readiness::default(), AtomicUsize::new(0));
        let store = async |answer: bool| {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer
        };
        let asks = (0..50).map(|_| readiness.ask(store(true)));
        assert!(futures::future::join_all(asks).await.into_iter().all(|answer| answer));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // What has changed is known a second later.
        assert!(readiness.ask(store(false)).await);
        tokio::time::advance(GOOD_FOR).await;
        assert!(!readiness.ask(store(false)).await);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
