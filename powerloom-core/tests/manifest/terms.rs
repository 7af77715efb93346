//! Under which terms a plan is carried out: which plan, why, and once however often it is sent.

use crate::house::House;
use powerloom_core::digest::Digest;
use powerloom_core::door::caller::Caller;
use powerloom_core::error::Error;
use powerloom_core::manifest::{
    ApplyOptions, MAX_BYTES, MAX_STEPS, ParseMode, Plan, Report, StepResult, Through, parse_all, to_yaml,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn skills(names: &[&str]) -> String {
    let skill = |name: &&str| format!("{{kind: Skill, metadata: {{name: {name}, ou_path: /acme}}}}");
    names.iter().map(skill).collect::<Vec<_>>().join("\n---\n")
}

async fn keyed(house: &House, plan: &Plan, key: &str) -> Result<Report, Error> {
    Through::new(&house.cp, &house.admin).idempotency_key(key).apply(plan, ApplyOptions::default()).await
}

/// Sem. 2.14, P97: what a policy wants to know of each step is said once, for all of them.
#[tokio::test]
async fn a_reason_lets_every_step_past_a_policy_that_wants_one() {
    let house = House::new().await;
    house.declare("{kind: ApprovalPolicy, metadata: {name: say-why, ou_path: /acme}, spec: {match: {resource_kinds: [Skill]}, mode: require_justification}}").await;
    let plan = house.plan(&skills(&["lint", "test"])).await;
    let through = Through::new(&house.cp, &house.admin);
    let silent = through.apply(&plan, ApplyOptions::default()).await.unwrap();
    for line in &silent.lines {
        let StepResult::Failed { message, .. } = &line.result else { panic!("{silent}") };
        assert!(message.contains("`say-why` wants a justification"), "{silent}");
    }
    let why = "the review team asked for it";
    let report = through.justification(why).apply(&plan, ApplyOptions::default()).await.unwrap();
    assert!(report.is_complete(), "{report}");
    let trail = house.cp.audit(&house.admin, &Default::default()).await.unwrap();
    let said = trail.iter().filter(|entry| entry.change().unwrap().to_string().contains(why));
    assert_eq!(said.count(), 2, "the trail says why of both");
}

/// Sem. 2.14: a lost answer is asked for again, and nothing is made twice or called stale.
#[tokio::test]
async fn an_application_with_a_key_answers_the_same_again() {
    let house = House::new().await;
    house.declare(&skills(&["lint"])).await;
    let text = format!(
        "{}\n---\n{{kind: Skill, metadata: {{name: lint, ou_path: /acme}}, spec: {{description: Finds faults.}}}}",
        skills(&["test"])
    );
    let plan = house.plan(&text).await;
    let first = keyed(&house, &plan, "deploy-42").await.unwrap();
    assert!(first.is_complete(), "{first}");
    let rows = house.rows().await;
    assert_eq!(keyed(&house, &plan, "deploy-42").await.unwrap(), first);
    assert_eq!(house.rows().await, rows, "nothing was written a second time");

    let anew = keyed(&house, &plan, "deploy-43").await.unwrap();
    assert!(!anew.is_complete(), "without its key it is another application: {anew}");
    let other = house.plan(&skills(&["a", "b"])).await;
    let refused = keyed(&house, &other, "deploy-42").await.unwrap_err();
    assert_eq!(refused.code(), "idempotency_mismatch");
    assert_eq!(house.rows().await, rows);
}

/// What was refused keeps no answer: it is tried again, and what follows from it as well.
#[tokio::test]
async fn a_key_keeps_nothing_of_a_step_that_failed() {
    let house = House::new().await;
    let plan = house
        .plan("{kind: OU, metadata: {name: eng, ou_path: /acme}}\n---\n{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}}")
        .await;
    house.declare("{kind: OU, metadata: {name: eng, ou_path: /acme}}").await;
    let blocked = keyed(&house, &plan, "k").await.unwrap();
    assert!(matches!(blocked.lines[0].result, StepResult::Failed { .. }), "{blocked}");
    assert!(matches!(blocked.lines[1].result, StepResult::Skipped { .. }), "{blocked}");
    let eng = house.row("OU", "eng").await;
    let archive = powerloom_core::door::mutation::Action::Archive { target: eng.key(), expect: None };
    house.cp.submit(&house.admin, archive).await.unwrap();
    let report = keyed(&house, &plan, "k").await.unwrap();
    assert!(report.is_complete(), "{report}");
}

/// Sem. 2.14: a key is kept for whoever may do something with it, and not for what does nothing: others would fill the store.
#[tokio::test]
async fn a_key_is_not_kept_for_a_plan_of_which_nothing_can_be_made() {
    let house = House::new().await;
    house.declare("{kind: User, metadata: {email: ada@acme.com, ou_path: /acme}}").await;
    let rows = house.rows().await;
    let user = rows.iter().find(|row| row.spec["email"] == "ada@acme.com").unwrap();
    let ada = Caller::user(house.admin.org, user.meta.id);
    let kept = async |caller: &Caller, key: &str| {
        let key = format!("{} apply_plan {key}", caller.principal);
        let now = powerloom_core::clock::Clock::now(&powerloom_core::clock::SystemClock);
        house.cp.store().idempotency(caller.org, &key, now).await.unwrap().is_some()
    };
    let (one, other) = (house.plan(&skills(&["lint"])).await, house.plan(&skills(&["test"])).await);
    let fine = ApplyOptions::default();
    for plan in [&one, &other] {
        let report = Through::new(&house.cp, &ada).idempotency_key("k").apply(plan, fine).await.unwrap();
        assert!(matches!(report.lines[0].result, StepResult::Failed { .. }), "{report}");
        assert!(!kept(&ada, "k").await, "who may do nothing leaves nothing");
    }
    house.declare(&skills(&["lint"])).await;
    let nothing = house.plan(&skills(&["lint"])).await;
    assert!(keyed(&house, &nothing, "k").await.unwrap().is_complete());
    assert!(!kept(&house.admin, "k").await, "what does nothing leaves nothing");
    assert!(keyed(&house, &other, "k").await.unwrap().is_complete());
    assert!(kept(&house.admin, "k").await);
    assert_eq!(keyed(&house, &nothing, "k").await.unwrap_err().code(), "idempotency_mismatch");
}

/// No step is begun once the program is about to end, and each says so.
#[tokio::test]
async fn an_application_that_is_to_stop_begins_no_step() {
    let house = House::new().await;
    let plan = house.plan(&skills(&["lint", "test"])).await;
    let rows = house.rows().await;
    let stopping = CancellationToken::new();
    let through = Through::new(&house.cp, &house.admin).until(&stopping);
    stopping.cancel();
    let report = through.apply(&plan, ApplyOptions::default()).await.unwrap();
    for line in &report.lines {
        let StepResult::Failed { kind, message } = &line.result else { panic!("{report}") };
        assert!(kind.is_retryable() && message.contains("about to end"), "{report}");
    }
    assert_eq!((report.lines.len(), house.rows().await), (2, rows));
}

/// Sem. 2.3.7: a plan that cannot be carried out as a whole is refused as a whole.
#[tokio::test]
async fn an_unfit_plan_is_refused_before_its_first_step() {
    let (house, elsewhere) = (House::new().await, House::new().await);
    let plan = house.plan(&skills(&["lint"])).await;
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan
    };
    let other = Digest::of(b"another plan");
    let long = "k".repeat(256);
    let through = Through::new(&house.cp, &house.admin);
    let fine = ApplyOptions::default();
    let rows = house.rows().await;
    for (field, plan, through, options) in [
        ("plan.v", changed(&|plan| plan.v = 2), through, fine),
        ("plan.org", changed(&|plan| plan.org = elsewhere.admin.org), through, fine),
        (
            "plan.steps",
            changed(&|plan| plan.steps = vec![plan.steps[0].clone(); MAX_STEPS + 1]),
            through,
            fine,
        ),
        ("digest", plan.clone(), through, fine.digest(other)),
        (
            "digest",
            changed(&|plan| drop(plan.steps[0].payload.insert("description".into(), json!("x")))),
            through,
            fine.digest(plan.digest().unwrap()),
        ),
        ("idempotency_key", plan.clone(), through.idempotency_key(&long), fine),
        ("idempotency_key", plan.clone(), through.idempotency_key("a b"), fine),
        ("justification", plan.clone(), through.justification(" "), fine),
    ] {
        let refused = through.apply(&plan, options).await.unwrap_err();
        let Error::Invalid(invalid) = &refused else { panic!("{refused}") };
        assert_eq!(invalid.field, field, "{refused}");
    }
    assert_eq!(house.rows().await, rows);
    let longest = "k".repeat(255);
    assert!(through.idempotency_key(&longest).apply(&plan, fine).await.unwrap().is_complete());
}

