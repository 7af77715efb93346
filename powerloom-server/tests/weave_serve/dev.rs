//! `weave serve --dev`.

use crate::process::{Running, said, weave};
use serde_json::json;

/// From nothing to an answer, and everything is there again after an orderly end.
#[tokio::test]
async fn an_agent_is_declared_asked_and_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::dev(folder.path(), &[]).await;
    let (_, me) = server.get("/whoami").await;
    assert_eq!(me["principal_ref"], "user:admin@dev.com");
    assert_eq!(me["root_ou_path"], "/dev");
    let agent = server.synced_agent("hello").await;
    let ask = json!({ "prompt": "say good morning", "mode": "sync" });
    let (status, ended) = server.post(&format!("/agents/{agent}/invoke"), &ask).await;
    assert_eq!((status, &ended["status"]), (200, &json!("idle_end_turn")), "{ended}");
    let (_, before) = server.get(&format!("/agents/{agent}")).await;

    let (code, log) = server.end().await;
    assert_eq!(code, Some(0), "{log}");
    for stage in ["listening", "stopping", "no more connections", "all connections have ended", "stopped"] {
        assert!(log.contains(stage), "{stage}: {log}");
    }
    let again = Running::dev(folder.path(), &[]).await;
    assert_eq!(again.get(&format!("/agents/{agent}")).await, (200, before));
    assert_eq!(again.told["organization_id"], me["organization_id"]);
    assert_eq!(again.end().await.0, Some(0));
}

/// Invariant 5: what was acknowledged is there after `kill -9`, and tokens are as good as before.
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::dev(folder.path(), &[]).await;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for n in 0..10 {
            let (status, agent) = server.post("/agents", &server.agent(&format!("agent-{round}-{n}"))).await;
            assert_eq!(status, 201, "{agent}");
            acknowledged.push(agent["id"].as_str().unwrap().to_owned());
        }
        let token = server.token.clone();
        server.kill().await;
        server = Running::dev(folder.path(), &[]).await;
        server.token = token;
        for id in &acknowledged {
            assert_eq!(server.get(&format!("/agents/{id}")).await.0, 200, "{id}");
        }
    }
    assert_eq!(server.end().await.0, Some(0));
}

#[tokio::test]
async fn keys_are_for_their_owner_alone_and_the_story_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = weave(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0", "--org", "acme"]);
    let mut child = command.spawn().unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let mut story = String::new();
    while !story.contains("Ctrl-C") {
        story.push_str(&lines.next_line().await.unwrap().unwrap());
        story.push('\n');
    }
    #[cfg(unix)]
    for name in ["master.keys", "signing.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            std::fs::metadata(folder.path().join(".powerloom").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let after = |word: &str| {
        let rest = story.split(word).nth(1).unwrap();
        rest.lines().next().unwrap().trim().to_owned()
    };
    let (url, token) = (after("export POWERLOOM_URL="), after("export POWERLOOM_TOKEN="));
    let body = story.split("-d '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let declared = client.post(format!("{url}/agents")).bearer_auth(token).body(body).send().await.unwrap();
    assert_eq!(declared.status(), 201, "{story}");
    let (code, minted, why) =
        said(weave(folder.path(), &["token", "mint", "--dev", "--org", "acme", "--user", "admin@acme.com"]))
            .await;
    assert_eq!(code, 0, "{why}");
    let who = client.get(format!("{url}/whoami")).bearer_auth(minted.trim()).send().await.unwrap();
    assert_eq!(who.status(), 200);
    child.kill().await.unwrap();
}

/// What makes checkpoints when they are due and what answers whoever asks for one have the same key and the same folder.
#[tokio::test]
async fn a_checkpoint_can_be_asked_for_where_checkpoints_are_set_up() {
    let folder = tempfile::tempdir().unwrap();
    let said = ["--checkpoint-key", "audit.key", "--checkpoint-name", "acme.com/audit"];
    let words = [said.as_slice(), &["--checkpoint-folder", "kept"]].concat();
    let server = Running::dev(folder.path(), &words).await;
    let (status, made) = server.post("/audit/checkpoints", &json!({})).await;
    assert_eq!(status, 200, "{made}");
    assert!(made["key"].as_str().unwrap().starts_with("acme.com/audit+"), "{made}");
    let (_, kept) = server.get("/audit/checkpoints").await;
    assert_eq!((&kept["key"], kept["items"].as_array().unwrap().len()), (&made["key"], 1), "{kept}");
    assert_eq!(kept["items"][0]["checkpoint"]["size"], made["checkpoint"]["size"], "{kept}");
    assert_eq!(
        std::fs::read_dir(folder.path().join("kept")).unwrap().count(),
        2,
        "a checkpoint and its lock"
    );
    assert_eq!(server.end().await.0, Some(0));
}
