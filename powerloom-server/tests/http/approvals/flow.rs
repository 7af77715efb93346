//! From asking to being made, or not.

use super::{gated, id};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::manifest::{ParseMode, Plan, Through, parse};
use serde_json::{Value, json};
use std::time::Duration;

/// Rows P96–P99, P101 and M34: it waits, its approver sees it, and the vote that decides makes it.
#[tokio::test]
async fn a_held_change_is_seen_by_its_approver_and_made_by_the_vote() {
    let g = gated(json!({})).await;
    let pending = g.post(&g.ada, "/agents", g.agent("held")).await.expect(202);
    assert_eq!(pending.body["status"], "pending_approval");
    let request = pending.body["request_id"].as_str().unwrap();
    assert!(request.starts_with("req_"), "{request}");
    assert_eq!(pending.header("location"), format!("/approvals/{request}"));
    assert!(pending.body["message"].as_str().unwrap().contains("once approved"), "{}", pending.text);
    assert!(g.agents().await.is_empty());

    let inbox = g.get(&g.grace, "/approvals").await.expect(200);
    let seen = &inbox.body["items"][0];
    assert_eq!((id(seen), &seen["state"]), (request, &json!("pending")));
    assert_eq!((&seen["verb"], &seen["resource_kind"]), (&json!("agent.create"), &json!("Agent")));
    assert_eq!(
        (&seen["scope_ou"], &seen["ou_path"]),
        (&json!("/acme/production"), &json!("/acme/production"))
    );
    assert_eq!(seen["requester"]["written"], "user:ada@acme.com");
    assert_eq!(seen["requester"]["principal"], format!("user:{}", g.ada_id));
    assert_eq!(seen["after"]["name"], "held");
    let need = &seen["requirements"][0];
    assert_eq!(
        (&need["name"], &need["quorum"], &need["approvals"]),
        (&json!("two-eyes"), &json!(1), &json!(0))
    );
    assert_eq!(need["approver_refs"], json!(["role:Approver"]));
    assert_eq!((&seen["outcome"], &seen["resource_id"]), (&Value::Null, &Value::Null));
    // Neither she who asked nor anybody else has it in their inbox.
    assert!(g.ids(&g.ada, "/approvals").await.is_empty());
    assert_eq!(g.ids(&g.ada, "/approvals?view=mine").await, [request]);
    assert_eq!(g.ids(&g.grace, "/approvals?view=all&state=pending&resource_kind=Agent").await, [request]);
    assert!(g.ids(&g.grace, "/approvals?view=all&resource_kind=Skill").await.is_empty());
    let change = g.get(&g.grace, &format!("/approvals/{request}/change")).await.expect(200);
    assert_eq!((&change.body["mutation"]["action"], &change.body["plan"]), (&json!("create"), &Value::Null));
    assert_eq!(change.body["payload_hash"], seen["payload_hash"]);

    let voted = g.vote(&g.grace, seen, "approve").await.expect(200);
    assert_eq!(voted.body["state"], "approved");
    assert_eq!(voted.body["votes"][0]["written"], "user:grace@acme.com");
    let made = &voted.body["outcome"]["applied"]["key"];
    let agent = g.w.get(&format!("/agents/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&agent.body["name"], &agent.body["owner_principal_ref"]),
        (&json!("held"), &json!("user:ada@acme.com"))
    );
    assert!(g.ids(&g.grace, "/approvals").await.is_empty());
    assert_eq!(g.ids(&g.grace, "/approvals?view=all&state=approved").await, [request]);
    let read = g.get(&g.ada, &format!("/approvals/{request}")).await.expect(200);
    assert_eq!(read.body, voted.body);
}

/// Row P100.
#[tokio::test]
async fn a_rejected_change_is_not_made_and_no_longer_waits() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let path = format!("/approvals/{}/votes", id(&request));
    let body =
        json!({ "ballot": "reject", "payload_hash": request["payload_hash"], "comment": "not on a Friday" });
    let rejected = g.post(&g.grace, &path, body).await.expect(200);
    assert_eq!(rejected.body["state"], "rejected");
    assert_eq!(rejected.body["votes"][0]["comment"], "not on a Friday");
    assert_eq!(rejected.body["requirements"][0]["rejections"], 1);
    assert!(g.agents().await.is_empty());
    let late = g.vote(&g.grace, &request, "approve").await.expect(409);
    assert_eq!(late.code(), "approval_decided");
}

