//! Sessions and their events, a page at a time (rows P9, P86–P95).

use crate::sessions::stage::{Stage, number};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Newest first, by agent, by whether they run; each once.
#[tokio::test]
async fn sessions_are_listed_newest_first() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.running().await.to_string());
    }
    ids.reverse();
    let settled = stage.settled(0).await.id.to_string();
    let seen = async |query: &str| {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = stage.world.get(&format!("/sessions?limit=2{query}{cursor}")).await.expect(200).body;
            let items = page["items"].as_array().unwrap().clone();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    assert_eq!(seen("&active=true").await, ids);
    let all: Vec<String> = [settled].into_iter().chain(ids).collect();
    assert_eq!(seen("").await, all);
    assert_eq!(seen(&format!("&agent_id={}", stage.agent)).await, all);
    let other = stage.new_agent("other").await;
    assert_eq!(seen(&format!("&agent_id={other}")).await, Vec::<String>::new());
    for bad in ["limit=0", "limit=1001", "cursor=x", "agent_id=x", "status=running"] {
        assert_eq!(stage.world.get(&format!("/sessions?{bad}")).await.expect(400).code(), "invalid", "{bad}");
    }
}

/// One's own, and those of others with `session:list_all`; those of another organization are not there.
#[tokio::test]
async fn a_session_is_seen_by_those_who_may() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let (_, operator) = stage.world.person("operator@acme.com", &["AgentOperator"]).await;
    let (_, nobody) = stage.world.person("nobody@acme.com", &[]).await;
    let stranger = stage.world.token(stage.world.other.id, stage.world.other.admin).await;
    let own = stage
        .world
        .as_of(&operator, Method::POST, &stage.invoke_path(), Some(json!({ "prompt": "Hi" })))
        .await;
    let own = own.expect(201).body["session_id"].as_str().unwrap().to_owned();
    let listed = async |token: &str| {
        let list = stage.world.as_of(token, Method::GET, "/sessions", None).await.expect(200);
        let items = list.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(listed(&operator).await, BTreeSet::from([own.clone()]));
    assert_eq!(listed(&stage.world.admin).await, BTreeSet::from([own, id.to_string()]));
    assert!(listed(&nobody).await.is_empty() && listed(&stranger).await.is_empty());

    let absent = "00000000-0000-7000-8000-000000000009";
    for (method, path) in
        [(Method::GET, ""), (Method::GET, "/events"), (Method::POST, "/ticket"), (Method::POST, "/cancel")]
    {
        let of = |id: &str| format!("/sessions/{id}{path}");
        let denied = stage.world.as_of(&nobody, method.clone(), &of(&id.to_string()), None).await;
        assert_eq!(denied.expect(403).code(), "denied");
        let foreign =
            stage.world.as_of(&stranger, method.clone(), &of(&id.to_string()), None).await.expect(404);
        let missing = stage.world.as_of(&stranger, method, &of(absent), None).await.expect(404);
        assert_eq!(foreign.text.replace(&id.to_string(), absent), missing.text);
    }
}

/// Sem. 2.7: gapless pages of at most 500, from anywhere; what comes next is behind `next_after`, now or later.
#[tokio::test]
async fn events_are_read_by_the_page() {
    let stage = Stage::new().await;
    let record = stage.settled(700).await;
    let path = format!("/sessions/{}/events", record.id);
    let first = stage.world.get(&format!("{path}?limit=500")).await.expect(200).body;
    let event = &first["items"][0];
    assert_eq!((&event["seq"], &event["type"]), (&json!("1"), &json!("powerloom.session_created")));
    assert_eq!(event["session_id"], json!(record.id));
    assert!(event["at"].is_string() && event["payload"].is_object() && event["event_id"].is_null());
    assert_eq!((&first["next_after"], first["items"].as_array().unwrap().len()), (&json!("500"), 500));
    let by_cursor = format!("{path}?limit=500&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = stage.world.get(&by_cursor).await.expect(200).body;
    assert_eq!(second, stage.world.get(&format!("{path}?limit=500&after=500")).await.expect(200).body);
    assert_eq!((number(&second["items"][0]["seq"]), &second["next_cursor"]), (501, &Value::Null));
    assert_eq!(number(&second["next_after"]), record.last_seq.number());
    let end = stage.world.get(&format!("{path}?after={}", record.last_seq)).await.expect(200).body;
    assert_eq!(end, json!({ "items": [], "next_cursor": null, "next_after": record.last_seq }));
    for bad in ["limit=0", "limit=501", "after=x", "after=1&cursor=IjEi", "cursor=x", "from=1"] {
        assert_eq!(stage.world.get(&format!("{path}?{bad}")).await.expect(400).code(), "invalid", "{bad}");
    }
    assert_eq!(stage.world.get("/sessions/x").await.expect(400).code(), "invalid");
}

/// Rows P9, P86–P90: where a session is, and what it came to.
#[tokio::test]
async fn a_session_says_where_it_is() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}");
    let running = stage.world.get(&path).await.expect(200).body;
    assert_eq!((&running["status"], &running["settled_at"]), (&json!("running"), &Value::Null));
    assert_eq!(running["started_by"], format!("user:{}", stage.world.acme.admin));
    assert!(running.get("delegation").is_none());
    stage.runtime.say(id, "session.status_terminated", json!({}));
    stage.wait(id).await;
    let settled = stage.world.get(&path).await.expect(200).body;
    assert_eq!((&settled["status"], &settled["event_count"]), (&json!("terminated"), &json!(3)));
}

/// Rows P93–P95: ten events, MCP servers, and no MCP call.
#[tokio::test]
async fn a_session_that_silently_went_without_its_tools_is_flagged() {
    let stage = Stage::new().await;
    let server = json!({ "name": "orders", "ou_id": stage.world.acme.root_ou, "url": "https://orders.example.com/mcp" });
    let server = stage.world.post("/mcp-servers", server).await.expect(201).id().to_owned();
    stage
        .world
        .patch(&format!("/agents/{}", stage.agent), json!({ "mcp_servers": [server] }))
        .await
        .expect(200);
    stage.reconcile().await;
    // The prompt, the start and the end are events too.
    for (words, flagged) in [(6, false), (7, true)] {
        let record = stage.settled(words).await;
        let shown = stage.world.get(&format!("/sessions/{}", record.id)).await.expect(200).body;
        assert_eq!(shown["event_count"], words + 3);
        assert_eq!(shown["degradation_flagged"], flagged, "{words} words");
        assert_eq!(shown["degradation_reason"], if flagged { json!("no_mcp_calls") } else { Value::Null });
    }
}
