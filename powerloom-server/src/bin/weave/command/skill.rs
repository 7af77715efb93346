//! `weave skill push`: a folder becomes a version of a skill.

use crate::api::call::Terms;
use crate::command::get::cell;
use crate::failure::{Exit, Usage};
use crate::kinds::known;
use crate::output::plain;
use crate::output::progress::{Progress, Unit};
use crate::reference::{NotFound, Reference, field, path_of};
use crate::weave::Weave;
use anyhow::Context;
use clap::{Args, Subcommand};
use powerloom_core::door::mutation::UploadedFile;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is left out of an upload: it is never part of a skill.
const LEFT_OUT: [&str; 4] = [".git", ".DS_Store", "__pycache__", "node_modules"];

/// Most files of a folder that are looked at.
const MAX_FILES: usize = 10_000;

/// Uploads folders as versions of skills
#[derive(Debug, Args)]
pub(crate) struct Skill {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Uploads a folder as a new version of a skill
    Push(Push),
}

/// A version of the same files is the same version: pushing again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
The skill is made if there is none of its name; then --ou says where. Versions never change, and pushing the same files again is
the same version. Left out are .git, .DS_Store, __pycache__, node_modules and links.

Examples:
  weave skill push skills/python-lint --ou /acme/engineering
  weave skill push . --skill python-lint")]
struct Push {
    /// The folder; SKILL.md must be in it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// The skill: an id, a name, or /ou/path/name; unless given, the name of the folder
    #[arg(long, value_name = "NAME")]
    skill: Option<String>,

    /// The OU the skill is in, or is to be made in
    #[arg(long, value_name = "OU")]
    ou: Option<String>,

    /// Why: for policies that want to know
    #[arg(long, value_name = "TEXT")]
    justification: Option<String>,
}

impl Skill {
    /// Does it.
    ///
    /// # Errors
    /// What the folder or the server refuse.
    pub(crate) async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        match self.command {
            Command::Push(push) => push.run(weave).await,
        }
    }
}

impl Push {
    async fn run(self, weave: &Weave) -> anyhow::Result<Exit> {
        let files = files(&self.folder)?;
        let name = match &self.skill {
            Some(skill) => skill.clone(),
            None => folder_name(&self.folder)?,
        };
        weave.announce(self.ou.as_deref()).await?;
        let terms = Terms { justification: self.justification.clone() };
        let skill = match self.skill(weave, &name, &terms).await? {
            Ok(skill) => skill,
            Err(exit) => return Ok(exit),
        };
        let call = weave.api.post(format!("/skills/{}/versions", field(&skill, "id")));
        let call = call.json(&json!({ "files": files })).terms(&terms).once();
        let progress = Progress::of(call.size(), format!("uploading {} files", files.len()), Unit::Bytes);
        let answer = call.telling(progress.counter()).send().await;
        drop(progress);
        let answer = answer?;
        if let Some(pending) = answer.pending()? {
            return weave.waits(&pending);
        }
        let version = answer.json()?;
        if !weave.out.value(&version)? {
            if weave.out.is_for_people() {
                let number = cell(version.get("number").or_else(|| version.get("name")));
                let word = if answer.status == 201 {
                    weave.out.ink.good("uploaded")
                } else {
                    weave.out.ink.dim("there already")
                };
                let path = path_of(&skill);
                weave.out.line(&format!(
                    "{word} {} {} ({} files)",
                    plain::line(&path),
                    plain::line(&number),
                    files.len()
                ))?;
            } else {
                weave.out.line(&plain::line(field(&version, "id")))?;
            }
        }
        Ok(Exit::Done)
    }

    /// The skill, made if there is none; or that it waits for approval.
    async fn skill(&self, weave: &Weave, name: &str, terms: &Terms) -> anyhow::Result<Result<Value, Exit>> {
        let kind = known("skill").ok_or_else(|| Usage("skills are not known here".to_owned()))?;
        let missing = match weave.find(&kind, name, self.ou.as_deref()).await {
            Ok(skill) => return Ok(Ok(skill)),
            Err(error) if error.is::<NotFound>() => error,
            Err(error) => return Err(error),
        };
        let (ou, name) = match (Reference::read(name)?, &self.ou) {
            (Reference::Path { ou, name }, _) => (ou, name),
            (Reference::Name(name), Some(ou)) => (ou.clone(), name),
            _ => return Err(missing.context("say with --ou where it is to be made")),
        };
        let body = json!({ "name": name, "ou_id": weave.ou_id(&ou).await? });
        let answer = weave.api.post("/skills").json(&body).terms(terms).once().send().await?;
        match answer.pending()? {
            Some(pending) => Ok(Err(weave.waits(&pending)?)),
            None => Ok(Ok(answer.json()?)),
        }
    }
}

fn folder_name(folder: &Path) -> anyhow::Result<String> {
    let whole = folder.canonicalize().with_context(|| format!("`{}`", folder.display()))?;
    let name = whole.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    Ok(name.ok_or_else(|| Usage("the folder has no name: say `--skill <name>`".to_owned()))?)
}

/// The files below a folder, by their paths.
fn files(folder: &Path) -> anyhow::Result<Vec<UploadedFile>> {
    if !folder.is_dir() {
        return Err(Usage(format!("`{}` is no folder", folder.display())).into());
    }
    let mut files = Vec::new();
    gather(folder, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if !files.iter().any(|file| file.path == "SKILL.md") {
        return Err(Usage(format!("`{}` has no SKILL.md: it is no skill", folder.display())).into());
    }
    Ok(files)
}

fn gather(folder: &Path, below: &str, files: &mut Vec<UploadedFile>) -> anyhow::Result<()> {
    let unreadable = || format!("`{}` cannot be read", folder.display());
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(
                Usage(format!("a file below `{}` has a name that is no text", folder.display())).into()
            );
        };
        let kind = entry.file_type().with_context(unreadable)?;
        if LEFT_OUT.contains(&name) || kind.is_symlink() {
            continue;
        }
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if kind.is_dir() {
            gather(&entry.path(), &path, files)?;
            continue;
        }
        if files.len() >= MAX_FILES {
            return Err(
                Usage(format!("there are more than {MAX_FILES} files: is this the right folder?")).into()
            );
        }
        let content = std::fs::read(entry.path())
            .with_context(|| format!("`{}` cannot be read", entry.path().display()))?;
        files.push(UploadedFile { path, executable: is_executable(&entry.path())?, content });
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> anyhow::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_uploaded_without_what_never_belongs_to_a_skill() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["SKILL.md", "scripts/run.py", "scripts/__pycache__/run.pyc", ".git/HEAD"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let paths: Vec<_> = files(folder.path()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["SKILL.md", "scripts/run.py"]);
    }

    #[test]
    fn a_folder_without_its_skill_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(files(folder.path()).unwrap_err().to_string().contains("has no SKILL.md"));
    }
}
