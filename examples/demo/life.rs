//! The eight steps.

use crate::args::Args;
use crate::house::House;
use crate::intake;
use crate::screen::{Ink, Screen};
use anyhow::{Context, bail};
use powerloom_core::audit::AuditQuery;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::SessionId;
use powerloom_core::manifest::{ApplyOptions, Plan, StepResult, Through, Verb, apply};
use powerloom_core::reconcile::state::SyncStatus;
use powerloom_core::record::{KindName, RecordRow};
use powerloom_core::session::event::{EventSeq, SESSION_ENDED};
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::status::SessionStatus;
use powerloom_core::store::{RecordCursor, RecordQuery};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

/// The agent that is invoked, and the skill that is published.
const AGENT: &str = "code-reviewer";
const SKILL: &str = "python-lint";
const SERVER: &str = "repo-files";

pub(crate) async fn live(args: &Args, screen: Screen) -> anyhow::Result<()> {
    println!("{}", screen.ink(Ink::Strong, "Powerloom: one agent's whole governed life"));
    let mut house = House::open(args, screen).await?;
    let lived = steps(args, screen, &mut house).await;
    house.close().await?;
    lived
}

async fn steps(args: &Args, screen: Screen, house: &mut House) -> anyhow::Result<()> {
    let admin = house.org.admin_caller();
    let files = intake::files(&args.manifests)?;

    screen.step(1, "Plan", "what the manifests want, next to what is there");
    let plan = make_plan(house, &files).await?;
    screen.block(&plan);
    screen.step(2, "Apply", "through the one door: validated, authorized, gated, audited");
    apply_plan(house, &admin, &plan, screen).await?;
    publish_skill(house, &admin, screen).await?;
    if let Some(server) = find(house, "MCPServerRegistration", SERVER).await? {
        let url = server.spec.get("url").and_then(Value::as_str).context("`repo-files` has no url")?;
        house.serve_files(url, screen).await?;
    }
    let known = fingerprints(house).await?;
    house.known.write().unwrap_or_else(PoisonError::into_inner).extend(known);

    screen.step(3, "Reconcile", "what was declared is made real on the runtime");
    reconcile(house, &admin, Duration::from_secs(args.patience), screen).await?;

    screen.step(4, "Invoke", "an agent is asked; what runs is frozen");
    let agent = find(house, "Agent", AGENT)
        .await?
        .with_context(|| format!("the manifests declare no agent `{AGENT}`"))?;
    let invoke = Invoke::new(agent.meta.id, &args.prompt);
    let session =
        house.loom.invoke(&admin, invoke).await?.started().context("the invocation waits for approval")?;
    screen.line(Ink::Good, "✓", format!("session {} is {}", session.session_id, session.status));

    screen.step(5, "Stream", "every event, numbered without a gap");
    stream(house, &admin, session.session_id, screen).await?;

    screen.step(6, "Session", "what is kept of it");
    summary(house, &admin, session.session_id, screen).await?;

    screen.step(7, "Audit", "who did what, and a chain that shows every edit");
    audit(house, &admin, screen).await?;

    screen.step(8, "Denied", "somebody else tries to take the agent away");
    denied(house, &agent, screen).await
}

async fn make_plan(house: &House, files: &[std::path::PathBuf]) -> anyhow::Result<Plan> {
    let parsed = intake::read(files, house.loom.catalogue())?;
    Ok(Through::new(&house.loom, &house.org.admin_caller()).plan(parsed.documents).await?)
}

async fn apply_plan(house: &House, admin: &Caller, plan: &Plan, screen: Screen) -> anyhow::Result<()> {
    if plan.is_noop() {
        screen.line(
            Ink::Good,
            "=",
            format!("{} resources are as declared: nothing to do", plan.count(Verb::Noop)),
        );
        return Ok(());
    }
    let report = apply(plan, &Through::new(&house.loom, admin), ApplyOptions::default()).await;
    for line in &report.lines {
        let (ink, mark) = match &line.result {
            StepResult::Created { .. } | StepResult::Replaced { .. } => (Ink::Good, "+"),
            StepResult::Updated | StepResult::Archived => (Ink::Busy, "~"),
            StepResult::Unchanged => (Ink::Dim, "="),
            _ => (Ink::Bad, "!"),
        };
        screen.line(ink, mark, format!("{}: {}", line.target, line.result));
    }
    if report.is_complete() { Ok(()) } else { bail!("not everything could be applied") }
}

