//! Why a command did not do what was asked, what to do about it, and the exit code that says so to a script.

use crate::output::plain;
use crate::output::unwritten::Unwritten;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;

/// What a script learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done,
    /// It was refused or failed; of a question: no.
    Failed,
    /// Wrong usage or input; of `plan --detailed-exitcode`: there are changes.
    Usage,
    /// It waits for somebody's approval.
    Waits,
    /// Interrupted from the keyboard.
    Interrupted,
    /// Whoever read standard output has gone away before the end.
    Closed,
}

/// What stands at the end of `weave --help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; of a question: yes
  1    refused or failed; of a question: no
  2    wrong usage or input; with `plan --detailed-exitcode`: there are changes
  3    waits for somebody's approval: `weave approvals show <request>`
  130  interrupted from the keyboard
  141  whoever read the output went away before its end";

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Waits => 3,
            Exit::Interrupted => 130,
            Exit::Closed => 141,
        })
    }
}

impl Exit {
    /// This exit code, also where its reader went away before it was told in words: the code is the answer.
    ///
    /// # Errors
    /// Whatever else went wrong in telling it.
    pub(crate) fn though(self, told: anyhow::Result<()>) -> anyhow::Result<Self> {
        match told {
            Err(error) if !Unwritten::is_why(&error) => Err(error),
            _ => Ok(self),
        }
    }
}

/// The command line or a file says something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The server said no.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable code.
    pub(crate) code: String,
    /// What it says.
    pub(crate) message: String,
    /// What else it says.
    pub(crate) detail: Value,
    /// The id of the request, for the log of the server.
    pub(crate) request_id: Option<String>,
}

/// The envelope of every refusal.
#[derive(Debug, Deserialize)]
struct Envelope {
    error: Refused,
}

/// See [`Envelope`].
#[derive(Debug, Deserialize)]
struct Refused {
    code: String,
    message: String,
    #[serde(default)]
    detail: Value,
}

impl Refusal {
    /// What an answer with an error status says.
    pub(crate) fn read(status: u16, request_id: Option<String>, body: &[u8]) -> Self {
        match serde_json::from_slice::<Envelope>(body) {
            Ok(Envelope { error: Refused { code, message, detail } }) => {
                Self { status, code, message, detail, request_id }
            }
            Err(_) => {
                let text = String::from_utf8_lossy(body);
                let text = plain::brief(text.trim(), 200);
                let message = match text.as_str() {
                    "" => format!("the server answered {status} and nothing else"),
                    text => {
                        format!("the server answered {status}, and not as a Powerloom server does: {text}")
                    }
                };
                Self {
                    status,
                    code: "unexpected_answer".to_owned(),
                    message,
                    detail: Value::Null,
                    request_id,
                }
            }
        }
    }

    /// An answer that names another place. Nothing was done, and the token goes nowhere it was not meant for.
    pub(crate) fn redirected(status: u16, location: Option<&str>) -> Self {
        let place = location.map_or_else(String::new, |location| format!(" to `{location}`"));
        Self {
            status,
            code: "redirected".to_owned(),
            message: format!("the server answered {status} and sends elsewhere{place}: nothing was done"),
            detail: json!({ "location": location }),
            request_id: None,
        }
    }

