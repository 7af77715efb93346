//! Looking at resources, in every form, by every name.

use crate::bench::{Bench, run};
use serde_json::json;

/// Two skills of one name, one of them with a name for people that a terminal would obey.
async fn skills() -> Bench {
    let bench = Bench::new().await;
    let manifest = "
{kind: OU, metadata: {name: eng, ou_path: /acme}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {display_name: 'Root Lint'}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}, spec: {display_name: 'Engineering Lint'}}
---
{kind: Skill, metadata: {name: sql, ou_path: /acme/eng}}
";
    run(bench.command(&["apply", "-", "--yes"]), manifest).expect(0);
    bench
}

#[tokio::test]
async fn a_list_is_a_table_for_people_and_json_yaml_or_names_for_programs() {
    let bench = skills().await;
    let table = bench.weave(&["get", "skills"]).expect(0);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].starts_with("NAME") && lines[0].contains("OU"), "{}", table.out);
    assert_eq!(lines.len(), 4, "{}", table.out);
    assert!(!table.out.contains('\u{1b}'), "no colour where there is no terminal: {}", table.out);

    let names = bench.weave(&["get", "skill", "-o", "name"]).expect(0);
    let mut paths: Vec<&str> = names.out.lines().collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/acme/eng/lint", "/acme/eng/sql", "/acme/lint"]);

    let items = bench.weave(&["get", "skills", "--ou", "/acme/eng", "-o", "json"]).expect(0).json();
    assert_eq!(items["items"].as_array().unwrap().len(), 2);
    let yaml = bench.weave(&["get", "skill", "sql", "-o", "yaml"]).expect(0);
    assert!(yaml.out.contains("name: sql") && yaml.out.contains("ou_path: /acme/eng"), "{}", yaml.out);
    let coloured = bench.weave(&["--color", "always", "get", "skills"]).expect(0);
    assert!(coloured.out.contains('\u{1b}'));
}

#[tokio::test]
async fn one_is_found_by_id_by_path_and_by_a_name_that_only_one_has() {
    let bench = skills().await;
    let by_path = bench.weave(&["get", "skill", "/acme/eng/lint", "-o", "json"]).expect(0).json();
    assert_eq!(by_path["display_name"], "Engineering Lint");
    let by_id =
        bench.weave(&["get", "skill", by_path["id"].as_str().unwrap(), "-o", "json"]).expect(0).json();
    assert_eq!(by_id["id"], by_path["id"]);
    let by_name = bench.weave(&["get", "skill", "lint", "--ou", "/acme", "-o", "json"]).expect(0).json();
    assert_eq!(by_name["display_name"], "Root Lint");
    let ou = bench.weave(&["get", "ou", "/acme/eng", "-o", "name"]).expect(0);
    assert_eq!(ou.out, "/acme/eng\n");

    let several = bench.weave(&["get", "skill", "lint"]).expect(2);
    assert!(several.err.contains("/acme/lint") && several.err.contains("/acme/eng/lint"), "{}", several.err);
    let none = bench.weave(&["get", "skill", "nothing"]).expect(1);
    assert!(none.err.contains("there is none called `nothing`"), "{}", none.err);
}

#[tokio::test]
async fn a_word_that_is_no_kind_is_refused_and_the_kinds_are_named() {
    let bench = Bench::new().await;
    let refused = bench.weave(&["get", "spoons"]).expect(2);
    assert!(
        refused.err.contains("there is no kind `spoons`") && refused.err.contains("agents"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn a_description_tells_what_was_done_and_archiving_asks_first() {
    let bench = skills().await;
    let described = bench.weave(&["describe", "skill", "sql"]).expect(0);
    assert!(described.out.contains("Skill /acme/eng/sql"), "{}", described.out);
    assert!(described.out.contains("skill.create"), "{}", described.out);

    let unasked = bench.weave(&["delete", "skill", "sql"]).expect(2);
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    bench.weave(&["delete", "skill", "sql", "--yes"]).expect(0);
    // It keeps its name until the runtime has let go of it.
    let left = bench.weave(&["get", "skills", "--archived", "-o", "json"]).expect(0).json();
    let stage = |name: &str| {
        let items = left["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["name"] == json!(name)).unwrap()["stage"].clone()
    };
    assert_ne!((stage("sql"), stage("lint")), (json!("live"), json!("archived")));
}

#[tokio::test]
async fn nobody_is_acted_as_who_is_not_there() {
    let bench = Bench::new().await;
    let nobody = bench.weave(&["--as", "eve@acme.com", "get", "agents"]).expect(2);
    assert!(nobody.err.contains("`acme` has no user `eve@acme.com`"), "{}", nobody.err);
    let nowhere = bench.weave(&["--org", "other", "get", "agents"]).expect(2);
    assert!(nowhere.err.contains("no organization `other`"), "{}", nowhere.err);
}

/// Row M33.
#[tokio::test]
async fn whoever_may_not_is_told_what_is_missing_and_whom_to_ask() {
    let bench = Bench::new().await;
    run(
        bench.command(&["apply", "-", "--yes"]),
        "{kind: User, metadata: {email: ada@acme.com, ou_path: /acme}}",
    )
    .expect(0);
    let skill = "{kind: Skill, metadata: {name: lint, ou_path: /acme}}";
    let refused = run(bench.command(&["--as", "ada@acme.com", "apply", "-", "--yes"]), skill);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("skill:create"), "{}", refused.out);
    let refused =
        bench.weave(&["--as", "ada@acme.com", "delete", "user", "admin@acme.com", "--yes"]).expect(1);
    assert!(refused.err.contains("hint:") || refused.err.contains("there is none"), "{}", refused.err);
}