async fn publish_skill(house: &House, admin: &Caller, screen: Screen) -> anyhow::Result<()> {
    let Some(skill) = find(house, "Skill", SKILL).await? else { return Ok(()) };
    let publish = Action::PublishSkillVersion { skill: skill.meta.id, files: intake::skill()? };
    match house.loom.submit(admin, publish).await? {
        Outcome::Unchanged { .. } => {
            screen.line(Ink::Dim, "=", format!("skill {SKILL}: these files are the current version"))
        }
        outcome => {
            let number =
                outcome.record().and_then(|version| version.spec.get("number").cloned()).unwrap_or_default();
            screen.line(Ink::Good, "+", format!("skill {SKILL}: version {number} published"));
        }
    }
    Ok(())
}

/// Shows each change of a sync status until nothing moves any more.
async fn reconcile(house: &House, admin: &Caller, patience: Duration, screen: Screen) -> anyhow::Result<()> {
    let mut shown: BTreeMap<String, SyncStatus> = BTreeMap::new();
    let deadline = tokio::time::Instant::now() + patience;
    let mut rests = None;
    loop {
        let mut moving = 0;
        let mut parked = 0;
        for row in all(house, None).await? {
            if !house.loom.catalogue().kind(&row.kind)?.on_runtime() {
                continue;
            }
            let (_, status) = house.loom.sync_state(admin, &row.key()).await?;
            match &status {
                SyncStatus::Synced | SyncStatus::Blocked { .. } | SyncStatus::Archived => {}
                SyncStatus::Parked { .. } => parked += 1,
                _ => moving += 1,
            }
            let name = format!("{} {}", row.kind, name_of(house, &row).await?);
            if shown.get(&name) != Some(&status) {
                show_status(screen, &name, &status);
                shown.insert(name, status);
            }
        }
        if parked > 0 {
            bail!("{parked} resources are parked");
        }
        if moving == 0 {
            return Ok(());
        }
        let now = house.loom.clock().now();
        let paused = house.loom.organization(admin).await?.paused.filter(|paused| now < paused.until);
        if let Some(paused) = paused {
            let notice = format!("nothing is tried until {}: {}", paused.until, paused.reason);
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if now + left < paused.until {
                bail!("{notice}");
            }
            if rests.replace(paused.until) != Some(paused.until) {
                screen.line(Ink::Bad, "✗", notice);
            }
        }
        if tokio::time::Instant::now() > deadline {
            bail!("{moving} resources are still not in sync after {} s", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn show_status(screen: Screen, name: &str, status: &SyncStatus) {
    match status {
        SyncStatus::Synced => screen.line(Ink::Good, "✓", format!("{name} is synced")),
        SyncStatus::Blocked { on } => screen.line(Ink::Busy, "…", format!("{name} waits: {on}")),
        SyncStatus::Parked { reason } => screen.line(Ink::Bad, "✗", format!("{name} is parked: {reason}")),
        SyncStatus::BackingOff { until } => {
            screen.line(Ink::Busy, "…", format!("{name} is tried again at {until}"))
        }
        _ => {}
    }
}

/// What people call a record: derived names are made of ids, so those show what they are for.
async fn name_of(house: &House, row: &RecordRow) -> anyhow::Result<String> {
    let mut names = Vec::new();
    if house.loom.catalogue().kind(&row.kind)?.manifest() && row.kind.as_str() != "Credential" {
        return Ok(row.meta.name.clone());
    }
    for target in house.loom.store().records(house.org.id, &row.refs).await? {
        if target.kind.as_str() != "Vault" {
            names.push(target.meta.name);
        }
    }
    names.sort();
    Ok(format!("of {}", names.join(" for ")))
}

async fn stream(house: &House, admin: &Caller, session: SessionId, screen: Screen) -> anyhow::Result<()> {
    let mut events = house.loom.follow(admin, session, EventSeq::START).await?;
    let mut expected = EventSeq::START;
    while let Some(event) = events.next().await {
        let event = event?;
        expected = expected.next();
        if event.seq != expected {
            bail!("event {expected} is missing: {} came instead", event.seq);
        }
        let ink = match event.event.kind.as_str() {
            "agent.message" => Ink::Strong,
            "agent.mcp_tool_use" | "agent.mcp_tool_result" => Ink::Good,
            "session.error" => Ink::Bad,
            _ => Ink::Dim,
        };
        let number = format!("{:>3}", event.seq.number());
        screen.line(ink, &number, format!("{}  {}", event.event.kind, gist(&event.event.payload)));
        if event.event.kind == SESSION_ENDED {
            break;
        }
    }
    Ok(())
}

/// A payload in at most one line.
fn gist(payload: &Value) -> String {
    let text = payload
        .get("content")
        .or_else(|| payload.get("result"))
        .and_then(Value::as_array)
        .map(|blocks| {
            blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect::<Vec<_>>().join(" ")
        })
        .unwrap_or_else(|| {
            if payload.as_object().is_some_and(|fields| fields.is_empty()) {
                String::new()
            } else {
                payload.to_string()
            }
        });
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(100).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

async fn summary(house: &House, admin: &Caller, id: SessionId, screen: Screen) -> anyhow::Result<()> {
    let session = house.loom.wait(admin, id).await?;
    // Elsewhere the flag is the truth about a loopback nobody there can reach, and no failure of the demo.
    let degraded = session.degradation_flagged && house.is_local();
    let good = session.status == SessionStatus::IdleEndTurn && !degraded;
    let lines = [
        ("status", session.status.to_string()),
        ("duration", format!("{} ms", session.duration(house.loom.clock().now()).as_millis())),
        ("events", session.event_count.to_string()),
        ("MCP calls", session.mcp_tool_use_count.to_string()),
        ("degraded", session.degradation_flagged.to_string()),
        (
            "usage",
            session.usage.map_or("not reported".into(), |usage| {
                format!("{} tokens in, {} out", usage.input_tokens, usage.output_tokens)
            }),
        ),
    ];
    for (name, value) in lines {
        screen.line(if good { Ink::Good } else { Ink::Bad }, "·", format!("{name:<10} {value}"));
    }
    if good {
        Ok(())
    } else {
        bail!("the session did not end as it should: {}", session.error.unwrap_or_default())
    }
}

async fn audit(house: &House, admin: &Caller, screen: Screen) -> anyhow::Result<()> {
    let newest = AuditQuery { limit: 8, ..AuditQuery::default() };
    let mut rows = house.loom.audit(admin, &newest).await?;
    rows.reverse();
    for entry in rows {
        let row = &entry.row;
        let hash: String = entry.hash.to_string().chars().take(12).collect();
        screen.line(
            Ink::Dim,
            &format!("{:>4} {hash}", row.seq),
            format!("{} {} {}", row.actor, row.decision.as_str(), row.verb),
        );
    }
    match house.loom.verify_audit(admin, None).await? {
        Ok(verified) => {
            screen.line(
                Ink::Good,
                "✓",
                format!("{} rows verified, head {}", verified.count, verified.head.hash),
            );
            Ok(())
        }
        Err(broken) => bail!("the audit chain is broken: {broken}"),
    }
}

/// A user without a role is refused, told why, and the attempt is on the chain.
async fn denied(house: &House, agent: &RecordRow, screen: Screen) -> anyhow::Result<()> {
    let intern = find(house, "User", "intern@acme.com")
        .await?
        .context("the manifests declare no user intern@acme.com")?;
    let caller = Caller::user(house.org.id, intern.meta.id);
    let archive = Action::Archive { target: agent.key(), expect: None };
    match house.loom.submit(&caller, archive).await {
        Err(Error::Denied(decision)) => {
            screen.line(Ink::Bad, "✗", decision.denial_text());
            screen.line(Ink::Dim, "·", format!("reason: {}", decision.reason()));
            Ok(())
        }
        Err(other) => Err(other.into()),
        Ok(_) => bail!("an intern could archive the agent"),
    }
}

/// The live record of a kind with this name.
async fn find(house: &House, kind: &str, name: &str) -> anyhow::Result<Option<RecordRow>> {
    Ok(all(house, Some(kind.parse()?)).await?.into_iter().find(|row| row.meta.name == name && row.is_live()))
}

/// Every record of a kind, or of all.
async fn all(house: &House, kind: Option<KindName>) -> anyhow::Result<Vec<RecordRow>> {
    let mut query = RecordQuery { kind, ..RecordQuery::default() };
    let mut rows = Vec::new();
    loop {
        let page = house.loom.list(&house.org.admin_caller(), &query).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        query.after =
            Some(RecordCursor { kind: last.kind.clone(), name: last.meta.name.clone(), id: last.meta.id });
        rows.extend(page);
    }
}

/// The fingerprints of the bearers minted for `repo-files`: what its server lets in.
async fn fingerprints(house: &House) -> anyhow::Result<Vec<String>> {
    let rows = all(house, Some("Credential".parse()?)).await?;
    Ok(rows.iter().filter_map(|row| Some(row.status.get("fingerprint")?.as_str()?.to_owned())).collect())
}
