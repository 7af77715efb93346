//! May somebody, why, who can, what can.

use super::{Tree, tree};
use serde_json::{Value, json};

#[tokio::test]
async fn a_check_says_yes_or_no_and_by_which_binding() {
    let t = tree().await;
    let mut question = json!({ "permission": "agent:create", "ou_path": "/acme/eng" });
    let own = t.ask(&t.ada, "check", question.clone()).await.expect(200).body;
    assert_eq!((&own["allowed"], &own["as_of"]), (&json!(true), &Value::Null));
    assert_eq!(own["decision"]["name"], "user:ada@acme.com");
    assert_eq!(own["decision"]["bindings"][0]["binding"], t.grant);
    let via = &own["decision"]["bindings"][0]["via"];
    assert_eq!((&via["kind"], &via["chain"]), (&json!("group"), &json!(["group:/acme/reviewers"])));

    question["principal_ref"] = json!("user:ada@acme.com");
    assert_eq!(t.asked("check", question.clone()).await, own, "others are told the same");
    question.as_object_mut().unwrap().remove("principal_ref");
    question["principal"] = json!(format!("user:{}", t.ada_id));
    assert_eq!(t.asked("check", question.clone()).await, own);
    let by_id = json!({ "permission": "agent:create", "ou_id": t.eng });
    assert_eq!(t.ask(&t.ada, "check", by_id).await.expect(200).body, own);

    question["permission"] = json!("agent:archive");
    let denied = t.asked("check", question.clone()).await;
    assert_eq!(
        (&denied["allowed"], &denied["decision"]["resolution"]),
        (&json!(false), &json!("explicit_deny"))
    );
    question["permission"] = json!("agent:create");
    question["ou_path"] = json!("/acme");
    let above = t.asked("check", question).await;
    assert_eq!(above["decision"]["resolution"], "no_matching_grant");
}

/// Sem. 2.10: what somebody may is one thing, what their token may another.
#[tokio::test]
async fn about_oneself_the_scopes_of_the_token_count() {
    let t = tree().await;
    let token = json!({ "name": "ci", "scopes": ["agent:read"], "lifetime_seconds": 3600 });
    let token = t.w.as_of(&t.ada, reqwest::Method::POST, "/tokens", Some(token)).await.expect(201);
    let token = token.body["token"].as_str().unwrap();
    let question = json!({ "permission": "agent:create", "ou_path": "/acme/eng" });
    let own = t.ask(token, "check", question.clone()).await.expect(200).body;
    assert_eq!(own["decision"]["resolution"], "beyond_ceiling");
    let list = t.ask(token, "what-can", json!({ "ou_path": "/acme/eng" })).await.expect(200).body;
    let allowed: Vec<&str> = names(&list["allowed"], "permission");
    assert_eq!(allowed, ["agent:read"]);
}

/// Asking about others needs `binding:read`, whether or not they exist.
#[tokio::test]
async fn nobody_asks_about_others_without_permission() {
    let t = tree().await;
    let place = json!({ "ou_path": "/acme/eng", "permission": "agent:create" });
    let with = |field: &str, value: &str| {
        let mut body = place.clone();
        body[field] = json!(value);
        body
    };
    let ada = format!("user:{}", t.ada_id);
    let unknown = "user:0198c0de-0000-7000-8000-000000000001";
    let others = [
        with("principal_ref", "user:ada@acme.com"),
        with("principal_ref", "user:nobody@acme.com"),
        with("principal", &ada),
        with("principal", unknown),
    ];
    for question in ["check", "explain", "what-can"] {
        for body in &others {
            let mut body = body.clone();
            if question == "what-can" {
                body.as_object_mut().unwrap().remove("permission");
            }
            let denied = t.ask(&t.eve, question, body.clone()).await.expect(403);
            assert_eq!(denied.body["error"]["detail"]["permission"], "binding:read", "{question} {body}");
        }
    }
    let denied = t.ask(&t.eve, "who-can", place.clone()).await.expect(403);
    assert_eq!(denied.body["error"]["detail"]["permission"], "binding:read");
    // About oneself everybody may ask, by whatever name.
    for body in [place.clone(), with("principal_ref", "user:eve@acme.com")] {
        let own = t.ask(&t.eve, "check", body).await.expect(200);
        assert_eq!(own.body["allowed"], false);
    }
    // Who may know is told that nobody is called so (row M35).
    let nobody = t.ask(&t.w.admin, "check", with("principal_ref", "user:nobody@acme.com")).await.expect(404);
    assert!(nobody.text.contains("user:nobody@acme.com"), "{}", nobody.text);
    assert_eq!(t.ask(&t.w.admin, "check", with("principal", unknown)).await.expect(404).code(), "not_found");
}