    /// The exit code.
    fn exit(&self) -> Exit {
        match self.code.as_str() {
            "invalid" | "manifest" => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        let detail = |field: &str| self.detail.get(field).and_then(Value::as_str);
        Some(match (self.status, self.code.as_str()) {
            (401, _) => "the token is missing, expired, or another server's: `weave login --server <url>`".to_owned(),
            (_, "redirected") => "use the URL in Location: `--server <that URL>`".to_owned(),
            (_, "justification_required") => "say why with `--justification`".to_owned(),
            (_, "agent_not_synced" | "environment_not_synced") => {
                "see how it stands with `weave sync status`; the server pushes it within seconds unless it is parked".to_owned()
            }
            (_, "approval_hash_mismatch") => {
                "it is not what you were shown: look again with `weave approvals show`".to_owned()
            }
            (_, "name_taken") => "look at what has the name with `weave get`".to_owned(),
            (412, _) => "somebody changed it meanwhile: read it again, then decide anew".to_owned(),
            (429, _) => "wait a moment and try again".to_owned(),
            (403, "denied") => match (detail("name"), detail("permission"), detail("ou")) {
                (Some(who), Some(permission), Some(ou)) => format!(
                    "why: `weave explain {who} {permission} {ou}`; who could grant it: `weave who-can binding:create --ou {ou}`"
                ),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The lines people see: what, where exactly, what to do.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match self.detail.get("faults").and_then(Value::as_array) {
            Some(faults) if self.code == "manifest" => {
                lines.push("the documents cannot be used:".to_owned());
                lines.extend(faults.iter().map(|found| format!("  {}", fault(found))));
                let more = self.detail.get("more").and_then(Value::as_u64).unwrap_or_default();
                if more > 0 {
                    lines.push(format!("  and {more} more"));
                }
            }
            _ => lines.push(self.message.clone()),
        }
        lines
    }
}

/// One fault of a document: its place, the document, what is wrong.
pub(crate) fn fault(fault: &Value) -> String {
    let at = match fault.get("at") {
        Some(Value::String(at)) => at.clone(),
        Some(at) => {
            let part = |name: &str| match at.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            format!("{}:{}:{}", part("source"), part("line"), part("column"))
        }
        None => String::new(),
    };
    let text = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("document").as_str() {
        "" => format!("{at}: {}", text("message")),
        document => format!("{at}: {document}: {}", text("message")),
    }
}

/// Prints why a command failed, and says which exit code tells it.
///
/// Where the reader of our output has gone away, as `head` does, nothing is printed: the exit code says it.
pub(crate) fn report(error: &anyhow::Error, output: &crate::output::Output) -> Exit {
    if Unwritten::is_why(error) {
        return Exit::Closed;
    }
    let ink = output.err_ink;
    let mut text = String::new();
    let exit = if let Some(refusal) = error.downcast_ref::<Refusal>() {
        if !output.is_for_people() {
            let Refusal { code, message, detail, .. } = refusal;
            let envelope = json!({ "error": { "code": code, "message": message, "detail": detail } });
            eprint_all(&format!("{}\n", plain::json(&envelope.to_string())));
            return refusal.exit();
        }
        for (index, line) in refusal.lines().iter().enumerate() {
            if index == 0 {
                let code = ink.dim(format!("({})", plain::line(&refusal.code)));
                text.push_str(&format!("{} {} {code}\n", ink.bad("error:"), plain::line(line)));
            } else {
                text.push_str(&format!("{}\n", plain::line(line)));
            }
        }
        if let Some(hint) = refusal.hint() {
            text.push_str(&format!("{} {}\n", ink.busy("hint:"), plain::line(&hint)));
        }
        if let Some(id) = refusal.request_id.as_deref().filter(|_| refusal.status >= 500) {
            text.push_str(&format!(
                "{} the log of the server knows it as request {}\n",
                ink.busy("hint:"),
                plain::line(id)
            ));
        }
        refusal.exit()
    } else {
        let chain: Vec<String> =
            error.chain().map(|cause| plain::line(&cause.to_string()).into_owned()).collect();
        text.push_str(&format!("{} {}\n", ink.bad("error:"), chain.join(": ")));
        if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
    };
    eprint_all(&text);
    exit
}

/// Writes to standard error; if even that cannot be done there is nobody left to tell.
fn eprint_all(text: &str) {
    use std::io::Write;
    let _nobody_is_left = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_says_how_to_learn_why_and_who_could_help() {
        let body = br#"{"error":{"code":"denied","message":"insufficient permissions","detail":
            {"name":"user:ada@acme.com","permission":"agent:create","ou":"/acme"}}}"#;
        let refusal = Refusal::read(403, None, body);
        let hint = refusal.hint().unwrap();
        assert!(hint.contains("weave explain user:ada@acme.com agent:create /acme"), "{hint}");
        assert_eq!(refusal.exit(), Exit::Failed);
    }

    #[test]
    fn faults_of_documents_stand_one_in_a_line_with_their_places() {
        let body = br#"{"error":{"code":"manifest","message":"x","detail":{"faults":[
            {"at":"a.yaml:3:5","document":"Agent lint","message":"`modle` is not known here"}],"more":2}}}"#;
        let refusal = Refusal::read(422, None, body);
        assert_eq!(
            refusal.lines(),
            [
                "the documents cannot be used:",
                "  a.yaml:3:5: Agent lint: `modle` is not known here",
                "  and 2 more"
            ]
        );
        assert_eq!(refusal.exit(), Exit::Usage);
    }

    #[test]
    fn only_standard_output_that_is_closed_ends_without_a_word() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let output = crate::output::Output::new(Default::default(), Default::default());
        assert_eq!(report(&Unwritten::from(closed()).into(), &output), Exit::Closed);
        assert_eq!(report(&anyhow::Error::from(closed()).context("the network"), &output), Exit::Failed);
        let full = Unwritten::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(report(&full.into(), &output), Exit::Failed);
    }

    #[test]
    fn an_answer_of_something_else_is_shown_and_cut() {
        let refusal = Refusal::read(502, None, "<html>\u{1b}[31mBad gateway".as_bytes());
        assert_eq!(refusal.code, "unexpected_answer");
        assert!(refusal.message.contains("<html>\\u{1b}[31mBad gateway"), "{}", refusal.message);
    }
}
