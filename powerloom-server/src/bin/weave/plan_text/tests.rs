//! What people see of a plan.

use super::*;
use serde_json::json;

fn read(steps: Value) -> Plan {
    let plan = json!({ "v": 1, "org": "0190b6e4-7c57-7f00-8000-000000000001", "set": "agents", "steps": steps,
        "left": [{ "kind": "Skill", "path": "/acme/engineering/old" }] });
    serde_json::from_value(plan).unwrap()
}

fn governed() -> Plan {
    let agent = json!({ "kind": "Agent", "path": "/acme/engineering/code-reviewer" });
    let skill = json!({ "kind": "Skill", "path": "/acme/engineering/python-lint" });
    read(json!([
        { "target": skill, "verb": "create",
          "changes": [{ "field": "display_name", "before": null, "after": "Python\u{1b}[2J Lint" }],
          "governance": { "ruling": { "ruling": "allowed" } } },
        { "target": agent, "verb": "update", "depends_on": [skill],
          "changes": [
              { "field": "model", "before": "claude-sonnet-4-6", "after": "claude-opus-4-1" },
              { "field": "skills", "before": ["lint"], "after": null },
          ],
          "clashes": [{ "clash": "field", "field": "system_prompt", "applied": "A", "live": "B", "wanted": "C" }],
          "governance": { "is_forecast": true, "ruling": { "ruling": "allowed" },
              "asks": [{ "policy": "agents", "ou": "/acme", "mode": "require_approval",
                  "approvers": ["role:Approver", "user:grace@acme.com"], "quorum": 2 }],
              "dirty": [agent], "hidden": 1 } },
        { "target": { "kind": "User", "path": "ada@acme.com" }, "verb": "replace", "reason": ["email"],
          "governance": { "ruling": { "ruling": "denied", "permission": "user:create", "ou": "/acme",
              "message": "insufficient permissions: you need `user:create` on `/acme`" } } },
        { "target": { "kind": "Skill", "path": "/acme/sql" }, "verb": "archive" },
        { "target": { "kind": "OU", "path": "/acme/engineering" }, "verb": "noop" },
    ]))
}

#[test]
fn a_plan_shows_each_change_and_whom_it_asks() {
    insta::assert_snapshot!(plan(&governed(), Ink::new(false)));
}

#[test]
fn a_plan_in_colour_marks_what_is_new_what_changes_and_what_goes() {
    let text = plan(&governed(), Ink::new(true));
    assert!(text.contains("\u{1b}[32m  + Skill") && text.contains("\u{1b}[33m  ~ Agent"), "{text}");
    assert!(text.contains("\u{1b}[31m-/+ User") && !text.contains("\u{1b}[2J"), "{text}");
}

#[test]
fn a_plan_that_does_nothing_says_so_in_one_line() {
    let steps = json!([{ "target": { "kind": "OU", "path": "/acme" }, "verb": "noop" }]);
    let plan_json = json!({ "v": 1, "org": "0190b6e4-7c57-7f00-8000-000000000001", "steps": steps });
    let noop: Plan = serde_json::from_value(plan_json).unwrap();
    assert_eq!(plan(&noop, Ink::new(false)), "✓ The one resource is as declared; nothing is to be done.\n");
}

#[test]
fn a_report_counts_and_names_what_waits_and_what_failed() {
    let target = |name: &str| json!({ "kind": "Skill", "path": format!("/acme/{name}") });
    let lines = json!({ "lines": [
        { "target": target("a"), "result": "created", "id": "0190b6e4-7c57-7f00-8000-000000000002" },
        { "target": target("b"), "result": "pending_approval", "request_id": "req_1" },
        { "target": target("c"), "result": "skipped", "dependency": target("b") },
        { "target": target("d"), "result": "failed", "kind": "denied", "message": "no\nway" },
        { "target": target("e"), "result": "unchanged" },
    ] });
    let shown = report(&serde_json::from_value(lines).unwrap(), Ink::new(false));
    insta::assert_snapshot!(shown, @r"
      ✓ Skill /acme/a: created
      … Skill /acme/b: waits for approval req_1
      · Skill /acme/c: skipped: it depends on Skill /acme/b
      x Skill /acme/d: failed (denied): no\nway
    Applied: 1 created, 1 unchanged, 1 waiting for approval, 1 skipped, 1 failed.
    ");
}
