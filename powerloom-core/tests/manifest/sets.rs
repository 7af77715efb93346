//! Sets of manifests: what they own, what they leave behind, what others have changed (sem. 2.3.2).

use crate::house::House;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::manifest::{
    ApplyOptions, Clash, Plan, SetOptions, Step, StepResult, Take, Through, Verb,
};
use serde_json::{Value, json};

const SET: &str = "
{kind: OU, metadata: {name: eng, ou_path: /acme}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}, spec: {description: Finds faults.}}
---
kind: Agent
metadata: {name: a, ou_path: /acme/eng}
spec: {model: m-1, agent_kind: service, owner_principal_ref: 'user:admin@acme.com', skills: [lint], description: Helps.}
";

const AGENT: &str = "
kind: Agent
metadata: {name: a, ou_path: /acme/eng}
spec: {model: m-1, agent_kind: service, owner_principal_ref: 'user:admin@acme.com', skills: [], description: Helps.}
---
{kind: OU, metadata: {name: eng, ou_path: /acme}}
";

fn set(owner: &str) -> SetOptions {
    SetOptions::new(owner).unwrap()
}

fn step<'p>(plan: &'p Plan, target: &str) -> &'p Step {
    plan.steps.iter().find(|step| step.target.to_string() == target).unwrap_or_else(|| panic!("{plan}"))
}

fn names(plan: &Plan, verb: Verb) -> Vec<String> {
    plan.steps.iter().filter(|step| step.verb == verb).map(|step| step.target.to_string()).collect()
}

/// Row Y: a second time nothing changes, for a set too.
#[tokio::test]
async fn what_a_set_declares_bears_its_label_and_a_second_time_changes_nothing() {
    let house = House::new().await;
    let plan = house.plan_set(SET, &set("web")).await;
    house.done(&plan).await;
    let agent = house.row("Agent", "a").await;
    assert_eq!(agent.meta.labels.owner(), Some("web"));
    assert_eq!(agent.meta.managed["model"], "m-1");
    assert_eq!(
        agent.meta.managed.keys().collect::<Vec<_>>(),
        ["agent_kind", "description", "model", "owner", "skills"]
    );
    let again = house.plan_set(SET, &set("web")).await;
    assert!(again.is_noop() && again.left.is_empty(), "{again}");
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
}