/// Faults of several streams come together, and no more of them than of one.
#[tokio::test]
async fn the_faults_of_all_streams_are_told_at_once() {
    let house = House::new().await;
    let many = vec!["kind: Nothing"; 80].join("\n---\n");
    let long = "x".repeat(MAX_BYTES + 1);
    let streams = [("a", many.as_str()), ("fine", &skills(&["lint"])), ("b", &many), ("c", &long)];
    let errors = parse_all(streams, ParseMode::Lenient, house.cp.catalogue()).unwrap_err();
    assert_eq!((errors.faults.len(), errors.more), (100, 61));
    assert_eq!((&*errors.faults[0].at.source, &*errors.faults[99].at.source), ("a", "b"));
    let both = parse_all(
        [("a", "kind: OU\nmetadata: {name: a, ou_path: /acme}"), ("b", &skills(&["lint"]))],
        ParseMode::Lenient,
        house.cp.catalogue(),
    );
    let both = both.unwrap();
    assert_eq!((both.documents.len(), both.warnings.len()), (2, 2));
}

fn texts() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "no",
        "on",
        "~",
        "null",
        "",
        " ",
        "1_000",
        "0x1f",
        "1e3",
        ".5",
        "-",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "#",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'",
        "\"",
        "{",
        "[",
        "---",
        "...",
        "2024-01-01",
        "a\nb",
        "a\n\n b\n",
        "\ta",
        "a\t",
        " a ",
        "<<",
        "a\\nb",
        "é",
        "\u{1f600}",
        "=",
        "true",
        "TRUE",
        "y",
        "a\r\nb",
        "long words that go on and on, far beyond any width at which somebody would fold a line of text",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "[ -~\n]{0,40}"]
}

