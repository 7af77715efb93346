//! What conditions say, and how much they may cost.

use super::*;
use crate::approval::facts::Change;
use proptest::prelude::*;
use serde_json::json;

fn holds(text: &str) -> bool {
    let spec = json!({
        "model": "claude-opus-4-5", "temperature": 0.5, "limit": 3, "public": true, "note": null,
        "skills": ["lint", "deploy"], "tools": [{ "name": "bash", "ask": false }],
        "big": u64::MAX, "empty": [],
    });
    let before = json!({ "model": "claude-sonnet-4-6", "limit": 2 });
    let change = Change {
        kind: "Agent",
        name: Some("code-reviewer"),
        ou_path: Some("/acme/eng"),
        spec: Some(&spec),
        before: Some(&before),
        action: "update",
        verb: "agent.update",
        actor: "user:ada@acme.com",
        delegated: false,
    };
    Condition::compile(text).unwrap_or_else(|e| panic!("{text}: {e}")).holds(&Facts::new(change))
}

fn refused(text: &str) -> String {
    Condition::compile(text).expect_err(text).allowed
}

/// Sem. 2.8, row Condition: equals, in, matches prefix, and, or, not.
#[test]
fn a_condition_holds_of_what_it_says() {
    for text in [
        "true",
        "resource.kind == 'Agent' && resource.name == 'code-reviewer'",
        "resource.ou_path.startsWith('/acme/')",
        "resource.spec.model.startsWith('claude-opus')",
        "resource.spec.model != before.model",
        "resource.spec.limit > before.limit",
        "resource.spec.limit == 3 && resource.spec['limit'] >= 3",
        "resource.spec.big == 18446744073709551615u",
        "resource.spec.temperature < 1.0",
        "'deploy' in resource.spec.skills",
        "action in ['create', 'update']",
        "verb == 'agent.update' && actor.endsWith('@acme.com')",
        "!delegated && resource.spec.public",
        "has(resource.spec.tools) && !has(before.tools)",
        "resource.spec.note == null",
        "size(resource.spec.skills) == 2 && resource.spec.skills.size() == 2",
        "resource.spec.tools.exists(tool, tool.name == 'bash' && !tool.ask)",
        "resource.spec.skills.all(one, one in ['lint', 'deploy'])",
        "resource.spec.skills.exists_one(one, one == 'lint')",
        "resource.spec.tools.exists(t, resource.spec.skills.all(s, s != t.name))",
        "resource.spec.tools[0].name.contains('as')",
        "(resource.spec.limit > 2 ? 'high' : 'low') == 'high'",
        "-1 < 0",
    ] {
        assert!(holds(text), "{text}");
        assert!(!holds(&format!("!({text})")), "!({text})");
    }
}

/// Sem. 2.8: an evaluation error counts as a match.
#[test]
fn what_cannot_be_answered_counts_as_a_match() {
    for text in [
        "resource.spec.absent == 1",
        "resource.spec.model.absent",
        "!(resource.spec.absent == 1)",
        "before.tools == []",
        "resource.spec.model",
        "resource.spec.limit",
        "null",
        "resource.spec.model < 3",
        "resource.spec.skills[7] == 'x'",
        "resource.spec.note.x",
        "resource.spec.model in resource.spec.limit",
        "resource.spec.absent && true",
        "resource.spec.skills.all(one, one.absent == 1)",
        "resource.spec.skills.all(one, one)",
        "size(resource.spec.limit) == 1",
        "resource.spec.model.startsWith(1)",
    ] {
        assert!(holds(text), "{text}");
    }
    // An error that changes nothing is none, on whichever side it is.
    assert!(!holds("resource.spec.absent == 1 && false"));
    assert!(!holds("false && resource.spec.absent == 1"));
}

#[test]
fn what_changes_without_a_record_has_no_spec() {
    let before = serde_json::Value::Null;
    let change = Change { kind: "Session", action: "cancel", before: Some(&before), ..Change::default() };
    let ask = |text: &str| Condition::compile(text).unwrap().holds(&Facts::new(change));
    assert!(ask("resource.kind == 'Session' && !has(resource.spec) && before == null"));
    assert!(
        ask("resource.spec.model == 'x'") && ask("resource.name == 'x'") && ask("resource.ou_path == ''")
    );
    assert!(!ask("action == 'create'"));
}

