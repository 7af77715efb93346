//! How long does a plan take that finds nothing to do?
//!
//! 1,000 documents of a set, all as wanted: 10 OUs, 490 skills, 500 agents with three skills each, over a store in memory,
//! with the permissions to read every record, the labels and managed fields of a set, and a forecast on every line. Next to
//! it the least a plan has to do: read each of these records by its key and compare its spec. Run with
//! `cargo bench --bench plan`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::manifest::{ApplyOptions, ParseMode, SetOptions, Through, apply, parse};
use powerloom_core::record::RecordRow;
use powerloom_core::store::{RecordCursor, RecordQuery};
use std::fmt::Write as _;
use std::time::Instant;

const OUS: usize = 10;
const SKILLS: usize = 490;
const AGENTS: usize = 500;

fn documents() -> String {
    let mut text = String::new();
    for n in 0..OUS {
        writeln!(text, "---\nkind: OU\nmetadata: {{name: team-{n}, ou_path: /acme}}").unwrap();
    }
    for n in 0..SKILLS {
        let ou = n % OUS;
        writeln!(text, "---\nkind: Skill\nmetadata: {{name: skill-{n}, ou_path: /acme/team-{ou}}}\nspec: {{description: Skill number {n}.}}").unwrap();
    }
    for n in 0..AGENTS {
        let ou = n % OUS;
        let skills: Vec<String> = (0..3).map(|k| format!("skill-{}", (n + k * OUS) % SKILLS)).collect();
        writeln!(
            text,
            "---\nkind: Agent\nmetadata: {{name: agent-{n}, ou_path: /acme/team-{ou}}}\nspec:\n  model: claude-sonnet-4-6\n  \
             agent_kind: service\n  owner_principal_ref: user:admin@acme.com\n  system_prompt: Be concise.\n  skills: [{}]",
            skills.join(", ")
        )
        .unwrap();
    }
    text
}

fn main() {
    if is_listing() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (cp, admin) = runtime.block_on(async {
        let cp = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
        let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        (cp, org.admin_caller())
    });
    let through = Through::new(&cp, &admin);
    let options = SetOptions::new("bench").unwrap();
    let text = documents();
    let read = || parse("bench.yaml", &text, ParseMode::Lenient, cp.catalogue()).unwrap().documents;
    let rows: Vec<RecordRow> = runtime.block_on(async {
        let plan = through.plan_set(read(), &options).await.unwrap();
        let report = apply(&plan, &through, ApplyOptions::default()).await;
        assert!(report.is_complete(), "{report}");
        let mut query = RecordQuery::default();
        let mut rows: Vec<RecordRow> = Vec::new();
        loop {
            let page = cp.store().list_records(admin.org, &query).await.unwrap();
            let Some(last) = page.last() else { break };
            query.after = Some(RecordCursor {
                kind: last.kind.clone(),
                name: last.meta.name.clone(),
                id: last.meta.id,
            });
            rows.extend(page.into_iter().filter(|row| row.meta.labels.owner() == Some("bench")));
        }
        rows
    });
    assert_eq!(rows.len(), OUS + SKILLS + AGENTS);

    let documents = u32::try_from(rows.len()).unwrap();
    let mut limit = || {
        let start = Instant::now();
        runtime.block_on(async {
            for row in &rows {
                let found = cp.store().record_by_unique_key(admin.org, &row.kind, &row.unique_key).await;
                assert!(found.unwrap().unwrap().spec == row.spec);
            }
        });
        start.elapsed()
    };
    compare("a document that is as wanted, planned with its governance", documents, &mut limit, &mut || {
        let documents = read();
        let start = Instant::now();
        let plan = runtime.block_on(through.plan_set(documents, &options)).unwrap();
        let took = start.elapsed();
        assert!(plan.is_noop() && plan.steps.len() == rows.len());
        took
    });
    compare("a document, read from YAML and checked", documents, &mut limit, &mut || {
        let start = Instant::now();
        assert_eq!(read().len(), rows.len());
        start.elapsed()
    });
}
