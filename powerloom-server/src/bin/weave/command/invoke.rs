//! `weave invoke`: asks an agent, and watches it work.

use crate::api::call::Terms;
use crate::api::events::Frame;
use crate::command::session_text::{self, end};
use crate::command::sessions;
use crate::command::watch::{Watch, watch};
use crate::failure::{Exit, Usage};
use crate::kinds::known;
use crate::output::progress::Progress;
use crate::output::{Format, plain};
use crate::reference::field;
use crate::weave::Weave;
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;

/// Asks an agent, and shows live what it says and which tools it calls
///
/// Ctrl-C leaves the session running, and says how to watch it again. A connection that is cut is opened again where it stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  weave invoke code-reviewer 'Review the last change.'
  git diff | weave invoke code-reviewer -
  weave invoke /acme/engineering/code-reviewer 'Review.' --json | jq -r .type
  weave invoke code-reviewer 'Review.' --sync -o json

With -o name the id of the session is printed, and nobody waits.

Exit codes: 0 the agent ended its turn; 1 it failed, was stopped or ran too long; 3 the invocation waits for approval;
130 interrupted: the session goes on.")]
pub(crate) struct Invoke {
    /// The agent: an id, a name, or /ou/path/name
    #[arg(value_name = "AGENT")]
    agent: String,

    /// What is asked; `-` reads it from standard input
    #[arg(value_name = "PROMPT")]
    prompt: String,

    /// What to call the session
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// How long the session may run, in seconds; unless given, as the agent says, or ten minutes
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,

    /// Waits for the end and prints the last thing the agent said
    #[arg(long, conflicts_with = "json")]
    sync: bool,

    /// Writes each frame as a line of JSON; the same as -o json
    #[arg(long)]
    json: bool,

    /// Starts the session, prints its id and does not wait
    #[arg(long, conflicts_with_all = ["sync", "json"])]
    detach: bool,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

impl Invoke {
    /// Does it.
    ///
    /// # Errors
    /// What the server refuses; a stream that cannot be had again.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let prompt = match self.prompt.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text
            }
            given => given.to_owned(),
        };
        if prompt.trim().is_empty() {
            return Err(Usage("the prompt is empty".to_owned()).into());
        }
        let kind = known("agent").ok_or_else(|| Usage("agents are not known here".to_owned()))?;
        let agent = weave.find(&kind, &self.agent, None).await?;
        let mode = if self.sync { "sync" } else { "fire_and_forget" };
        let mut body = json!({ "prompt": prompt, "mode": mode });
        let optional = [("title", json!(self.title)), ("timeout_seconds", json!(self.timeout))];
        if let Some(body) = body.as_object_mut() {
            body.extend(
                optional
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        let terms = Terms { justification: self.justification.clone() };
        let call = weave
            .api
            .post(format!("/agents/{}/invoke", field(&agent, "id")))
            .json(&body)
            .terms(&terms)
            .once();
        let waiting = self.sync.then(|| Progress::start("the agent works"));
        // The answer comes when the session has settled.
        let call = if self.sync { call.patient() } else { call };
        let answer = call.send().await?;
        drop(waiting);
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        let started = answer.json()?;
        if self.sync {
            return settled(weave, &started).await;
        }
        let session = field(&started, "session_id");
        if self.detach || (weave.out.format == Format::Name && !self.json) {
            return detached(weave, session);
        }
        weave.out.note(&weave.out.err_ink.dim(format!("session {}", plain::line(session))))?;
        watch(weave, Watch { session, after: 0, json: self.json }).await
    }
}

/// A session that nobody waits for. What opens its stream is not shown: it is a secret, and `weave sessions watch` needs none.
fn detached(weave: &Weave, session: &str) -> anyhow::Result<Exit> {
    if !weave.out.value(&json!({ "session_id": session, "status": "pending" }))? {
        weave.out.line(&plain::line(session))?;
    }
    Ok(Exit::Done)
}

/// A session that has settled: the last thing the agent said, and how it ended.
async fn settled(weave: &Weave, answer: &Value) -> anyhow::Result<Exit> {
    let (out, id) = (weave.out, field(answer, "session_id"));
    let exit = session_text::exit(field(answer, "status"));
    if !out.value(answer)? && !out.names([id])? {
        out.note(&out.err_ink.dim(format!("session {}", plain::line(id))))?;
        let mut last = None;
        let keep = |frame: Frame| {
            if frame.kind == "agent.message" {
                last = Some(frame);
            }
            Ok(())
        };
        sessions::past(weave, id, 0, None, keep).await?;
        if let Some(message) = &last {
            out.text(&session_text::frame(message, out.ink))?;
        }
        // What is asked for is the answer; how it went stands beside it.
        out.note(end(answer.get("session").unwrap_or(answer), out.err_ink).trim_end())?;
    }
    Ok(exit)
}
