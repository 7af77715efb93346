//! Whatever call a pump dies at, the next one loses, doubles and repeats nothing (invariant 5).

use crate::fault::Fault;
use crate::scripted::{Act, idle, rest, say};
use crate::stage::{World, world};
use powerloom_core::id::SessionId;
use serde_json::json;
use std::time::Duration;

fn script() -> Vec<Act> {
    vec![
        say("one"),
        rest(0.2),
        say("two"),
        say("three"),
        rest(0.3),
        Act::Cut,
        say("four"),
        Act::Say("agent.mcp_tool_use", json!({"name": "count", "input": {}})),
        Act::Ask(1),
        rest(0.1),
        idle("end_turn"),
    ]
}

/// Runs a session whose pump is struck at its `n`-th call; `false` if there was no such call.
async fn struck(n: usize, fault: Fault) -> (World, SessionId, bool) {
    let world = world(script()).await;
    let id = world.invoke().await.session_id;
    let pumps = world.other_pumps().build();
    let before = world.faults.calls();
    world.faults.strike(n, fault);
    tokio::select! {
        _ = pumps.tick() => {}
        () = world.faults.hung.notified() => {}
    }
    drop(pumps);
    let reached = world.faults.calls() - before >= n;
    // The lease of the dead runs out, and somebody else takes over.
    tokio::time::sleep(Duration::from_secs(31)).await;
    world.pumps().build().tick().await.unwrap();
    (world, id, reached)
}

async fn at_every_call(fault: Fault) {
    let mut points = 0;
    for n in 1.. {
        let (world, id, reached) = struck(n, fault).await;
        let seen = (n, fault);
        if world.record(id).await.settled_at.is_none() {
            panic!("not settled after {seen:?}");
        }
        world.assert_whole(id).await;
        if !reached {
            break;
        }
        points = n;
    }
    assert!(points > 20, "only {points} calls were struck");
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_any_call_loses_nothing() {
    at_every_call(Fault::HangBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_call_doubles_nothing() {
    at_every_call(Fault::HangAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_any_call_is_got_over() {
    at_every_call(Fault::FailBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_any_call_doubles_nothing() {
    at_every_call(Fault::FailAfter).await;
}

/// Two crashes in a row are no worse than one.
#[tokio::test(start_paused = true)]
async fn a_second_crash_is_survived_too() {
    for n in 1..24 {
        let world = world(script()).await;
        let id = world.invoke().await.session_id;
        for (k, fault) in [(n, Fault::HangAfter), (24 - n, Fault::HangBefore)] {
            world.faults.strike(k, fault);
            let pumps = world.other_pumps().build();
            tokio::select! {
                _ = pumps.tick() => {}
                () = world.faults.hung.notified() => {}
            }
            tokio::time::sleep(Duration::from_secs(31)).await;
        }
        world.pumps().build().tick().await.unwrap();
        world.assert_whole(id).await;
    }
}
