//! A server that sends elsewhere has done nothing.

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
