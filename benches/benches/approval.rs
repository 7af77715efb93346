//! What do a hundred approval policies cost a change?
//!
//! 100 policies on 200 OUs (depth 6), half of them about other kinds or actions, half of them in other OUs; a change of
//! an agent meets none of them, one without a condition, or one with a condition. The limit looks at every policy by
//! hand: kind, action, and whether the path begins with the scope's; it evaluates no condition. What counts is the time.
//!
//! `cargo bench --package powerloom-benches --bench approval`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::approval::condition::Condition;
use powerloom_core::approval::facts::{Change, Facts};
use powerloom_core::approval::policy_set::{PolicyQuestion, PolicySet};
use powerloom_core::authz::{AuthzData, AuthzSnapshot, OuData};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::record::{KindName, Metadata, RecordRow, Stage};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const POLICIES: usize = 100;
const OUS: usize = 200;
const QUESTIONS: u32 = 20_000;
const CONDITION: &str =
    "resource.spec.model.startsWith('claude-opus') && !('prod-db' in resource.spec.mcp_servers)";

fn id(kind: u64, index: usize) -> ResourceId {
    let random = (kind << 32 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ResourceId::from_uuid(Uuid::from_u64_pair(0x0198_c0de_0000_7000 + index as u64, random))
}

/// A tree in which every OU has up to three below it.
fn snapshot() -> AuthzSnapshot {
    let ou = |index: usize| OuData {
        id: id(1, index),
        parent: (index > 0).then(|| id(1, (index - 1) / 3)),
        name: format!("unit-{index}").parse().unwrap(),
    };
    let data = AuthzData { ous: (0..OUS).map(ou).collect(), ..AuthzData::default() };
    AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, data).unwrap()
}

fn row(kind: &str, id: ResourceId, ou: ResourceId, name: String, spec: Value) -> RecordRow {
    let at = Timestamp::from_micros(1);
    let meta = Metadata {
        id,
        org: OrgId::from_uuid(Uuid::nil()),
        ou,
        name,
        version: 1,
        generation: 1,
        stage: Stage::Live,
        created_at: at,
        updated_at: at,
        labels: powerloom_core::labels::Labels::default(),
        managed: serde_json::Map::new(),
    };
    let (kind, status) = (kind.parse().unwrap(), Value::Null);
    RecordRow { kind, meta, spec, status, unique_key: String::new(), refs: Vec::new() }
}

fn policy(index: usize, ou: usize, matches: Value) -> RecordRow {
    let spec = json!({ "match": matches, "approvers": ["role:OrgAdmin"] });
    row("ApprovalPolicy", id(2, index), id(1, ou), format!("policy-{index}"), spec)
}

/// A hundred policies none of which is about creating an agent in the last OU.
fn others() -> Vec<RecordRow> {
    let other = |index: usize| match index % 4 {
        0 => policy(index, 0, json!({ "resource_kinds": ["Skill", "Role"], "condition": CONDITION })),
        1 => policy(index, 0, json!({ "actions": ["archive", "move"], "condition": CONDITION })),
        2 => policy(index, 0, json!({ "ou_depth": "exact", "condition": CONDITION })),
        _ => policy(index, 1 + index % 12, json!({ "resource_kinds": ["Agent"], "ou_depth": "exact" })),
    };
    (0..POLICIES).map(other).collect()
}

/// The limit: every policy looked at, by the paths.
struct Plain {
    kinds: Vec<String>,
    actions: Vec<String>,
    exact: bool,
    path: String,
}

fn plain(rows: &[RecordRow], snapshot: &AuthzSnapshot) -> Vec<Plain> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    rows.iter()
        .map(|row| Plain {
            kinds: texts(&row.spec["match"]["resource_kinds"]),
            actions: texts(&row.spec["match"]["actions"]),
            exact: row.spec["match"]["ou_depth"] == "exact",
            path: snapshot.ou_path(row.meta.ou).unwrap().to_string(),
        })
        .collect()
}

fn met(policies: &[Plain], kind: &str, action: &str, path: &str) -> usize {
    let below =
        |scope: &str| path.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let meets = |policy: &&Plain| {
        (policy.kinds.is_empty() || policy.kinds.iter().any(|known| known == kind))
            && (policy.actions.is_empty() || policy.actions.iter().any(|known| known == action))
            && if policy.exact { policy.path == path } else { below(&policy.path) }
    };
    policies.iter().filter(meets).count()
}