proptest! {
    /// Row P29: what is written as YAML is read back as it was, whatever the texts look like.
    #[test]
    fn every_text_survives_the_way_through_yaml(description in texts(), label in texts(), prompt in texts()) {
        let document = json!({
            "apiVersion": "powerloom/v1",
            "kind": "Agent",
            "metadata": { "name": "a", "ou_path": "/acme", "labels": { "team": label.replace('\n', " ") } },
            "spec": {
                "model": "m", "agent_kind": "user", "owner_principal_ref": "user:admin@acme.com",
                "description": description, "system_prompt": prompt,
            },
        });
        let catalogue = Default::default();
        let read = |text: &str| {
            let parsed = powerloom_core::manifest::parse("x", text, ParseMode::Strict, &catalogue);
            parsed.map(|parsed| {
                let documents = parsed.documents.into_iter();
                documents
                    .map(|document| {
                        let fields = document.fields.into_iter().map(|(name, given)| (name.to_owned(), given.value));
                        (fields.collect::<serde_json::Map<String, Value>>(), json!(document.labels.map(|labels| labels.value)))
                    })
                    .collect::<Vec<_>>()
            })
        };
        // JSON is YAML; what is refused in one writing is refused in the other.
        let plain = read(&document.to_string()).map_err(|_| ());
        let text = to_yaml(&[document.clone(), document.clone()]).unwrap();
        match (plain, read(&text)) {
            (Ok(plain), Ok(twice)) => prop_assert_eq!(&twice[..], &[plain[0].clone(), plain[0].clone()], "{}", text),
            (Err(()), Err(_)) => {}
            (plain, yaml) => prop_assert!(false, "{plain:?} {yaml:?}\n{text}"),
        }
    }
}
