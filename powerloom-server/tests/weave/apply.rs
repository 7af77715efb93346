//! Documents to plans, plans to what they declare (rows P24, P26, P27).

use crate::bench::{Bench, run};

const AGENTS: &str = "
apiVersion: powerloom/v1
kind: OU
metadata: {name: engineering, ou_path: /acme}
---
apiVersion: powerloom/v1
kind: Skill
metadata: {name: python-lint, ou_path: /acme/engineering}
spec: {display_name: Python Lint}
";

/// Row P24.
#[tokio::test]
async fn applying_makes_what_is_declared_and_applying_again_changes_nothing() {
    let bench = Bench::new().await;
    let file = bench.write("manifests/a.yaml", AGENTS);
    let planned = bench.weave(&["plan", &file]).expect(0);
    assert!(
        planned.out.contains("+ OU /acme/engineering") && planned.out.contains("Plan: 2 to create"),
        "{}",
        planned.out
    );
    assert!(planned.err.contains("acme · /acme · as user:admin@acme.com"), "{}", planned.err);

    let applied = bench.weave(&["apply", &file, "--yes"]).expect(0);
    assert!(applied.out.contains("Applied: 2 created."), "{}", applied.out);
    let again = bench.weave(&["apply", "-f", &file, "--yes"]).expect(0);
    assert!(again.out.contains("nothing is to be done"), "{}", again.out);
    assert_eq!(bench.weave(&["plan", &file, "--detailed-exitcode"]).expect(0).code, 0);
}

#[tokio::test]
async fn a_detailed_exit_code_says_that_there_are_changes() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    bench.weave(&["plan", &file, "--detailed-exitcode"]).expect(2);
    bench.weave(&["diff", &file, "--exit-code"]).expect(2);
}

#[tokio::test]
async fn nothing_is_applied_where_nobody_can_be_asked() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    let refused = bench.weave(&["apply", &file]).expect(2);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    let dry = bench.weave(&["apply", &file, "--dry-run"]).expect(0);
    assert!(dry.out.contains("Plan: 2 to create"), "{}", dry.out);
    let skills = bench.weave(&["get", "skills", "-o", "json"]).expect(0).json();
    assert!(skills["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_plan_that_was_kept_is_applied_as_it_is_and_only_that_one() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    let plan = bench.path("plan.json").display().to_string();
    let planned = bench.weave(&["plan", &file, "--out", &plan, "--json"]).expect(0).json();
    let digest = planned["digest"].as_str().unwrap().to_owned();
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let other = if digest.starts_with("sha256:") { other } else { &other[7..] };
    bench.weave(&["apply", &plan, "--digest", other, "--yes"]).expect(2);
    bench.weave(&["apply", &plan, "--digest", &digest, "--yes"]).expect(0);

    let text = std::fs::read_to_string(&plan).unwrap().replace("Python Lint", "Evil Lint");
    bench.write("plan.json", &text);
    let refused = bench.weave(&["apply", &plan, "--yes"]).expect(2);
    assert!(refused.err.contains("it was changed since it was saved"), "{}", refused.err);
}

#[tokio::test]
async fn every_fault_of_every_document_is_told_with_its_place() {
    let bench = Bench::new().await;
    bench.write("m/a.yaml", "kind: Agent\nmetadata: {name: A B, ou_path: /acme}\n");
    bench.write("m/b.yaml", "kind: Skil\nmetadata: {name: lint, ou_path: /acme}\n");
    let refused = bench.weave(&["plan", "m"]).expect(2);
    assert!(refused.err.contains("m/a.yaml:") && refused.err.contains("m/b.yaml:1:"), "{}", refused.err);
    assert!(refused.err.contains("did you mean `Skill`"), "{}", refused.err);
    let machine = bench.weave(&["plan", "m", "-o", "json"]).expect(2);
    let envelope: serde_json::Value = serde_json::from_str(machine.err.lines().last().unwrap()).unwrap();
    assert_eq!(envelope["error"]["code"], "manifest");
}

#[tokio::test]
async fn a_set_names_what_it_left_behind_and_prunes_it_only_when_told() {
    let bench = Bench::new().await;
    let set = |manifest: &str, more: &[&str]| {
        let mut arguments = vec!["apply", "-", "--yes", "--set", "skills"];
        arguments.extend(more);
        run(bench.command(&arguments), manifest)
    };
    let both = "{kind: Skill, metadata: {name: a, ou_path: /acme}}\n---\n{kind: Skill, metadata: {name: b, ou_path: /acme}}\n";
    set(both, &[]).expect(0);
    let one = "{kind: Skill, metadata: {name: a, ou_path: /acme}}\n";
    let left = set(one, &[]).expect(0);
    assert!(left.out.contains("? Skill /acme/b"), "{}", left.out);
    let pruned = set(one, &["--prune"]).expect(0);
    assert!(pruned.out.contains("Applied: 1 archived"), "{}", pruned.out);
    let without = run(bench.command(&["apply", "-", "--yes", "--prune"]), one).expect(2);
    assert!(without.err.contains("--set"), "{}", without.err);
}

#[tokio::test]
async fn a_difference_is_shown_line_by_line() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    bench.weave(&["apply", &file, "--yes"]).expect(0);
    bench.write("a.yaml", &AGENTS.replace("Python Lint", "Python Lint 2"));
    let diff = bench.weave(&["diff", &file]).expect(0);
    assert!(diff.out.contains("-display_name: Python Lint\n+display_name: Python Lint 2\n"), "{}", diff.out);
}

/// What is announced is the OU that is meant, not only the organization.
#[tokio::test]
async fn the_ou_that_documents_are_about_is_named_before_anything_is_done() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    bench.weave(&["apply", &file, "--yes"]).expect(0);
    let lint = "{kind: Skill, metadata: {name: python-lint, ou_path: /acme/engineering}, spec: {display_name: Lint}}";
    let file = bench.write("b.yaml", lint);
    let line = " · acme · /acme/engineering · as user:admin@acme.com";
    for command in [["plan", "--out", "plan.json"].as_slice(), &["diff"], &["apply", "--dry-run"]] {
        let told = bench.weave(&[command, &[file.as_str()]].concat()).expect(0);
        assert!(told.err.contains(line), "{command:?}: {}", told.err);
    }
    let kept = bench.weave(&["apply", "plan.json", "--yes"]).expect(0);
    assert!(kept.err.contains(line), "{}", kept.err);
}

/// Row P29.
#[tokio::test]
async fn an_export_applied_again_changes_nothing() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    bench.weave(&["apply", &file, "--yes"]).expect(0);
    let exported = bench.weave(&["export"]).expect(0);
    let all = bench.write("all.yaml", &exported.out);
    let again = bench.weave(&["apply", &all, "--yes"]).expect(0);
    assert!(again.out.contains("nothing is to be done"), "{}", again.out);
}

#[tokio::test]
async fn a_plan_can_be_tried_without_any_store() {
    let bench = Bench::new().await;
    let file = bench.write("a.yaml", AGENTS);
    let planned = bench.weave(&["--store", "memory:", "plan", &file]).expect(0);
    assert!(planned.out.contains("2 to create"), "{}", planned.out);
}
