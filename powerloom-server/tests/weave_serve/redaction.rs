//! Invariant 7: no secret is in a log or in a span, at any level (reliability T8, W, Y).

use crate::collector::Collector;
use crate::process::Running;
use serde_json::{Value, json};

/// What must be found nowhere.
const PROMPT: &str = "say the-prompt-is-nobody-elses-business";

#[tokio::test]
async fn no_bearer_ticket_prompt_or_secret_is_in_log_or_spans_and_a_session_is_a_span() {
    let (collector, endpoint) = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let words = ["--log-format", "json", "--log-level", "trace", "--otlp-endpoint", &endpoint];
    let server = Running::dev(folder.path(), &words).await;
    let agent = server.synced_agent("discreet").await;

    // A session by ticket, with a stream that is opened and one that is refused.
    let ask = json!({ "prompt": PROMPT, "mode": "fire_and_forget", "title": "the-title-too" });
    let (status, started) = server.post(&format!("/agents/{agent}/invoke"), &ask).await;
    assert_eq!(status, 201, "{started}");
    let session = started["session_id"].as_str().unwrap().to_owned();
    let ticket = started["ws_ticket"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let refused = server.get(&format!("/sessions/{session}/stream?ticket={ticket}")).await;
        assert_ne!(refused.0, 200, "it is no WebSocket");
    }
    let sync = json!({ "prompt": PROMPT, "mode": "sync" });
    let (status, ended) = server.post(&format!("/agents/{agent}/invoke"), &sync).await;
    assert_eq!((status, &ended["status"]), (200, &json!("idle_end_turn")), "{ended}");

    // An API token, and a credential; both good and refused ones.
    let token = json!({ "name": "ci", "scopes": ["agent:read"], "lifetime_seconds": 600 });
    let (status, made) = server.post("/tokens", &token).await;
    assert_eq!(status, 201, "{made}");
    let api_token = made["token"].as_str().unwrap().to_owned();
    let credential =
        json!({ "ou_id": server.told["root_ou_id"], "name": "x", "bearer": "the-bearer-of-a-credential" });
    let _ = server.post("/credentials", &credential).await;
    let who =
        server.client.get(format!("{}/whoami", server.url)).bearer_auth(&api_token).send().await.unwrap();
    assert_eq!(who.status(), 200);
    let wrong =
        server.client.get(format!("{}/whoami", server.url)).bearer_auth("the-wrong-bearer").send().await;
    assert_eq!(wrong.unwrap().status(), 401);
    let traced = server.client.get(format!("{}/whoami", server.url)).bearer_auth(&server.token);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(traced.header("traceparent", parent).send().await.unwrap().status(), 200);

    let bearer = server.token.clone();
    let (code, log) = server.end().await;
    assert_eq!(code, Some(0), "{log}");
    let spans = collector.text();
    let secrets = [
        bearer.as_str(),
        // Of a token only the signature is secret; its first part says which key.
        bearer.rsplit('.').next().unwrap(),
        &ticket,
        &api_token,
        "the-prompt-is-nobody-elses-business",
        "the-title-too",
        "the-bearer-of-a-credential",
        "the-wrong-bearer",
        "BEGIN PRIVATE KEY",
    ];
    let keys = std::fs::read_to_string(folder.path().join(".powerloom/master.keys")).unwrap();
    for secret in secrets.into_iter().chain(keys.lines().filter(|line| !line.is_empty())) {
        assert!(secret.len() > 7, "{secret:?} would be found anywhere");
        assert!(!log.contains(secret), "in the log: {}", line_with(&log, secret));
        assert!(!spans.contains(secret), "in a span: {secret}");
    }

    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    assert!(log.contains("\"request_id\""), "a line says which request it is about");
    for word in [
        "invoke_agent discreet",
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "claude-sonnet-4-6",
        "gen_ai.conversation.id",
        &session,
        "gen_ai.usage.output_tokens",
        "gen_ai.provider.name",
        "anthropic",
        "POST /agents/{id}/invoke",
        "service.name",
        "powerloom",
    ] {
        assert!(spans.contains(word), "no span has `{word}`");
    }
    let trace = [0x0a, 0xf7, 0x65, 0x19];
    assert!(collector_has(&collector, &trace), "the caller's trace is gone on with");
}

fn line_with<'a>(log: &'a str, secret: &str) -> &'a str {
    log.lines().find(|line| line.contains(secret)).unwrap_or_default()
}

fn collector_has(collector: &Collector, bytes: &[u8]) -> bool {
    collector.bytes().windows(bytes.len()).any(|window| window == bytes)
}