/// Row P100: time decides, whether or not anybody has noticed.
#[tokio::test]
async fn a_request_whose_time_ran_out_is_expired_and_makes_nothing() {
    let g = gated(json!({ "ttl_seconds": 60 })).await;
    let request = g.asked("held").await;
    let path = format!("/approvals/{}", id(&request));
    g.clock.advance(Duration::from_secs(60));
    let seen = g.get(&g.ada, &path).await.expect(200);
    assert_eq!((&seen.body["state"], &seen.body["outcome"]["decided_at"]), (&json!("expired"), &Value::Null));
    let late = g.vote(&g.grace, &request, "approve").await.expect(409);
    assert_eq!(late.code(), "approval_expired");
    assert!(g.agents().await.is_empty());
    let noted = g.get(&g.ada, &path).await.expect(200);
    assert!(noted.body["outcome"]["decided_at"].is_string(), "{}", noted.text);
}

/// Row P99: the change is judged again when it is made.
#[tokio::test]
async fn an_approved_change_that_cannot_be_made_any_more_has_failed() {
    let g = gated(json!({})).await;
    let request = g.asked("held").await;
    let ada = g.w.patch(&format!("/users/{}", g.ada_id), json!({ "disabled": true })).await;
    ada.expect(200);
    let voted = g.vote(&g.grace, &request, "approve").await.expect(200);
    assert_eq!((&voted.body["state"], &voted.body["outcome"]["code"]), (&json!("failed"), &json!("denied")));
    assert!(g.agents().await.is_empty());
}

#[tokio::test]
async fn a_list_is_walked_page_by_page_newest_first() {
    let g = gated(json!({})).await;
    let mut asked = Vec::new();
    for name in ["one", "two", "three"] {
        asked.insert(0, id(&g.asked(name).await).to_owned());
        g.clock.advance(Duration::from_millis(5));
    }
    let mut seen = Vec::new();
    let mut path = "/approvals?limit=2".to_owned();
    loop {
        let page = g.get(&g.grace, &path).await.expect(200);
        seen.extend(page.body["items"].as_array().unwrap().iter().map(|request| id(request).to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/approvals?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, asked);
    assert_eq!(g.ids(&g.grace, &format!("/approvals?ou_id={}", g.production)).await, asked);
    assert!(g.ids(&g.grace, &format!("/approvals?ou_id={}", g.w.other.root_ou)).await.is_empty());
}

/// Of a plan, the approver reads the plan.
#[tokio::test]
async fn what_a_request_for_a_plan_is_for_is_the_plan() {
    let g = gated(json!({})).await;
    let text = "{kind: Agent, metadata: {name: one, ou_path: /acme/production}, spec: {model: m-1, system_prompt: x, agent_kind: user, owner_principal_ref: 'user:ada@acme.com'}}";
    let documents = parse("test.yaml", text, ParseMode::Lenient, g.w.loom.catalogue()).unwrap().documents;
    let ada = Caller::user(g.w.acme.id, g.ada_id);
    let through = Through::new(&g.w.loom, &ada);
    let plan = through.plan(documents).await.unwrap();
    let Outcome::Pending { request_id } = through.submit_plan(&plan, None).await.unwrap() else { panic!() };
    let change = g.get(&g.grace, &format!("/approvals/{request_id}/change")).await.expect(200);
    assert_eq!((&change.body["purpose"], &change.body["mutation"]), (&json!("plan"), &Value::Null));
    let read: Plan = serde_json::from_value(change.body["plan"].clone()).unwrap();
    assert_eq!(read.digest().unwrap(), plan.digest().unwrap());
    assert_eq!(change.body["payload_hash"], json!(plan.digest().unwrap()));
}

/// Whoever decides on a token sees all of it but what its secret is recognized by.
#[tokio::test]
async fn the_change_of_a_token_that_waits_shows_no_digest_of_its_secret() {
    let g = gated(json!({})).await;
    let policy = json!({
        "name": "tokens", "ou_id": g.w.acme.root_ou, "approvers": ["role:Approver"],
        "match": { "resource_kinds": ["ApiToken"] },
    });
    g.w.post("/approval-policies", policy).await.expect(201);
    let wanted = json!({ "name": "ci", "scopes": ["agent:read"], "lifetime_seconds": 3600 });
    g.post(&g.ada, "/tokens", wanted).await.expect(202);
    let asked = g.ids(&g.grace, "/approvals").await;
    let change = g.get(&g.grace, &format!("/approvals/{}/change", asked[0])).await.expect(200);
    assert_eq!(change.body["mutation"]["action"], "create_api_token", "{}", change.text);
    assert_eq!(change.body["mutation"]["digest"], "0".repeat(64));
}