#[test]
fn a_condition_that_says_nothing_known_is_refused_with_its_place() {
    let said = refused("resource.spec.model ==");
    assert!(said.starts_with("a CEL expression; Syntax error: mismatched input"), "{said}");
    assert!(said.ends_with(" (line 1, column 23)"), "{said}");
    let said = refused("action == 'create'\n && resorce.kind == 'Agent'");
    assert_eq!(
        said,
        "a known variable (action, actor, before, delegated, resource, verb), not `resorce`; did you mean \
         `resource`? (line 2, column 5)"
    );
    let said = refused("resource.ou == '/acme'");
    assert!(said.contains("not `ou`; did you mean") && said.ends_with("(line 1, column 9)"), "{said}");
    for text in [
        "",
        "  ",
        "resource.spec.model.matches('x')",
        "resource.spec.limit + 1 == 2",
        "resource.spec.limit * 2 == 2",
        "resource.spec.skills.map(x, x == 'a')[0]",
        "resource.spec.skills.filter(x, x == 'a') == []",
        "resource.spec.skills.map(x, x == 'a', x) == []",
        "{'a': 1}.a == 1",
        "Agent{model: 'x'} == 1",
        "type(resource) == map",
        "timestamp('2026-01-01T00:00:00Z') == 1",
        "b'abc' == resource.spec",
        "dyn(1) == 1",
        "resource.spec.?x == 1",
        "resource.spec[?'x'] == 1",
        "optional.of(1) == 1",
        "string(1) == '1'",
        "has(resource)",
        "a.all(x, true)",
        "resource.spec.skills.all(action, true)",
        "resource.spec.all(x, resource.spec.all(y, resource.spec.all(z, x == y)))",
        "'\\q'",
        "action == \"create",
        "x y",
    ] {
        refused(text);
    }
}

