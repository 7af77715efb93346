//! How it was, and since when.

use super::tree;
use serde_json::json;

#[tokio::test]
async fn a_check_of_the_past_is_decided_as_it_was_then_and_names_who_gave_it() {
    let t = tree().await;
    let before = t.w.loom.store().audit_head(t.w.acme.id).await.unwrap().seq;
    t.w.delete(&format!("/role-bindings/{}", t.grant)).await.expect(204);
    let mut question = json!({
        "permission": "agent:create", "ou_path": "/acme/eng", "principal_ref": "user:ada@acme.com",
    });
    assert_eq!(t.asked("check", question.clone()).await["allowed"], false);
    question["as_of_seq"] = json!(before);
    let then = t.asked("check", question.clone()).await;
    assert_eq!((&then["allowed"], &then["as_of"]["seq"]), (&json!(true), &json!(before)));
    assert_eq!(then["as_of"]["given_by"][0]["actor"], "user:admin@acme.com");
    assert_eq!(then["as_of"]["given_by"][0]["binding"], t.grant);
    // It needs more than a question about the present.
    let denied = t.ask(&t.ada, "check", question.clone()).await.expect(403);
    assert_eq!(denied.body["error"]["detail"]["permission"], "audit:read");
    question["as_of_seq"] = json!(1_000_000);
    assert_eq!(t.ask(&t.w.admin, "check", question).await.expect(404).code(), "not_found");
}

#[tokio::test]
async fn a_history_tells_since_when_and_by_which_entries() {
    let t = tree().await;
    t.w.delete(&format!("/role-bindings/{}", t.grant)).await.expect(204);
    let last = t.w.loom.store().audit_head(t.w.acme.id).await.unwrap().seq;
    let mut question = json!({ "permission": "agent:create", "ou_path": "/acme/eng" });
    question["principal"] = json!(format!("user:{}", t.ada_id));
    let history = t.asked("history", question.clone()).await;
    let intervals = history["intervals"].as_array().unwrap();
    let verdicts: Vec<&str> =
        intervals.iter().map(|it| it["decision"]["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["deny", "allow", "deny"]);
    assert_eq!((&intervals[2]["from"]["by"], &intervals[2]["from"]["seq"]), (&json!("change"), &json!(last)));
    question["from_seq"] = json!(last);
    let rest = t.asked("history", question.clone()).await;
    assert_eq!(rest["intervals"].as_array().unwrap().len(), 1);
    t.ask(&t.ada, "history", question).await.expect(403);
    let mine = json!({ "permission": "agent:create", "ou_path": "/acme" });
    assert_eq!(t.asked("history", mine).await["intervals"][0]["decision"]["name"], "user:admin@acme.com");
}
