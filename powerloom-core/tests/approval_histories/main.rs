//! Random histories of changes, policies, votes, revocations and clock moves by several callers at once, held against an
//! oracle that knows nothing but the audit chain (sem. 2.8; row P99; architecture 11).
//!
//! The chain is the order in which commits happened. The oracle walks it, keeps its own account of who holds what and
//! which policies stand, and judges every change that was made by the account of that very moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod account;
mod history;
mod oracle;

use history::{Deed, House, deeds};
use oracle::{Seen, judge};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;

/// Several callers at once, each with a list of deeds; and something of everything must have happened.
fn run(url: fn() -> (String, Box<dyn std::any::Any>), cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let callers = prop::collection::vec(prop::collection::vec(deeds(), 20..80), 2..6);
    let seen = RefCell::new(Seen::default());
    let outcome = runner.run(&callers, |callers: Vec<Vec<Deed>>| {
        let (url, _folder) = url();
        let found = runtime.block_on(live_through(&url, callers));
        let found = found.map_err(|broken| TestCaseError::fail(broken.join("\n")))?;
        seen.borrow_mut().add(&found);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    assert!(
        seen.free > 0 && seen.approved > 0 && seen.failed > 0,
        "histories in which nothing happens prove nothing: {seen:?}"
    );
}

async fn live_through(url: &str, callers: Vec<Vec<Deed>>) -> Result<Seen, Vec<String>> {
    let house = House::open(url).await;
    let tasks: Vec<_> = callers
        .into_iter()
        .enumerate()
        .map(|(number, deeds)| {
            let house = house.clone();
            tokio::spawn(async move {
                for deed in deeds {
                    house.does(number, deed).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    judge(&house).await
}

#[test]
fn nothing_is_made_without_its_quorum_twice_or_by_somebody_who_may_no_more() {
    run(|| ("memory:".to_owned(), Box::new(())), 48);
}

#[test]
fn the_same_holds_on_sqlite() {
    run(
        || {
            let folder = tempfile::tempdir().unwrap();
            (format!("sqlite://{}/loom.db", folder.path().display()), Box::new(folder))
        },
        8,
    );
}
