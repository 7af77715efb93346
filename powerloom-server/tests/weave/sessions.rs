//! Asking agents and watching them: the stream as people and programs see it.

use crate::bench::run;
use crate::house::House;
use crate::scissors::Scissors;
use serde_json::Value;

/// Rows P69, P76–P82.
#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_shows_what_happens_and_ends_with_counts() {
    let house = House::new().await;
    house.agent("reviewer").await;
    let told = house.weave(&["invoke", "reviewer", "say Nothing needs fixing."]).await.expect(0);
    assert!(told.out.contains("Nothing needs fixing.\n"), "{}", told.out);
    let last = told.out.lines().last().unwrap();
    assert!(last.starts_with("✓ idle end turn · ") && last.contains("events"), "{}", told.out);

    let frames = house.fed(&["invoke", "/acme/reviewer", "-", "--json"], "say Hello").await.expect(0);
    let frames: Vec<Value> = frames.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> =
        frames.iter().map(|frame| frame["seq"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=frames.len() as u64).collect::<Vec<_>>(), "no gap and no double");
    assert_eq!(frames[0]["type"], "powerloom.session_created");
    assert_eq!(frames.last().unwrap()["type"], "powerloom.session_ended");
}

/// Row P73.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_waited_for_listed_shown_and_read_again() {
    let house = House::new().await;
    house.agent("reviewer").await;
    let settled =
        house.weave(&["invoke", "reviewer", "say Done.", "--sync", "--title", "a look", "-o", "json"]);
    let settled = settled.await.expect(0).json();
    assert_eq!(settled["status"], "idle_end_turn");
    let id = settled["session_id"].as_str().unwrap();

    let list = house.weave(&["sessions", "list", "--agent", "reviewer"]).await.expect(0);
    assert!(
        list.out.contains(id) && list.out.contains("a look") && list.out.contains("reviewer"),
        "{}",
        list.out
    );
    let shown = house.weave(&["sessions", "show", id]).await.expect(0);
    assert!(shown.out.contains("idle_end_turn"), "{}", shown.out);
    let logs = house.weave(&["sessions", "logs", id]).await.expect(0);
    assert!(logs.out.contains("Done."), "{}", logs.out);
    let watched = house.weave(&["sessions", "watch", id]).await.expect(0);
    assert!(watched.out.contains("Done."), "{}", watched.out);
    let forms = async |form: &str| house.weave(&["sessions", "watch", id, "-o", form]).await.expect(0).out;
    let numbers = forms("name").await;
    let (json, yaml) = (forms("json").await, forms("yaml").await);
    assert_eq!(
        (json.lines().count(), yaml.matches("---\n").count()),
        (numbers.lines().count(), numbers.lines().count())
    );
    assert!(
        json.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].is_string()),
        "{json}"
    );
    assert!(numbers.starts_with("1\n2\n") && yaml.contains("type: agent.message\n"), "{numbers}{yaml}");
    let shown = house.weave(&["sessions", "show", id, "-o", "name"]).await.expect(0);
    assert_eq!(shown.out.trim_end(), id);
    let behind = house.weave(&["sessions", "watch", id, "--after", "1000"]).await.expect(2);
    assert!(behind.err.contains("which reaches to"), "{}", behind.err);
}

/// The answer alone is on standard output, and with a form for programs each frame is.
#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_is_waited_for_prints_the_answer_and_one_in_json_its_frames() {
    let house = House::new().await;
    house.agent("reviewer").await;
    let told = house.weave(&["invoke", "reviewer", "say First.\nsay Last.", "--sync"]).await.expect(0);
    assert_eq!(told.out, "Last.\n");
    assert!(told.err.contains("✓ idle end turn"), "{}", told.err);
    let frames = house.weave(&["invoke", "reviewer", "say Hello", "-o", "json"]).await.expect(0);
    let frames: Vec<Value> = frames.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(frames.last().unwrap()["type"], "powerloom.session_ended");
    let named = house.weave(&["invoke", "reviewer", "say Hello", "--sync", "-o", "name"]).await.expect(0);
    assert!(named.out.lines().count() == 1 && named.out.len() > 30, "{}", named.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_stopped_is_no_success() {
    let house = House::new().await;
    house.agent("reviewer").await;
    let started = house.weave(&["invoke", "reviewer", "wait 600000", "--detach"]).await.expect(0);
    let id = started.out.trim();
    let watching = house.command(&["sessions", "watch", id]);
    let watching = tokio::task::spawn_blocking(move || run(watching, ""));
    house.weave(&["sessions", "cancel", id]).await.expect(2);
    house.weave(&["sessions", "cancel", id, "--yes"]).await.expect(0);
    let watched = watching.await.unwrap();
    assert_eq!(watched.code, 1, "{watched:?}");
    assert!(watched.out.contains("cancelled"), "{}", watched.out);
}

/// A stream that is cut goes on behind the last frame, and no frame is shown twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_goes_on_without_gap_or_double() {
    let house = House::new().await;
    house.agent("reviewer").await;
    // In the middle of the frame in which the agent speaks.
    let spoken = |_: &str, answer: &str| answer.find("agent.message").map(|at| at + 5);
    let between = Scissors::before(&house.url, 2, spoken).await;
    let prompt = "say one\nwait 300\nsay two\nwait 300\nsay three";
    let command = house.command_at(&between.url, &house.admin, &["invoke", "reviewer", prompt, "--json"]);
    let told = tokio::task::spawn_blocking(move || run(command, "")).await.unwrap().expect(0);
    assert_eq!(between.cuts(), 2, "{}", told.err);
    let frames: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> =
        frames.iter().map(|frame| frame["seq"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=frames.len() as u64).collect::<Vec<_>>());
    let said: Vec<&str> = frames
        .iter()
        .filter(|frame| frame["type"] == "agent.message")
        .map(|frame| frame["payload"]["content"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["one", "two", "three"]);
    assert!(told.err.contains("trying again") || told.err.contains("going on"), "{}", told.err);
}