/// Row M33, and the way out of a denial.
#[tokio::test]
async fn a_denial_is_explained_with_what_would_help_and_who_could() {
    let t = tree().await;
    let mut question = json!({
        "permission": "agent:invoke", "ou_path": "/acme/eng", "principal_ref": "user:ada@acme.com",
    });
    let why = t.asked("explain", question.clone()).await;
    assert_eq!(why["decision"]["verdict"], "deny");
    let text = why["text"].as_str().unwrap();
    assert!(text.contains("you need `agent:invoke` on `/acme/eng`"), "{text}");
    assert!(text.contains("; nearest: bind `AgentOperator` to `user:ada@acme.com` at `/acme/eng`"), "{text}");
    assert_eq!(why["remedies"][0]["by"], json!(["user:admin@acme.com"]));
    question["permission"] = json!("agent:archive");
    let text = t.asked("explain", question.clone()).await["text"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("remove binding `{}`", t.deny)), "{text}");
    question["permission"] = json!("agent:create");
    let allowed = t.asked("explain", question).await;
    assert_eq!((&allowed["remedies"], &allowed["decision"]["verdict"]), (&json!([]), &json!("allow")));
    // Ada may ask why, but not who else could help.
    let own =
        t.ask(&t.ada, "explain", json!({ "permission": "agent:invoke", "ou_id": t.eng })).await.expect(200);
    assert_eq!(own.body["remedies"][0]["by"], Value::Null);
}

#[tokio::test]
async fn those_who_can_are_listed_page_by_page_with_the_way_it_comes() {
    let t = tree().await;
    let mut question = json!({ "permission": "agent:create", "ou_path": "/acme/eng", "limit": 1 });
    let mut seen = Vec::new();
    loop {
        let page = t.asked("who-can", question.clone()).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        seen.push(items[0].clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        question["cursor"] = json!(cursor);
    }
    let all = Value::Array(seen);
    assert_eq!(names(&all, "name"), ["group:/acme/reviewers", "user:ada@acme.com", "user:admin@acme.com"]);
    assert_eq!(all[1]["by"][0]["binding"], t.grant);
    assert_eq!(all[2]["by"][0]["role"], "OrgAdmin");
    // Denied, she is not among them, though the group still is.
    let archive = t.asked("who-can", json!({ "permission": "agent:archive", "ou_id": t.eng })).await;
    assert!(!names(&archive["items"], "name").contains(&"user:ada@acme.com"));
}

#[tokio::test]
async fn what_somebody_can_is_listed_with_what_is_withheld() {
    let t = tree().await;
    let own = t.ask(&t.ada, "what-can", json!({ "ou_path": "/acme/eng" })).await.expect(200).body;
    assert!(names(&own["allowed"], "permission").contains(&"agent:create"));
    assert_eq!(own["withheld"][0]["permission"], "agent:archive");
    assert_eq!(own["withheld"][0]["resolution"], "explicit_deny");
    let asked = t.asked("what-can", json!({ "ou_id": t.eng, "principal_ref": "user:ada@acme.com" })).await;
    assert_eq!(asked, own);
}

/// Always the one envelope, naming the field; an OU of another organization does not exist.
#[tokio::test]
async fn a_bad_question_is_refused_and_the_field_is_named() {
    let t = tree().await;
    let foreign = t.w.other.root_ou.to_string();
    let unknown = "0198c0de-0000-7000-8000-000000000001";
    let cases: Vec<(&str, Value, &str)> = vec![
        ("permission", json!("agent:fly"), "permission"),
        ("permission", json!("agent:*"), "permission"),
        ("permission", Value::Null, "permission"),
        ("ou_path", json!("/acme/nowhere"), "ou_path"),
        ("ou_path", json!("/other"), "ou_path"),
        ("ou_path", json!("acme"), "ou_path"),
        ("ou_path", Value::Null, "ou_id"),
        ("ou_id", json!(t.eng), "ou_path"),
        ("everywhere", json!(true), "everywhere"),
    ];
    let questions = ["check", "explain", "who-can", "what-can", "history"];
    for question in questions {
        for (field, value, named) in &cases {
            if question == "what-can" && *field == "permission" {
                continue;
            }
            let mut body = json!({ "permission": "agent:read", "ou_path": "/acme/eng" });
            body[*field] = value.clone();
            if question == "what-can" {
                body.as_object_mut().unwrap().remove("permission");
            }
            refused(&t, question, body, named).await;
        }
    }
    for question in ["check", "explain", "who-can"] {
        for ou in [foreign.as_str(), unknown, "acme"] {
            let answer =
                refused(&t, question, json!({ "permission": "agent:read", "ou_id": ou }), "ou_id").await;
            assert!(!answer.contains("other"), "{answer}");
        }
    }
    for (field, value) in [
        ("limit", json!(0)),
        ("limit", json!(1001)),
        ("limit", json!(100_000)),
        ("limit", json!("many")),
        ("cursor", json!("x")),
        ("cursor", json!("e30")),
    ] {
        let mut body = json!({ "permission": "agent:read", "ou_path": "/acme" });
        body[field] = value;
        refused(&t, "who-can", body, field).await;
    }
    let both = json!({
        "permission": "agent:read", "ou_path": "/acme", "principal": "service:ci", "principal_ref": "service:ci",
    });
    for question in ["check", "explain", "history"] {
        refused(&t, question, both.clone(), "principal_ref").await;
    }
    let named = json!({ "permission": "agent:read", "ou_path": "/acme", "principal_ref": "ada" });
    refused(&t, "check", named, "principal_ref").await;
}

async fn refused(t: &Tree, question: &str, body: Value, named: &str) -> String {
    let answer = t.ask(&t.w.admin, question, body.clone()).await.expect(400);
    assert_eq!(answer.code(), "invalid", "{question} {body}");
    assert_eq!(answer.body["error"]["detail"]["field"], named, "{question} {body}: {}", answer.text);
    answer.text
}

fn names<'a>(items: &'a Value, field: &str) -> Vec<&'a str> {
    items.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}
