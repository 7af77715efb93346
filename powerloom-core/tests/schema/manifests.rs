//! Plans, what became of them, and what is wrong with a manifest.

use crate::held::{held, words};
use crate::world::{World, world};
use powerloom_core::door::caller::Caller;
use powerloom_core::manifest::{
    ApplyOptions, ParseMode, Plan, Problem, Report, SetOptions, Through, apply, parse,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn plan(w: &World, caller: &Caller, text: &str) -> Plan {
    let parsed = parse("test.yaml", text, ParseMode::Lenient, w.cp.catalogue()).unwrap();
    Through::new(&w.cp, caller).plan(parsed.documents).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn plan_set(w: &World, owner: &str, text: &str) -> Plan {
    let parsed = parse("test.yaml", text, ParseMode::Lenient, w.cp.catalogue()).unwrap();
    let options = SetOptions::new(owner).unwrap().prune();
    Through::new(&w.cp, &w.admin).plan_set(parsed.documents, &options).await.unwrap()
}

async fn applied(w: &World, caller: &Caller, plan: &Plan) -> Report {
    let through = Through::new(&w.cp, caller).patience(std::time::Duration::ZERO);
    apply(plan, &through, ApplyOptions::default().allow_replace(true)).await
}

fn of(values: &Value, list: &str, tag: &str, seen: &mut BTreeSet<String>) {
    let items = values[list].as_array().unwrap();
    seen.extend(items.iter().filter_map(|item| item[tag].as_str()).map(str::to_owned));
}

const SET: &str = "
{kind: OU, metadata: {name: eng, ou_path: /acme, labels: {team: web}}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}, spec: {description: Finds faults.}}
---
kind: Agent
metadata: {name: a, ou_path: /acme/eng}
spec: {model: m-1, agent_kind: service, owner_principal_ref: 'user:admin@acme.com', skills: [lint], description: Helps.}
";

/// Create, update, replace, archive and no change; with holes, clashes, governance and every result of a step.
#[tokio::test]
async fn plans_and_reports_are_as_their_schemas_say() {
    let w = world().await;
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    w.bind(&nobody.principal, "Auditor", w.root()).await;
    let (mut verbs, mut results, mut rulings) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut plans = Vec::new();
    let first = plan_set(&w, "web", SET).await;
    plans.push(held(&first));
    let report = held(&applied(&w, &w.admin, &first).await);
    of(&report, "lines", "result", &mut results);

    // Somebody changes what the set manages, and another set wants what is this one's.
    let agent = w.cp.store().list_records(w.org.id, &Default::default()).await.unwrap();
    let agent = agent.into_iter().find(|row| row.meta.name == "a").unwrap();
    w.update(&w.admin, &agent, json!({ "model": "m-2" })).await.unwrap();
    let wanted = SET.replace("m-1", "m-3");
    plans.push(held(&plan_set(&w, "web", &wanted).await));
    plans.push(held(&plan_set(&w, "ops", &wanted).await));
    let clashes = plans
        .iter()
        .flat_map(|plan| plan["steps"].as_array().unwrap())
        .flat_map(|step| step["clashes"].as_array().cloned().unwrap_or_default());
    let clashes: BTreeSet<String> =
        clashes.map(|clash| clash["clash"].as_str().unwrap().to_owned()).collect();
    assert_eq!(words("PlanClash", "clash"), clashes.into_iter().collect::<Vec<_>>());

    let policy = json!({ "match": { "resource_kinds": ["Group"] }, "approvers": ["role:OrgAdmin"], "allow_self": true });
    w.create("ApprovalPolicy", w.root(), "groups", policy).await;
    let mixed = "
{kind: Agent, metadata: {name: a, ou_path: /acme/eng}, spec: {agent_kind: user, description: null}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}, spec: {description: Finds more.}}
---
{kind: OU, metadata: {name: eng, ou_path: /acme}}
---
{kind: Group, metadata: {name: team, ou_path: /acme/eng}}
---
{kind: GroupMembership, metadata: {group_path: /acme/eng/team, member_ref: 'user:admin@acme.com'}}
";
    let change = plan(&w, &w.admin, mixed).await;
    plans.push(held(&change));
    let report = held(&applied(&w, &w.admin, &change).await);
    of(&report, "lines", "result", &mut results);
    let refused = plan(
        &w,
        &nobody,
        "{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}, spec: {description: No.}}",
    )
    .await;
    plans.push(held(&refused));
    of(&held(&applied(&w, &nobody, &refused).await), "lines", "result", &mut results);
    let prune = plan_set(&w, "web", "{kind: OU, metadata: {name: eng, ou_path: /acme}}").await;
    plans.push(held(&prune));
    of(&held(&applied(&w, &w.admin, &prune).await), "lines", "result", &mut results);

    for plan in &plans {
        of(plan, "steps", "verb", &mut verbs);
        for step in plan["steps"].as_array().unwrap() {
            rulings.extend(step["governance"]["ruling"]["ruling"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(words("PlanVerb", ""), verbs.into_iter().collect::<Vec<_>>());
    assert!(rulings.contains("allowed") && rulings.contains("denied"), "{rulings:?}");
    let missing: Vec<String> =
        words("StepResult", "result").into_iter().filter(|word| !results.contains(word)).collect();
    assert_eq!(missing, ["replaced"], "that needs a runtime: see the other test");
}

/// Replaced steps, and rulings no world of this size makes, as plain values.
#[test]
fn what_a_small_world_does_not_do_is_as_its_schema_says() {
    let id = "0198c0de-0000-7000-8000-000000000001";
    let target = json!({ "kind": "Agent", "path": "/acme/a" });
    for line in [
        json!({ "target": target, "result": "replaced", "id": id, "left": ["the old one"] }),
        json!({ "target": target, "result": "skipped", "dependency": target }),
    ] {
        let report: Report = serde_json::from_value(json!({ "lines": [line] })).unwrap();
        held(&report);
    }
}

/// Rows P29, M35: every fault with its place, its text and its code.
#[test]
fn faults_and_warnings_are_as_their_schemas_say() {
    let catalogue = Default::default();
    let text = "{kind: Skill, metadata: {name: lint, name: lint, ou_path: /acme}, spec: {discription: D}}\n---\n\
                {kind: Agnet}\n---\n{kind: Skill}\n---\n{apiVersion: powerloom/v1, kind: Skill, metadata: {name: A, ou_path: /acme}}\n---\n- 1\n";
    let errors = parse("set.yaml", text, ParseMode::Lenient, &catalogue).unwrap_err();
    let written = held(&errors);
    let codes: BTreeSet<&str> =
        written["faults"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["duplicate", "missing", "refused", "unknown"]);
    assert_eq!(written["faults"][0]["at"], json!({ "source": "set.yaml", "line": 1, "column": 38 }));
    assert_eq!(written["faults"][0]["message"], errors.faults[0].problem.to_string());
    let broken = parse("set.yaml", "a: [", ParseMode::Lenient, &catalogue).unwrap_err();
    assert_eq!(held(&broken)["faults"][0]["code"], "syntax");
    let odd = "{kind: Skill, metadata: {name: lint, ou_path: /acme}}";
    let parsed = parse("set.yaml", odd, ParseMode::Lenient, &catalogue).unwrap();
    assert_eq!(held(&parsed.warnings[0])["at"]["line"], 1);
    assert!(matches!(errors.faults[0].problem, Problem::Duplicate { .. }));
}
