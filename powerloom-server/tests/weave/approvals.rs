//! What waits for people, and deciding it (rows P97–P101, M34).

use crate::bench::{Bench, run};

const RULE: &str = "
{kind: User, metadata: {email: grace@acme.com, ou_path: /acme}}
---
{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {principal_ref: 'user:grace@acme.com', role: Approver}}
---
{kind: ApprovalPolicy, metadata: {name: skills, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, approvers: ['role:Approver']}}
";

const SKILL: &str = "{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {display_name: Lint}}";

async fn governed() -> Bench {
    let bench = Bench::new().await;
    run(bench.command(&["apply", "-", "--yes"]), RULE).expect(0);
    bench
}

/// Applies the skill, which waits, and says which request it waits for.
fn asked(bench: &Bench) -> String {
    let waits = run(bench.command(&["apply", "-", "--yes", "-o", "json"]), SKILL).expect(3);
    waits.json()["lines"][0]["request_id"].as_str().unwrap().to_owned()
}

fn as_grace(bench: &Bench, arguments: &[&str]) -> crate::bench::Ran {
    let mut all = vec!["--as", "grace@acme.com"];
    all.extend(arguments);
    bench.weave(&all)
}

#[tokio::test]
async fn a_plan_says_whom_it_asks_and_a_change_that_waits_is_made_once_approved() {
    let bench = governed().await;
    let planned = run(bench.command(&["plan", "-"]), SKILL).expect(0);
    assert!(planned.out.contains("asks 1 of role:Approver (skills at /acme)"), "{}", planned.out);
    assert!(planned.out.contains("1 will wait for approval"), "{}", planned.out);

    let request = asked(&bench);
    let inbox = as_grace(&bench, &["approvals", "list"]).expect(0);
    assert!(inbox.out.contains(&request) && inbox.out.contains("0/1"), "{}", inbox.out);
    let shown = as_grace(&bench, &["approvals", "show", &request, "--change"]).expect(0);
    assert!(shown.out.contains("signed is") && shown.out.contains("+   display_name: Lint"), "{}", shown.out);
    assert!(shown.out.contains("user:admin@acme.com"), "{}", shown.out);

    as_grace(&bench, &["approvals", "approve", &request]).expect(2);
    let decided =
        as_grace(&bench, &["approvals", "approve", &request, "--yes", "--comment", "fine"]).expect(0);
    assert!(decided.out.contains("is approved") && decided.err.contains("signed is"), "{decided:?}");
    bench.weave(&["get", "skill", "lint"]).expect(0);
}

#[tokio::test]
async fn a_vote_for_something_else_than_was_shown_is_not_sent() {
    let bench = governed().await;
    let request = asked(&bench);
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let vote = ["approvals", "approve", request.as_str(), "--yes", "--payload-hash", other];
    let refused = as_grace(&bench, &vote).expect(2);
    assert!(refused.err.contains("nothing was voted"), "{}", refused.err);
}

#[tokio::test]
async fn a_request_is_rejected_or_taken_back() {
    let bench = governed().await;
    let request = asked(&bench);
    let rejected = as_grace(&bench, &["approvals", "reject", &request, "--yes", "--comment", "no"]).expect(0);
    assert!(rejected.out.contains("is rejected"), "{}", rejected.out);
    let again = asked(&bench);
    assert_ne!(again, request);
    let unasked = bench.weave(&["approvals", "cancel", &again]).expect(2);
    assert!(
        unasked.err.contains("as user:admin@acme.com") && unasked.err.contains("--yes"),
        "{}",
        unasked.err
    );
    let cancel = ["approvals", "cancel", &again, "--reason", "not needed", "--yes"];
    let cancelled = bench.weave(&cancel).expect(0);
    assert!(cancelled.out.contains("is cancelled"), "{}", cancelled.out);
    let mine = bench.weave(&["approvals", "list", "--view", "mine", "-o", "json"]).expect(0).json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_whole_plan_is_approved_and_applied_under_its_request() {
    let bench = governed().await;
    let file = bench.write("skill.yaml", SKILL);
    let submit =
        ["plan", file.as_str(), "--out", "plan.json", "--submit", "--justification", "we grow", "-o", "name"];
    let waits = bench.weave(&submit).expect(3);
    let request = waits.out.lines().last().unwrap().to_owned();
    assert!(request.starts_with("req_"), "{waits:?}");
    let shown = as_grace(&bench, &["approvals", "show", &request]).expect(0);
    assert!(
        shown.out.contains("because         we grow") && shown.out.contains("+ Skill /acme/lint"),
        "{}",
        shown.out
    );
    let approved = as_grace(&bench, &["approvals", "approve", &request, "--yes"]).expect(0);
    assert!(approved.err.contains("+ Skill /acme/lint"), "{}", approved.err);
    let applied = bench.weave(&["apply", "plan.json", "--under", &request, "--yes"]).expect(0);
    assert!(applied.out.contains("Applied: 1 created."), "{}", applied.out);
}

/// The change is made without waiting, and people judge it afterwards.
#[tokio::test]
async fn whoever_breaks_the_glass_says_why_and_is_reviewed() {
    let bench = governed().await;
    let request = asked(&bench);
    let glass = ["approvals", "break-glass", request.as_str()];
    bench.weave(&[glass.as_slice(), &["--yes"]].concat()).expect(2);
    let why = ["--justification", "production is down"];
    let unasked = bench.weave(&[glass.as_slice(), &why].concat()).expect(2);
    assert!(unasked.err.contains("signed is") && unasked.err.contains("--yes"), "{}", unasked.err);
    assert!(bench.weave(&["get", "skill", "lint"]).expect(1).err.contains("there is none called `lint`"));
    let denied = as_grace(&bench, &[glass.as_slice(), &why, &["--yes"]].concat()).expect(1);
    assert!(denied.err.contains("(denied)"), "{}", denied.err);
    assert_eq!(
        bench.weave(&["approvals", "show", &request, "-o", "name"]).expect(0).out,
        format!("{request}\n")
    );
    let broken = bench.weave(&[glass.as_slice(), &why, &["--yes"]].concat()).expect(0);
    assert!(broken.err.contains("the change is made; its review is req_"), "{}", broken.err);
    bench.weave(&["get", "skill", "lint"]).expect(0);
    let inbox = as_grace(&bench, &["approvals", "list", "-o", "json"]).expect(0).json();
    assert_eq!(inbox["items"][0]["purpose"], "review", "{inbox}");
}
