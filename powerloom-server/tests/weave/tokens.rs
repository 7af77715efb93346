//! Which token goes to which server.

use crate::bench::{Ran, run, weave};
use crate::house::House;
use crate::stub::{Stub, json};
use powerloom_server::server::Tls;
use powerloom_server::{Config, Server};
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

/// A server whose certificate only its file knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ones_own_is_believed_where_its_file_is_named_and_kept_by_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let house = House::new().await;
    let server = Server::new(house.loom.clone(), Config::new(house.tokens.clone()))
        .tls(Tls::open(&certificate, &key).unwrap())
        .start()
        .await
        .unwrap();
    let (nothing, url, admin) = (folder.path().join("weave.toml"), server.url(), house.admin.clone());
    assert!(url.starts_with("https://"), "{url}");
    let token = ("POWERLOOM_TOKEN", admin.as_str());
    let stranger = told(&nothing, &[token], &["--server", &url, "get", "agents"]).await.expect(1);
    assert!(stranger.err.contains("cannot be reached"), "{}", stranger.err);
    let named = certificate.display().to_string();
    told(&nothing, &[token], &["--server", &url, "--ca-cert", &named, "get", "agents"]).await.expect(0);
    told(&nothing, &[token, ("POWERLOOM_CA_CERT", &named)], &["--server", &url, "get", "agents"])
        .await
        .expect(0);
    let printed = format!("printf %s {admin}");
    let login = ["login", "--server", &url, "--ca-cert", &named, "--token-command", &printed];
    told(&nothing, &[], &login).await.expect(0);
    told(&nothing, &[], &["get", "agents"]).await.expect(0);
    let absent = told(&nothing, &[token], &["--server", &url, "--ca-cert", "absent.pem", "get", "agents"])
        .await
        .expect(1);
    assert!(absent.err.contains("`absent.pem` cannot be read"), "{}", absent.err);
    assert!(server.shutdown().await.is_clean());
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

/// `0.0.0.0` is no loopback address and leads to this machine all the same.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_travels_in_the_clear_is_warned_about() {
    let stub = Stub::new(nobody).await;
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("none.toml");
    let clear = stub.url.replace("127.0.0.1", "0.0.0.0");
    let warned = |ran: &Ran| ran.err.contains("warning: the token travels in the clear to http://0.0.0.0:");
    let token = ("POWERLOOM_TOKEN", "t");
    assert!(warned(&told(&nothing, &[token], &["--server", &clear, "get", "agents"]).await.expect(1)));
    assert!(warned(
        &told(&nothing, &[], &["login", "--server", &clear, "--token-command", "echo t"]).await.expect(1)
    ));
    for quiet in [
        told(&nothing, &[token], &["--server", &stub.url, "get", "agents"]).await.expect(1),
        told(&nothing, &[], &["--server", &clear, "get", "agents"]).await.expect(1),
    ] {
        assert!(!quiet.err.contains("in the clear"), "{}", quiet.err);
    }
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
