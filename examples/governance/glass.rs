//! A change that cannot wait, and what it costs.

use crate::house::House;
use crate::screen::{Ink, Screen};
use anyhow::{Context as _, bail};
use powerloom_core::approval::InboxFilter;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::record::ResourceKey;
use serde_json::json;

pub(crate) async fn broken(house: &House, screen: Screen) -> anyhow::Result<()> {
    screen.step(5, "Break-glass", "at night, an agent must be changed at once");
    let agents = house.loom.agents(&house.admin).list(None).await?;
    let agent = agents
        .iter()
        .find(|agent| agent.meta.name == "code-reviewer")
        .context("there is no code-reviewer")?;
    let change = |prompt: &str| {
        let patch = json!({ "system_prompt": prompt });
        Action::Update {
            target: ResourceKey { kind: agent.key().kind, id: agent.meta.id },
            expect: None,
            patch: patch.as_object().cloned().unwrap_or_default(),
        }
    };
    let why = "it leaks customer names into reviews";
    let options = SubmitOptions::default().break_glass().justification(why);
    let stop = change("You review code changes. Never repeat customer data.");
    match house.loom.submit_with(&house.admin, stop, &options).await? {
        Outcome::Applied(applied) => {
            screen.line(
                Ink::Bad,
                "!",
                format!("admin changed code-reviewer alone (audit row {}): \"{why}\"", applied.audit.seq),
            );
        }
        other => bail!("it was not applied: {other:?}"),
    }
    let refused = house.loom.submit_with(&house.admin, change("Say nothing."), &options).await;
    let refused = refused.err().context("the glass was broken twice")?;
    screen.line(Ink::Bad, "✗", format!("once more: {refused}"));
    let approvals = house.loom.approvals(&house.grace);
    let inbox = approvals.to_decide(&InboxFilter::default()).await?;
    let review = inbox.first().context("there is no review")?;
    for (name, caller) in [("grace", &house.grace), ("alan", &house.alan)] {
        let comment = Some("right, and the incident is written up".to_owned());
        let approvals = house.loom.approvals(caller);
        approvals.approve(review.request_id(), review.spec.payload_hash, comment).await?;
        let state = approvals.get(review.request_id()).await?.status.state;
        screen.line(Ink::Good, "✓", format!("{name} reviewed it; the review is {state}"));
    }
    Ok(())
}
