//! How long keys are kept, and how often they are fetched.

use crate::issuer::Mood;
use crate::stage::{refused, stage};
use powerloom_core::clock::Clock;
use powerloom_core::door::caller::TokenKind;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

async fn all<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    futures.into_iter().collect::<JoinSet<T>>().join_all().await
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_who_come_at_the_same_time_and_kept_for_ten_minutes() {
    let s = stage().await;
    let token = s.token().await;
    let external = s.external.clone();
    let many = (0..50).map(|_| {
        let (external, token) = (external.clone(), token.clone());
        async move { external.authenticate(&token).await.is_ok() }
    });
    assert!(all(many).await.into_iter().all(|passed| passed));
    assert_eq!(s.issuer.asked(), (1, 1));
    s.pass(599);
    assert_eq!(s.present(&token).await.unwrap().caller, s.org.admin_caller().by(TokenKind::Access));
    assert_eq!(s.issuer.asked(), (1, 1));
    s.pass(1);
    s.present(&token).await.unwrap();
    assert_eq!(s.issuer.asked(), (2, 2));
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_forgotten_when_the_issuer_rotates() {
    let s = stage().await;
    let old = s.token().await;
    s.present(&old).await.unwrap();
    s.rotate();
    s.publish();
    s.pass(31);
    let new = s.token().await;
    s.present(&new).await.unwrap();
    assert_eq!(s.issuer.asked(), (2, 2));
    assert_eq!(refused(s.present(&old).await), "token_unknown_key");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_makes_one_fetch_in_thirty_seconds() {
    let s = stage().await;
    s.present(&s.token().await).await.unwrap();
    s.rotate();
    let flood = s.token().await;
    s.pass(31);
    for _ in 0..100 {
        assert_eq!(refused(s.present(&flood).await), "token_unknown_key");
    }
    assert_eq!(s.issuer.asked(), (2, 2));
    s.pass(29);
    assert_eq!(refused(s.present(&flood).await), "token_unknown_key");
    assert_eq!(s.issuer.asked(), (2, 2));
    s.publish();
    s.pass(1);
    s.present(&flood).await.unwrap();
    assert_eq!(s.issuer.asked(), (3, 3));
}

#[tokio::test]
async fn an_issuer_that_is_down_is_believed_for_an_hour_and_then_nobody_is() {
    let s = stage().await;
    let token = s.token().await;
    s.present(&token).await.unwrap();
    s.issuer.mood(Mood::Down);
    s.pass(3_000);
    s.present(&token).await.unwrap();
    // Left alone for five seconds after a failure.
    let asked = s.issuer.asked();
    s.present(&token).await.unwrap();
    assert_eq!(s.issuer.asked(), asked);
    s.pass(600);
    let young = s.token().await;
    assert_eq!(refused(s.present(&young).await), "unavailable");
    s.issuer.mood(Mood::Well);
    assert_eq!(refused(s.present(&young).await), "unavailable", "within the five seconds");
    s.pass(5);
    s.present(&young).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_keys_young() {
    let s = stage().await;
    let begin = s.clock.now();
    s.pass(100);
    s.present(&s.token().await).await.unwrap();
    s.issuer.mood(Mood::Down);
    s.clock.set(begin);
    assert_eq!(refused(s.present(&s.token().await).await), "unavailable");
}

#[tokio::test]
async fn an_issuer_that_is_silent_is_waited_for_once() {
    let s = stage().await;
    s.issuer.mood(Mood::Silent);
    let token = s.token().await;
    let external = s.external.clone();
    let many = (0..20).map(|_| {
        let (external, token) = (external.clone(), token.clone());
        async move { external.authenticate(&token).await.is_err() }
    });
    let began = Instant::now();
    assert!(all(many).await.into_iter().all(|refused| refused));
    assert_eq!(s.issuer.asked(), (1, 0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
