//! The README's story. It needs `bash`, `curl`, `sed` and `grep`, as its reader does.

use crate::papers::{block, paper};
use crate::shell::Server;
use powerloom_core::id::{ResourceId, SessionId};

/// Rows P69, P75, P102 and M43, as somebody tries them who has just come: declare, wait, ask, watch, look back.
#[tokio::test]
async fn the_readme_does_what_it_says() {
    let readme = paper("README.md");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&block(&readme, "serve"), folder.path()).await;

    let said = server.run(&block(&readme, "curl"), folder.path()).await;
    let ids = said.lines().find_map(|line| line.strip_prefix("agent ")).expect("the two ids");
    let (agent, session) = ids.split_once(", session ").unwrap();
    agent.parse::<ResourceId>().unwrap_or_else(|error| panic!("{error}: {said}"));
    session.parse::<SessionId>().unwrap_or_else(|error| panic!("{error}: {said}"));
    let order = [
        "\"status\":\"synced\"",
        "event: powerloom.session_created\n",
        "Answer: Review the migration in PR #42 for safety issues.",
        "event: powerloom.session_ended\n",
        "\"verb\":\"session.end\"",
        "\"verb\":\"agent.invoke\"",
        "\"ok\":true",
    ];
    in_order(&said, &order);

    let said = server.run(&block(&readme, "weave"), folder.path()).await;
    let order = [
        "Plan: 2 to create.",
        "Applied: 2 created.",
        "synced",
        "Answer: Describe the last change.",
        "idle end turn",
        "entries verify",
    ];
    in_order(&said, &order);
    server.end().await;
}

/// Fails unless each is said behind the one before.
#[track_caller]
fn in_order(said: &str, expected: &[&str]) {
    let mut rest = said;
    for piece in expected {
        let found = rest.split_once(piece);
        rest = found.unwrap_or_else(|| panic!("`{piece}` is not where it should be in:\n{said}")).1;
    }
}
