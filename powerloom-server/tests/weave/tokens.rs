//! Which token goes to which server.

use crate::bench::{Ran, run, weave};
use crate::stub::{Stub, json};
use std::path::Path;

fn nobody(_: &str) -> Option<String> {
    json("401 Unauthorized", r#"{"error":{"code":"unauthenticated","message":"who are you"}}"#)
}

/// Runs a command with these contexts and these variables.
async fn told(contexts: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = weave();
    command.env("POWERLOOM_CONTEXTS", contexts).args(arguments).env("NO_PROXY", "*");
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || run(command, "")).await.unwrap()
}

fn bearers(stub: &Stub) -> Vec<String> {
    let heads = stub.heads();
    let lines = heads.iter().flat_map(|head| head.lines());
    lines.filter_map(|line| line.strip_prefix("authorization: Bearer ").map(str::to_owned)).collect()
}

fn contexts(folder: &Path, server: &str) -> std::path::PathBuf {
    let path = folder.join("weave.toml");
    let text = format!("current = \"a\"\n[contexts.a]\nserver = \"{server}\"\ntoken = \"of-a\"\n");
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_environment_goes_only_to_the_server_that_is_named_beside_it() {
    let (a, b) = (Stub::new(nobody).await, Stub::new(nobody).await);
    let folder = tempfile::tempdir().unwrap();
    let kept = contexts(folder.path(), &a.url);
    let token = ("POWERLOOM_TOKEN", "of-b");
    told(&kept, &[token], &["--context", "a", "get", "agents"]).await.expect(1);
    told(&kept, &[token, ("POWERLOOM_URL", &b.url)], &["--context", "a", "get", "agents"]).await.expect(1);
    told(&kept, &[token, ("POWERLOOM_CONTEXT", "a")], &["get", "agents"]).await.expect(1);
    told(&kept, &[token], &["get", "agents"]).await.expect(1);
    assert_eq!(bearers(&a), ["of-a"; 4]);
    told(&kept, &[token, ("POWERLOOM_URL", &b.url)], &["get", "agents"]).await.expect(1);
    told(&kept, &[token, ("POWERLOOM_CONTEXT", "a")], &["--server", &b.url, "get", "agents"]).await.expect(1);
    assert_eq!(bearers(&b), ["of-b"; 2]);
    told(&kept, &[], &["--server", &b.url, "get", "agents"]).await.expect(1);
    assert_eq!(bearers(&b).len(), 2, "the token of a context goes to its own server alone");

    let two = told(&kept, &[token], &["--context", "a", "--server", &b.url, "get", "agents"]).await.expect(2);
    assert!(two.err.contains("--context and --server name two places"), "{}", two.err);
    assert_eq!((bearers(&a).len(), bearers(&b).len()), (4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_for_stores_does_not_stand_in_the_way_of_servers() {
    let stub = Stub::new(nobody).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = contexts(folder.path(), &stub.url);
    let set = [("POWERLOOM_ORG", "acme"), ("POWERLOOM_AS", "ada@acme.com")];
    told(&kept, &set, &["get", "agents"]).await.expect(1);
    let refused = told(&kept, &set, &["--as", "ada@acme.com", "get", "agents"]).await.expect(2);
    assert!(refused.err.contains("--org and --as go with --store"), "{}", refused.err);
}
