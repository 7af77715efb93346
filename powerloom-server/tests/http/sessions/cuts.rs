//! Whatever happens to the sockets, a reader that comes back has every frame once (rows P8, P76; sem. 2.7).

use crate::sessions::client::TestSocket;
use crate::sessions::stage::{PATIENCE, Stage};
use powerloom_core::id::SessionId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::time::Duration;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// The session says so many things.
    Says(usize),
    /// The reader takes so many frames, if they are there.
    Reads(usize),
    /// The reader says goodbye.
    Leaves,
    /// The socket is gone, with whatever was on its way.
    IsCut,
    /// Others have their turn.
    Waits,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..60usize).prop_map(Step::Says),
        4 => (0..80usize).prop_map(Step::Reads),
        1 => Just(Step::Leaves),
        3 => Just(Step::IsCut),
        1 => Just(Step::Waits),
    ];
    prop::collection::vec(step, 1..24)
}

/// Opens the stream behind what the reader has. After a cut the server may not have noticed yet: then a client tries again.
async fn back(stage: &Stage, id: SessionId, after: u64) -> (TestSocket, u64) {
    let again = async {
        loop {
            let mut socket = stage.open(id, after).await;
            match socket.next().await {
                Ok(told) => return (socket, told.seq),
                Err(closed) => assert_eq!(u16::from(closed.code), 4409, "{closed:?}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap()
}

async fn check(stage: &Stage, steps: Vec<Step>) {
    let id = stage.running().await;
    let (mut said, mut seen): (u64, Vec<u64>) = (3, Vec::new());
    let mut open: Option<TestSocket> = None;
    let have = |seen: &[u64]| seen.last().copied().unwrap_or(0);
    for step in steps {
        match step {
            Step::Says(count) => {
                for word in 0..count {
                    stage.runtime.message(id, &format!("word {word}"));
                }
                said += count as u64;
            }
            Step::Reads(count) => {
                for _ in 0..count {
                    if have(&seen) == said {
                        break;
                    }
                    let next = match &mut open {
                        Some(socket) => socket.next().await.unwrap().seq,
                        None => {
                            let (socket, first) = back(stage, id, have(&seen)).await;
                            open = Some(socket);
                            first
                        }
                    };
                    seen.push(next);
                }
            }
            Step::Leaves => {
                if let Some(socket) = open.take() {
                    socket.close().await;
                }
            }
            Step::IsCut => drop(open.take()),
            Step::Waits => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    stage.runtime.end_turn(id);
    let mut socket = match open {
        Some(socket) => socket,
        None => {
            let (socket, first) = back(stage, id, have(&seen)).await;
            seen.push(first);
            socket
        }
    };
    let (rest, closed) = socket.drain().await;
    assert_eq!(u16::from(closed.code), 1000);
    let rest = rest.iter().filter(|told| told.kind != "powerloom.session_already_ended");
    seen.extend(rest.map(|told| told.seq));
    // The prompt, the start, the end of the turn and of the session are the runtime's and ours.
    assert_eq!(seen, (1..=said + 2).collect::<Vec<_>>());
    let log: Vec<u64> = stage.log(id).await.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(log, seen);
}

#[test]
fn whatever_is_cut_nothing_is_lost_or_doubled() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::with(|mut config| {
        config.bounds.requests_per_second = None;
        config
    }));
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps(), |steps| {
            runtime.block_on(check(&stage, steps));
            Ok(())
        })
        .unwrap();
}
