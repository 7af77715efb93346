//! Named servers and how to be known there, in a file that only its owner can read.

use crate::failure::Usage;
use crate::new_file::{NewFile, Readers};
use crate::options::variable;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The context used unless another is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A server and how to be known there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Its URL.
    pub(crate) server: String,
    /// The token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// A command that prints the token, run by the shell each time one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_command: Option<String>,
    /// Certificates to trust beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Without the token.
impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Context {
    /// The token, if there is one.
    ///
    /// # Errors
    /// A command that fails or prints nothing.
    pub(crate) async fn token(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        let Some(command) = &self.token_command else {
            return Ok(self.token.clone().map(Zeroizing::new));
        };
        let mut shell = if cfg!(windows) {
            let mut shell = tokio::process::Command::new("cmd");
            shell.arg("/C");
            shell
        } else {
            let mut shell = tokio::process::Command::new("sh");
            shell.arg("-c");
            shell
        };
        shell.arg(command).stderr(std::process::Stdio::inherit()).stdin(std::process::Stdio::inherit());
        let done = shell.output().await.context("the token command of the context cannot be run")?;
        anyhow::ensure!(done.status.success(), "the token command of the context failed ({})", done.status);
        let text =
            Zeroizing::new(String::from_utf8(done.stdout).context("the token command of the context")?);
        let token = text.trim();
        anyhow::ensure!(!token.is_empty(), "the token command of the context printed nothing");
        Ok(Some(Zeroizing::new(token.to_owned())))
    }
}

impl File {
    /// Where the file is: POWERLOOM_CONTEXTS, or `powerloom/weave.toml` where programs keep their settings.
    ///
    /// # Errors
    /// [`Usage`] if nobody says where that is.
    pub(crate) fn path() -> anyhow::Result<PathBuf> {
        if let Some(path) = variable("POWERLOOM_CONTEXTS") {
            return Ok(path.into());
        }
        let folder = match (variable("XDG_CONFIG_HOME"), std::env::home_dir()) {
            (Some(folder), _) => PathBuf::from(folder),
            (None, Some(home)) => home.join(".config"),
            (None, None) => {
                return Err(Usage("there is no home folder: set POWERLOOM_CONTEXTS".to_owned()).into());
            }
        };
        Ok(folder.join("powerloom").join("weave.toml"))
    }

    /// Reads the file; an absent one is empty.
    ///
    /// # Errors
    /// A file that others may read, or that holds something else.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = Self::path()?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("`{}`", path.display())),
        };
        only_for_its_owner(&path)?;
        // What the reader says would quote the line, which may hold a token.
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
            Usage(format!("`{}` is no file of contexts: look at line {line}", path.display())).into()
        })
    }

    /// Writes the file, whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// A file or folder that cannot be written.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let path = Self::path()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let text = Zeroizing::new(toml::to_string_pretty(self)?);
        let written = NewFile::create(&path, Readers::Owner).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.keep()
        });
        written.with_context(|| format!("`{}` cannot be written", path.display()))
    }

    /// The context of this name, or the current one.
    ///
    /// # Errors
    /// [`Usage`] if there is none.
    pub(crate) fn chosen(&self, name: Option<&str>) -> anyhow::Result<Context> {
        let Some(name) = name.or(self.current.as_deref()) else {
            let how = "say where: `weave login --server <url>` once, or `--server <url>`, or `--store <url>`";
            return Err(Usage(how.to_owned()).into());
        };
        Ok(self.contexts.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            Usage(format!("there is no context `{name}`: known are {}", list(&known)))
        })?)
    }

    /// The context for a server that is named by its URL: the named or current one before any other of that server.
    pub(crate) fn of_server(&self, url: &str, name: Option<&str>) -> Option<Context> {
        let same = |context: &&Context| context.server.trim_end_matches('/') == url.trim_end_matches('/');
        let first = name.or(self.current.as_deref()).and_then(|name| self.contexts.get(name)).filter(same);
        first.or_else(|| self.contexts.values().find(same)).cloned()
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(unix)]
fn only_for_its_owner(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(Usage(format!("`{shown}` holds tokens and is open to others: run `chmod 600 {shown}`")).into())
}

#[cfg(not(unix))]
fn only_for_its_owner(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        let context = |server: &str| Context {
            server: server.to_owned(),
            token: Some("secret".to_owned()),
            token_command: None,
            ca_cert: None,
        };
        let contexts = [
            ("acme", "https://loom.acme.com"),
            ("old", "https://loom.acme.com/"),
            ("other", "https://other.com"),
        ];
        File {
            current: Some("old".to_owned()),
            contexts: contexts.into_iter().map(|(name, server)| (name.to_owned(), context(server))).collect(),
        }
    }

    #[test]
    fn a_server_is_known_by_its_url_and_the_current_context_goes_first() {
        let file = file();
        assert_eq!(file.of_server("https://loom.acme.com", None).unwrap().server, "https://loom.acme.com/");
        assert_eq!(
            file.of_server("https://loom.acme.com", Some("acme")).unwrap().server,
            "https://loom.acme.com"
        );
        assert_eq!(file.of_server("https://nobody.com", None), None);
    }

    #[test]
    fn an_unknown_context_is_refused_and_the_known_ones_are_named() {
        let refused = file().chosen(Some("acne")).unwrap_err().to_string();
        assert_eq!(refused, "there is no context `acne`: known are acme, old, other");
    }

    #[test]
    fn a_context_shows_no_token() {
        assert!(!format!("{:?}", file()).contains("secret"));
    }

    #[test]
    fn the_file_reads_back() {
        assert_eq!(toml::from_str::<File>(&toml::to_string_pretty(&file()).unwrap()).unwrap(), file());
    }
}
