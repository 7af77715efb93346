//! What a command works with: the API, and where it prints.

use crate::api::Api;
use crate::api::call::Pending;
use crate::failure::{Exit, Usage};
use crate::options::Options;
use crate::output::{Output, plain};
use serde::Deserialize;
use serde_json::json;
use std::io::{IsTerminal, Write};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Weave {
    /// The API.
    pub(crate) api: Api,
    /// Where it prints.
    pub(crate) out: Output,
}

/// Who we are there.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Identity {
    /// The principal by id.
    pub(crate) principal: String,
    /// The principal as people write it.
    #[serde(default)]
    pub(crate) principal_ref: Option<String>,
    /// The path of the root OU.
    #[serde(default)]
    pub(crate) root_ou_path: Option<String>,
    /// Its id.
    #[serde(default)]
    pub(crate) root_ou_id: Option<String>,
    /// What the token is.
    pub(crate) token: String,
}

impl Identity {
    /// The principal for people.
    pub(crate) fn name(&self) -> &str {
        self.principal_ref.as_deref().unwrap_or(&self.principal)
    }

    /// The path of the root OU for people.
    pub(crate) fn root(&self) -> &str {
        self.root_ou_path.as_deref().unwrap_or("/")
    }
}

impl Weave {
    /// Opens what the options say.
    ///
    /// # Errors
    /// As [`Options::api`].
    pub(crate) async fn open(options: &Options) -> anyhow::Result<Self> {
        Ok(Self { api: options.api().await?, out: options.printer() })
    }

    /// Who we are there.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) async fn whoami(&self) -> anyhow::Result<Identity> {
        self.api.get("/whoami").send().await?.read()
    }

    /// Says on standard error where something is about to be done and as whom: `host · organization · OU · as whom`.
    ///
    /// # Errors
    /// As [`whoami`](Self::whoami).
    pub(crate) async fn announce(&self, ou: Option<&str>) -> anyhow::Result<Identity> {
        let me = self.whoami().await?;
        let root = me.root();
        let organization = root.trim_start_matches('/');
        let line =
            format!("{} · {organization} · {} · as {}", self.api.host(), ou.unwrap_or(root), me.name());
        self.out.note(&self.out.err_ink.dim(plain::line(&line)))?;
        Ok(me)
    }

    /// Tells that a change waits for approval.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn waits(&self, pending: &Pending) -> anyhow::Result<Exit> {
        let id = plain::line(&pending.request_id);
        let value = json!({ "request_id": pending.request_id, "status": "pending_approval", "message": pending.message });
        if self.out.is_for_people() {
            let ink = self.out.ink;
            self.out.line(&format!("{} for approval: {}", ink.busy("waits"), ink.name(&id)))?;
            let how = format!("see what it needs: weave approvals show {id}");
            self.out.note(&self.out.err_ink.dim(how))?;
        } else if !self.out.value(&value)? {
            self.out.line(&id)?;
        }
        Ok(Exit::Waits)
    }

    /// Asks a person whether to go on; with `--yes` nobody is asked.
    ///
    /// # Errors
    /// [`Usage`] where nobody can be asked.
    pub(crate) fn confirm(&self, question: &str, yes: bool) -> anyhow::Result<bool> {
        if yes {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Usage("nobody can be asked here: say `--yes` if it is to be done".to_owned()).into());
        }
        let mut err = std::io::stderr().lock();
        write!(err, "{} [y/N] ", self.out.err_ink.strong(plain::line(question)))?;
        err.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
