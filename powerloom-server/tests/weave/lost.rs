//! Answers that get lost on the way.

use crate::bench::run;
use crate::house::House;
use crate::scissors::Scissors;

const OU: &str = "{kind: OU, metadata: {name: eng, ou_path: /acme}}";

/// The change is made, its answer is lost: the same request is sent again with the same key, and answered as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_is_made_once_and_told() {
    let house = House::new().await;
    let lost = |question: &str, _: &str| question.starts_with("POST /manifests/apply").then_some(0);
    let between = Scissors::before(&house.url, 1, lost).await;
    let command = house.command_at(&between.url, &house.admin, &["apply", "-", "--yes"]);
    let applied = tokio::task::spawn_blocking(move || run(command, OU)).await.unwrap().expect(0);
    assert_eq!(between.cuts(), 1);
    assert!(applied.out.contains("Applied: 1 created."), "{}", applied.out);
    let ou = house.weave(&["get", "ou", "/acme/eng", "-o", "json"]).await.expect(0).json();
    let of = ["audit", "list", "--verb", "ou.create", "--resource", ou["id"].as_str().unwrap(), "-o", "json"];
    let trail = house.weave(&of).await.expect(0).json();
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");
}

/// A token is shown once: its creation is not sent again, and what happened is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_whose_answer_is_lost_is_not_made_a_second_time() {
    let house = House::new().await;
    let lost = |question: &str, _: &str| question.starts_with("POST /tokens").then_some(0);
    let between = Scissors::before(&house.url, 1, lost).await;
    let create = ["token", "create", "ci", "--scope", "agent:read", "-o", "name"];
    let command = house.command_at(&between.url, &house.admin, &create);
    let told = tokio::task::spawn_blocking(move || run(command, "")).await.unwrap().expect(1);
    assert!(told.err.contains("did not answer to its end") && told.out.is_empty(), "{told:?}");
    let tokens = house.weave(&["token", "list", "-o", "json"]).await.expect(0).json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1);
}

/// What a token is good for, and that it is on standard output alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_alone_on_standard_output_and_works_until_it_is_revoked() {
    let house = House::new().await;
    let create = [
        "token",
        "create",
        "ci",
        "--scope",
        "agent:read",
        "--lifetime",
        "1h",
        "--justification",
        "for the build",
        "-o",
        "name",
    ];
    let made = house.weave(&create).await.expect(0);
    let token = made.out.trim();
    assert!(!token.is_empty() && !made.err.contains(token), "{made:?}");
    let list = |token: String| {
        let command = house.command_at(&house.url, &token, &["get", "agents"]);
        tokio::task::spawn_blocking(move || run(command, ""))
    };
    list(token.to_owned()).await.unwrap().expect(0);
    let tokens = house.weave(&["token", "list", "-o", "name"]).await.expect(0);
    let unasked = house.weave(&["token", "revoke", tokens.out.trim()]).await.expect(2);
    assert!(
        unasked.err.contains("as user:admin@acme.com") && unasked.err.contains("--yes"),
        "{}",
        unasked.err
    );
    list(token.to_owned()).await.unwrap().expect(0);
    house.weave(&["token", "revoke", tokens.out.trim(), "--yes"]).await.expect(0);
    list(token.to_owned()).await.unwrap().expect(1);
}
