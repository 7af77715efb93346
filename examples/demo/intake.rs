//! Reading the manifests.

use anyhow::{Context, bail};
use powerloom_core::manifest::{ParseMode, Parsed, parse};
use powerloom_core::resource::catalogue::Catalogue;
use std::path::{Path, PathBuf};

/// The manifest files that `given` names; those of this repository if it names none. Folders are read in order of name.
pub(crate) fn files(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let default = [Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")];
    let mut files = Vec::new();
    for path in if given.is_empty() { &default } else { given } {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries =
            std::fs::read_dir(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml"));
        found.sort();
        files.extend(found);
    }
    if files.is_empty() {
        bail!("there is no manifest to apply");
    }
    Ok(files)
}

/// Parses all of them as one set.
pub(crate) fn read(files: &[PathBuf], catalogue: &Catalogue) -> anyhow::Result<Parsed> {
    let mut all = Parsed::default();
    for file in files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        let name = file
            .file_name()
            .map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
        all = all.and(parse(&name, &text, ParseMode::Lenient, catalogue)?);
    }
    Ok(all)
}

/// The files of the example skill.
pub(crate) fn skill() -> anyhow::Result<Vec<powerloom_core::door::mutation::UploadedFile>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("skills/python-lint/SKILL.md");
    let content = std::fs::read(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    Ok(vec![powerloom_core::door::mutation::UploadedFile {
        path: "SKILL.md".into(),
        executable: false,
        content,
    }])
}