#[test]
fn a_condition_is_bounded_in_length_and_depth() {
    assert_eq!(refused(&" ".repeat(4097)), "at most 4096 characters");
    let nested = |open: &str, close: &str, n: usize| format!("{}true{}", open.repeat(n), close.repeat(n));
    assert!(holds(&nested("(", ")", 16)));
    assert_eq!(refused(&nested("(", ")", 17)), "at most 16 brackets within one another");
    let chain = |n: usize| vec!["true"; n].join(" && ");
    assert!(holds(&chain(257)));
    assert_eq!(refused(&chain(258)), "at most 256 operators, points and brackets");
    let hostile = [
        nested("(", ")", 2000),
        nested("!(", ")", 1000),
        nested("[", "]", 2000),
        "[".repeat(4096),
        "(".repeat(4096),
        format!("{}true", "!".repeat(4092)),
        format!("{}1 == 1", "-".repeat(4090)),
        format!("resource{}", ".a".repeat(2000)),
        format!("resource.spec{}", "[0]".repeat(1300)),
        format!("{}true", "true?true:".repeat(409)),
        format!("{}true", "true||true&&".repeat(300)),
        format!("1{}", "==1".repeat(1300)),
        format!("1{}", "+1".repeat(2000)),
        format!("resource{}", ".size()".repeat(580)),
        format!("{}true{}", "resource.spec.all(x,".repeat(190), ")".repeat(190)),
        "'".repeat(4095),
        "\\".repeat(4096),
        "\u{0}".repeat(4096),
        "𝒳".repeat(4096),
        "`".repeat(4096),
        // Just within the bounds.
        format!("{}true", "!".repeat(256)),
        format!("{}1 == 1", "-".repeat(255)),
        format!("{}1 == 1", "- ".repeat(255)),
        format!("resource{}", ".a".repeat(256)),
        format!("resource.spec{}", "[0]".repeat(255)),
        format!("{}true", "true?true:".repeat(256)),
        format!("{}true", "true||true&&".repeat(128)),
        format!("1{}", "==1".repeat(256)),
        format!("1{}", " in 1".repeat(256)),
        format!("1{}", "+1".repeat(256)),
        format!("resource{}", ".size()".repeat(128)),
        format!("resource.spec{}", ".all(x,true)".repeat(127)),
        format!("resource.spec{}", ".a".repeat(13)),
        format!("{}true", "!(-(".repeat(7)),
        format!("{}true{}", "!(true == (".repeat(7), "))".repeat(7)),
        format!("resource.spec{}", "[0]".repeat(13)),
        format!("{}true", "true?true:".repeat(14)),
        format!("[{}]", "[],".repeat(200)),
        format!("{}{}", "!(-(".repeat(8), "))".repeat(8)),
        format!("{}true{}", "resource.spec.all(x,".repeat(16), ")".repeat(16)),
        // Brackets that only seem to be in a comment or in a text, or to be closed there.
        "(')'".repeat(1000),
        format!("// '''\n{}\n// '''", "(".repeat(4000)),
        format!("'''\n'{}\n'''", "(".repeat(4000)),
        format!("r'\\'{}'", "(".repeat(4000)),
        format!("'\\'{}'", "(".repeat(4000)),
        format!("''''{}''''", "(".repeat(4000)),
        format!("'' '{}", "(".repeat(4000)),
    ];
    // On the stack of a worker thread, whatever it is: all of it, not what is left of the main thread's.
    std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(move || {
            let facts = Facts::new(Change::default());
            for text in hostile {
                if let Ok(condition) = Condition::compile(&text) {
                    let _ = condition.holds(&facts);
                }
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn what_would_take_too_long_counts_as_a_match_at_once() {
    let items: Vec<u32> = (0..5000).collect();
    let spec = json!({ "items": items });
    let facts = Facts::new(Change { spec: Some(&spec), ..Change::default() });
    let nested = "resource.spec.items.exists(x, resource.spec.items.exists(y, x != x || y != y))";
    let condition = Condition::compile(nested).unwrap();
    assert!(condition.holds(&facts));
    let few = json!({ "items": items[..20] });
    assert!(!condition.holds(&Facts::new(Change { spec: Some(&few), ..Change::default() })));
    // What is long alone costs only who looks at all of it.
    let prompt = json!({ "items": items[..50], "prompt": "Be concise. ".repeat(8000) });
    let facts = Facts::new(Change { spec: Some(&prompt), ..Change::default() });
    let asked = "resource.spec.items.all(x, resource.spec.items.exists(y, y == 7 && x != -1)) && \
                 resource.spec.prompt != ''";
    assert!(!Condition::compile(&format!("!({asked})")).unwrap().holds(&facts));
    // Too deep to be looked at.
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let simple = Condition::compile("resource.kind == 'Agent'").unwrap();
    assert!(simple.holds(&Facts::new(Change { spec: Some(&deep), ..Change::default() })));
}

/// A whole expression of texts that are mostly well formed; and values it may or may not fit.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("resource"),
        Just("before"),
        Just("action"),
        Just("delegated"),
        Just("x"),
        Just("nobody"),
        Just("resource.spec.a"),
        Just("resource.spec"),
        Just("before.b[0]"),
        Just("resource.spec.a.b"),
        Just("1"),
        Just("-1"),
        Just("9223372036854775807"),
        Just("18446744073709551615u"),
        Just("1.5"),
        Just("1e400"),
        Just("'a'"),
        Just("''"),
        Just("true"),
        Just("null"),
        Just("[]"),
        Just("[1, 'a']"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 24, 2, |inner| {
        let binary = prop_oneof![
            Just("=="),
            Just("!="),
            Just("<"),
            Just(">="),
            Just("in"),
            Just("&&"),
            Just("||"),
            Just("+"),
        ];
        let member = prop_oneof![
            Just(".startsWith("),
            Just(".endsWith("),
            Just(".contains("),
            Just(".exists(x, "),
            Just(".all(x, "),
            Just(".exists_one(x, "),
            Just(".map(x, "),
            Just("["),
        ];
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), member, inner.clone()).prop_map(|(a, op, b)| {
                let close = if op == "[" { ']' } else { ')' };
                format!("{a}{op}{b}{close}")
            }),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            inner.clone().prop_map(|a| format!("has({a}.b)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? {b} : {a})")),
        ]
    })
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        ".{0,8}".prop_map(|text| json!(text)),
        Just(json!("a")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Total: it has an answer for every condition and every change. Closed: nothing that cannot be answered is
    /// answered with no, so that of a condition and its opposite one holds at least.
    #[test]
    fn an_evaluation_always_ends_and_never_fails_open(
        text in expression(), spec in value(), before in value(),
    ) {
        let Ok(condition) = Condition::compile(&text) else { return Ok(()) };
        let change = Change { spec: Some(&spec), before: Some(&before), action: "a", ..Change::default() };
        let facts = Facts::new(change);
        let opposite = Condition::compile(&format!("!({text})"));
        if let Ok(opposite) = opposite {
            prop_assert!(condition.holds(&facts) || opposite.holds(&facts));
        }
        if condition.answer(&facts).is_none() {
            prop_assert!(condition.holds(&facts));
        }
    }

    /// Whatever somebody writes, they get an answer.
    #[test]
    fn any_text_is_compiled_or_refused(text in "[a-z.()\\[\\]'\"!&|=<>?:,0-9 \\\\/{}-]{0,60}|.{0,40}") {
        if let Ok(condition) = Condition::compile(&text) {
            prop_assert_eq!(condition.source(), &text);
            let _ = condition.holds(&Facts::new(Change::default()));
        }
    }
}