fn timed<T>(mut work: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..QUESTIONS {
        black_box(work());
    }
    start.elapsed()
}

fn main() {
    if is_listing() {
        return;
    }
    let snapshot = snapshot();
    let ou = id(1, OUS - 1);
    let path = snapshot.ou_path(ou).unwrap().to_string();
    let kind = KindName::known("Agent");
    let agent = row(
        "Agent",
        id(3, 0),
        ou,
        "code-reviewer".to_owned(),
        json!({
            "display_name": "Code reviewer", "model": "claude-opus-4-5", "agent_kind": "user",
            "system_prompt": "You review pull requests. ".repeat(40), "owner_principal": format!("user:{}", id(4, 1)),
            "skills": [{ "skill": id(5, 1), "version": "current" }, { "skill": id(5, 2), "version": "current" }],
            "mcp_servers": [id(6, 1), id(6, 2)], "session_timeout_seconds": 600,
        }),
    );
    let question = PolicyQuestion {
        kind: &kind,
        verb: "agent.create",
        action: "create",
        ous: &[ou],
        record: Some(&agent),
        before: &Value::Null,
        actor: "user:ada@acme.com",
        delegated: false,
    };
    for (what, matches, expected) in [
        ("none of 100 policies", None, 0),
        ("one of 100 policies, no condition", Some(json!({ "resource_kinds": ["Agent"] })), 1),
        ("one of 100 policies, one condition", Some(json!({ "condition": CONDITION })), 1),
    ] {
        let mut rows = others();
        if let Some(matches) = matches {
            rows[POLICIES / 2] = policy(POLICIES / 2, 0, matches);
        }
        let (set, plain) = (PolicySet::compile(&rows).unwrap(), plain(&rows, &snapshot));
        assert_eq!(set.matching(&snapshot, &question).len(), expected);
        assert_eq!(met(&plain, "Agent", "create", &path), expected);
        compare(
            what,
            QUESTIONS,
            &mut || timed(|| met(black_box(&plain), "Agent", "create", black_box(&path))),
            &mut || timed(|| set.matching(black_box(&snapshot), black_box(&question))),
        );
    }

    let start = Instant::now();
    let rows = others();
    let set = PolicySet::compile(&rows).unwrap();
    let compiled = start.elapsed();
    let start = Instant::now();
    black_box(set.recompile(&rows).unwrap());
    println!("100 policies, 75 conditions: compiled in {compiled:?}, once more in {:?}", start.elapsed());
    hostile();
}

/// The most an evaluation may cost: what would be more counts as a match at once.
fn hostile() {
    for (what, text) in [
        ("nested", "resource.spec.a.all(x, resource.spec.a.all(y, x == x && y == y && x != 'b'))".to_owned()),
        ("names", "resource.spec.a.all(x, resource.spec.a.all(y, x == 'a' && y != 'b'))".to_owned()),
        ("once", "resource.spec.a.all(x, x == 'a' || x.startsWith('b') || x.endsWith('c'))".to_owned()),
        ("errors", "resource.spec.a.all(x, resource.spec.a.all(y, x.b < 1 || y.b < 1))".to_owned()),
        ("flat", vec!["resource.spec == before"; 60].join(" && ")),
        ("texts", vec!["resource.spec.t.contains('aaaaaaaaaaaaaaab')"; 50].join(" || ")),
    ] {
        let condition = Condition::compile(&text).unwrap();
        let (mut longest, mut slowest) = (0, Duration::ZERO);
        // A little longer each time, up to what a spec may hold: the worst is just below the bound.
        for half_power in 0..34 {
            let length = 2_f64.powf(f64::from(half_power) / 2.0) as usize;
            let items = vec!["a"; length];
            let spec = json!({ "a": items, "t": "a".repeat(length) });
            let facts = Facts::new(Change { spec: Some(&spec), before: Some(&spec), ..Change::default() });
            let start = Instant::now();
            black_box(condition.holds(&facts));
            let took = start.elapsed();
            if took > slowest {
                (longest, slowest) = (length, took);
            }
        }
        println!("hostile, {what}: at most {slowest:?}, at {longest} items");
    }
}
