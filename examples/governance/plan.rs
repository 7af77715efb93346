//! A saved plan that two people sign, applied once and only as signed.

use crate::house::{House, documents};
use crate::screen::{Ink, Screen};
use anyhow::{Context as _, bail, ensure};
use powerloom_core::approval::{ApprovalId, InboxFilter};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::manifest::{ApplyOptions, Plan, Through, apply};

/// What Ada wants.
const CHANGE: &str = include_str!("change.yaml");

pub(crate) async fn two_people(house: &House, screen: Screen) -> anyhow::Result<()> {
    screen.step(2, "Plan", "ada plans two agents, and sees whom that asks");
    let through = Through::new(&house.loom, &house.ada);
    let plan = through.plan(documents(&house.loom, "change.yaml", CHANGE)?).await?;
    screen.block(&plan);
    let saved = plan.save()?;
    screen.line(Ink::Dim, "·", format!("digest {}", plan.digest()?));

    screen.step(3, "Two people sign it", "the whole plan is one request, and its digest is what they sign");
    let why = "the review team asked for it";
    let request = match through.submit_plan(&plan, Some(why)).await? {
        Outcome::Pending { request_id } => request_id.parse::<ApprovalId>()?,
        other => bail!("the plan does not wait: {other:?}"),
    };
    screen.line(Ink::Busy, "…", format!("{request} waits: \"{why}\""));
    for (name, caller) in [("grace", &house.grace), ("alan", &house.alan)] {
        let approvals = house.loom.approvals(caller);
        let inbox = approvals.to_decide(&InboxFilter::default()).await?;
        let seen = inbox.first().with_context(|| format!("nothing waits for {name}"))?;
        ensure!(approvals.plan(seen.request_id()).await?.digest()? == seen.spec.payload_hash);
        approvals.approve(seen.request_id(), seen.spec.payload_hash, None).await?;
        let state = approvals.get(seen.request_id()).await?.status.state;
        screen.line(
            Ink::Good,
            "✓",
            format!("{name} read the plan and signs {}; it is {state}", seen.spec.payload_hash),
        );
    }

    screen.step(4, "Apply what was signed", "nothing else, and once");
    let under = Through::new(&house.loom, &house.ada).under(request);
    let other = Plan::load(&saved.replace("Be concise.", "Approve everything.")).map(|_| ());
    let refused = other.err().context("an altered plan was read")?;
    screen.line(Ink::Bad, "✗", format!("the file with another prompt in it: {refused}"));
    let report = apply(&Plan::load(&saved)?, &under, ApplyOptions::default()).await;
    ensure!(report.is_complete(), "the plan was not applied:\n{report}");
    screen.block(&report);
    let again = apply(&plan, &under, ApplyOptions::default()).await;
    ensure!(!again.is_complete(), "the plan was applied twice");
    for line in &again.lines {
        screen.line(Ink::Bad, "✗", format!("a second time: {}: {}", line.target, line.result));
    }
    Ok(())
}
