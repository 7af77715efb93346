//! Answers that are none: a server that sends elsewhere has done nothing, and one that is silent is not waited for for ever.

use crate::bench::{Ran, run, weave};
use crate::stub::Stub;

fn elsewhere(_: &str) -> Option<String> {
    let head = "HTTP/1.1 301 Moved Permanently\r\nlocation: https://loom.acme.com/v2\r\n";
    Some(format!("{head}content-length: 2\r\nconnection: close\r\n\r\n{{}}"))
}

async fn told(url: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = weave();
    command.current_dir(folder.path()).env("POWERLOOM_CONTEXTS", folder.path().join("none.toml"));
    command.env("POWERLOOM_URL", url).env("POWERLOOM_TOKEN", "t").args(arguments);
    tokio::task::spawn_blocking(move || run(command, "")).await.unwrap()
}

/// The stream is at its end, and who could say how it ended says nothing.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_heard_while_the_end_of_a_session_is_asked_for() {
    let answer = |head: &str| {
        head.contains("/events").then(|| "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned())
    };
    let stub = Stub::new(answer).await;
    let mut command = weave();
    command.args(["--server", &stub.url, "sessions", "watch", "0190b6e4-7c57-7f00-8000-000000000001"]);
    command.env("POWERLOOM_CONTEXTS", tempfile::tempdir().unwrap().path().join("none.toml"));
    command.stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let asked = async {
        while stub.heads().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.unwrap();
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let done = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{told}");
    assert!(told.contains("detached"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let stub = Stub::new(elsewhere).await;
    let id = "0190b6e4-7c57-7f00-8000-000000000001";
    for arguments in [
        ["token", "revoke", id, "--yes"].as_slice(),
        &["sessions", "cancel", id, "--yes"],
        &["get", "agents"],
        &["audit", "export"],
        &["sessions", "watch", id],
    ] {
        let refused = told(&stub.url, arguments).await.expect(1);
        assert!(refused.out.is_empty(), "{arguments:?}: {}", refused.out);
        assert!(refused.err.contains("(redirected)"), "{arguments:?}: {}", refused.err);
        assert!(refused.err.contains("https://loom.acme.com/v2"), "{arguments:?}: {}", refused.err);
        assert!(refused.err.contains("use the URL in Location"), "{arguments:?}: {}", refused.err);
    }
}