/// Nothing is archived that nobody asked to have archived; what is, is shown first and done last.
#[tokio::test]
async fn what_a_set_has_left_behind_is_archived_only_if_asked_for() {
    let house = House::new().await;
    house.done(&house.plan_set(SET, &set("web")).await).await;

    let plan = house.plan_set(AGENT, &set("web")).await;
    assert_eq!(plan.count(Verb::Archive), 0);
    insta::assert_snapshot!(plan.to_string(), @r#"
      = OU /acme/eng
      ~ Agent /acme/eng/a
          ~ skills: ["/acme/eng/lint"] -> []
          > changes on the runtime: Agent /acme/eng/a
    left behind by `web`, in no document any more; only a prune archives them:
      ? Skill /acme/eng/lint
    0 to create, 1 to update, 0 to replace, 0 to archive, 1 unchanged
    "#);

    let plan = house.plan_set(AGENT, &set("web").prune()).await;
    insta::assert_snapshot!(plan.to_string(), @r#"
      - Skill /acme/eng/lint
      = OU /acme/eng
      ~ Agent /acme/eng/a
          ~ skills: ["/acme/eng/lint"] -> []
          > changes on the runtime: Agent /acme/eng/a
    0 to create, 1 to update, 0 to replace, 1 to archive, 1 unchanged
    "#);
    assert_eq!(plan.steps.last().unwrap().verb, Verb::Archive);
    assert_eq!(plan.steps.last().unwrap().depends_on[0].to_string(), "Agent /acme/eng/a");
    house.done(&plan).await;
    assert!(house.rows().await.iter().all(|row| row.meta.name != "lint" || !row.is_live()));
    assert!(house.plan_set(AGENT, &set("web").prune()).await.is_noop());
}

/// What refers goes before what is referred to, and an OU goes after all in it.
#[tokio::test]
async fn a_whole_set_goes_in_the_reverse_order() {
    let house = House::new().await;
    house.done(&house.plan_set(SET, &set("web")).await).await;
    house.declare("{kind: Skill, metadata: {name: mine, ou_path: /acme}}").await;
    let plan = house.plan_set("", &set("web").prune()).await;
    assert_eq!(names(&plan, Verb::Archive), ["Agent /acme/eng/a", "Skill /acme/eng/lint", "OU /acme/eng"]);
    let report = house.apply(&plan, ApplyOptions::default()).await;
    assert_eq!(report.lines[0].result, StepResult::Archived);
    assert!(house.row("Skill", "mine").await.is_live(), "what has no label is nobody's to prune");
    assert!(house.plan_set("", &set("other").prune()).await.steps.is_empty());
}

/// Two sets do not take from each other in silence.
#[tokio::test]
async fn what_belongs_to_another_set_is_taken_over_only_if_asked_for() {
    let house = House::new().await;
    house.done(&house.plan_set(SET, &set("web")).await).await;
    let other = SET.replace("Finds faults.", "Other.");
    let plan = house.plan_set(&other, &set("data")).await;
    assert!(plan.has_clashes());
    let lint = step(&plan, "Skill /acme/eng/lint");
    assert_eq!((lint.verb, &lint.clashes[..]), (Verb::Noop, &[Clash::Owner { owner: "web".into() }][..]));
    let report = house.apply(&plan, ApplyOptions::default()).await;
    let failed = |result: &StepResult| match result {
        StepResult::Failed { kind: ErrorKind::Conflict, message } => message.contains("the set `web`"),
        _ => false,
    };
    assert!(failed(&report.lines[0].result), "{report}");
    assert_eq!(house.row("Skill", "lint").await.spec["description"], "Finds faults.");

    house.done(&house.plan_set(&other, &set("data").take_ownership()).await).await;
    let lint = house.row("Skill", "lint").await;
    assert_eq!((lint.meta.labels.owner(), &lint.spec["description"]), (Some("data"), &json!("Other.")));
    assert!(
        house.plan_set("", &set("web").prune()).await.steps.is_empty(),
        "nothing is left to the first one"
    );
}

/// A field somebody else has changed is reported and left, until it is taken.
#[tokio::test]
async fn what_another_writer_has_changed_is_reported_and_left_alone() {
    let house = House::new().await;
    house.done(&house.plan_set(SET, &set("web")).await).await;
    house.change(&house.row("Agent", "a").await, json!({ "model": "m-9", "display_name": "A" })).await;

    let changed = SET.replace("Helps.", "Helps more.");
    let plan = house.plan_set(&changed, &set("web")).await;
    let agent = step(&plan, "Agent /acme/eng/a");
    let clash = Clash::Field {
        field: "model".into(),
        applied: json!("m-1"),
        live: json!("m-9"),
        wanted: json!("m-1"),
    };
    assert_eq!(agent.clashes, [clash], "what nobody manages is nobody's business: {plan}");
    assert_eq!(Value::Object(agent.payload.clone()), json!({ "description": "Helps more." }));
    assert!(plan.to_string().contains(
        "! model was changed by another and is left as it is: applied \"m-1\", live \"m-9\", wanted \"m-1\""
    ));
    let report = house.apply(&plan, ApplyOptions::default()).await;
    assert!(report.lines.iter().all(|line| line.result.is_done()) && !report.is_complete(), "{report}");
    assert_eq!(house.row("Agent", "a").await.spec["model"], "m-9");

    let again = house.plan_set(&changed, &set("web")).await;
    assert!(again.is_noop() && again.has_clashes(), "it stays to be seen: {again}");
    let other = Take::Fields(["description".to_owned()].into());
    assert!(house.plan_set(&changed, &set("web").take(other)).await.has_clashes());
    for take in [Take::All, Take::Fields(["model".to_owned()].into())] {
        let plan = house.plan_set(&changed, &set("web").take(take)).await;
        assert!(!plan.has_clashes() && plan.count(Verb::Update) == 1, "{plan}");
        house.done(&plan).await;
        assert_eq!(house.row("Agent", "a").await.spec["model"], "m-1");
        assert!(house.plan_set(&changed, &set("web")).await.is_noop());
        house.change(&house.row("Agent", "a").await, json!({ "model": "m-9" })).await;
    }
}

/// Sem. 2.3.2: absent is left alone and no longer managed; `null` clears; a list is the whole list; and a writer who made
/// just what the documents want has changed nothing.
#[tokio::test]
async fn a_three_way_merge_keeps_to_the_fields_the_documents_carry() {
    let house = House::new().await;
    house.done(&house.plan_set(SET, &set("web")).await).await;
    let partial = "{kind: Agent, metadata: {name: a, ou_path: /acme/eng}, spec: {skills: null, description: null}}\n---\n\
                   {kind: OU, metadata: {name: eng, ou_path: /acme}}\n---\n{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}}";
    house.change(&house.row("Agent", "a").await, json!({ "model": "m-9" })).await;
    let plan = house.plan_set(partial, &set("web")).await;
    assert!(!plan.has_clashes(), "{plan}");
    house.done(&plan).await;
    let agent = house.row("Agent", "a").await;
    assert_eq!((&agent.spec["model"], agent.spec.get("description")), (&json!("m-9"), None));
    assert_eq!(agent.meta.managed.keys().collect::<Vec<_>>(), ["description", "skills"]);
    assert!(house.plan_set(partial, &set("web")).await.is_noop());

    house.change(&agent, json!({ "description": "Wanted." })).await;
    let wanted = partial.replace("description: null", "description: Wanted.");
    let plan = house.plan_set(&wanted, &set("web")).await;
    let agent = step(&plan, "Agent /acme/eng/a");
    assert_eq!(
        (agent.verb, &agent.adopts[..], agent.changes.len()),
        (Verb::Update, &["description".to_owned()][..], 0)
    );
    house.done(&plan).await;
    assert_eq!(house.row("Agent", "a").await.meta.managed["description"], "Wanted.");
    assert!(house.plan_set(&wanted, &set("web")).await.is_noop());
}

/// What was there before the set comes under it, fields and all, without a change of its spec.
#[tokio::test]
async fn a_set_adopts_what_is_there() {
    let house = House::new().await;
    house.declare(SET).await;
    let plan = house.plan_set(SET, &set("web")).await;
    assert_eq!((plan.count(Verb::Update), plan.has_clashes()), (3, false), "{plan}");
    house.done(&plan).await;
    assert_eq!(house.row("Skill", "lint").await.meta.generation, 1);
    assert!(house.plan_set(SET, &set("web")).await.is_noop());
    assert!(house.plan(SET).await.is_noop(), "and whoever plans without a set takes nothing from it");
    house.declare(&SET.replace("m-1", "m-2")).await;
    assert!(house.plan_set(SET, &set("web")).await.has_clashes());
}

/// Labels in a document are all of its labels but the owner, which only a set or the document's own word changes.
#[tokio::test]
async fn labels_are_declared_like_fields() {
    let house = House::new().await;
    let labelled =
        |labels: &str| format!("{{kind: Skill, metadata: {{name: lint, ou_path: /acme, labels: {labels}}}}}");
    house.done(&house.plan_set(&labelled("{team: search}"), &set("web")).await).await;
    assert!(house.plan(&labelled("{team: search}")).await.is_noop());
    assert!(house.plan("{kind: Skill, metadata: {name: lint, ou_path: /acme}}").await.is_noop());
    house.declare(&labelled("null")).await;
    let labels = house.row("Skill", "lint").await.meta.labels;
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("owner", "web")]);

    let through = Through::new(&house.cp, &house.admin);
    let contradiction = house.documents(&labelled("{owner: data}"));
    let error = through.plan_set(contradiction, &set("web")).await.unwrap_err().to_string();
    assert!(error.contains("its label `owner` is `data`, but it is in the set `web`"), "{error}");
    assert!(SetOptions::new(" ").is_err() && SetOptions::new("x".repeat(256)).is_err());
}
