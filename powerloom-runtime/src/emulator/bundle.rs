//! The content of a skill version: its files, the rules they obey, and the zip they travel in.

use crate::emulator::refusal::Refusal;
use crate::emulator::upload::UploadedFile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

/// The most a skill may hold, uncompressed.
const LIMIT: usize = 30 * 1024 * 1024;

/// The files of one version, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// From the front matter of `SKILL.md`.
    pub(crate) name: String,
    /// From the front matter of `SKILL.md`.
    pub(crate) description: String,
    /// The one directory that holds everything.
    pub(crate) directory: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Takes an upload: files one by one, or a single zip.
    pub(crate) fn of(mut uploaded: Vec<UploadedFile>) -> Result<Self, Refusal> {
        let zipped = uploaded.len() == 1 && uploaded.first().is_some_and(|file| file.name.ends_with(".zip"));
        let files = match uploaded.pop() {
            None => return Err(Refusal::invalid("files: at least one file is required")),
            Some(zip) if zipped => unzip(&zip.bytes)?,
            Some(last) => {
                uploaded.push(last);
                let mut files = BTreeMap::new();
                for file in uploaded {
                    if files.insert(file.name.clone(), file.bytes).is_some() {
                        return Err(Refusal::invalid(format!("files: `{}` is there twice", file.name)));
                    }
                }
                files
            }
        };
        Self::check(files)
    }

    /// The hidden form in which a bundle is stored.
    pub(crate) fn to_value(&self) -> Value {
        let files: BTreeMap<&str, String> =
            self.files.iter().map(|(name, bytes)| (name.as_str(), STANDARD.encode(bytes))).collect();
        json!(files)
    }

    /// A zip of a stored bundle.
    pub(crate) fn zip(stored: &Value) -> Result<Vec<u8>, Refusal> {
        let failed = |_| Refusal::internal("the skill cannot be packed");
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in stored.as_object().into_iter().flatten() {
            let bytes = STANDARD.decode(content.as_str().unwrap_or_default()).unwrap_or_default();
            zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).map_err(failed)?;
            zip.write_all(&bytes).map_err(|_| Refusal::internal("the skill cannot be packed"))?;
        }
        Ok(zip.finish().map_err(failed)?.into_inner())
    }

    fn check(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Refusal> {
        if files.values().map(Vec::len).sum::<usize>() >= LIMIT {
            return Err(Refusal::invalid("files: a skill must stay under 30 MB"));
        }
        let bad = |name: &str| {
            name.starts_with('/')
                || name.contains('\\')
                || name.split('/').any(|part| matches!(part, "" | "." | ".."))
        };
        if let Some(name) = files.keys().find(|name| bad(name)) {
            return Err(Refusal::invalid(format!("files: `{name}` is not a relative path")));
        }
        let top = |name: &str| name.split_once('/').map(|(top, _)| top.to_owned());
        let directory = files.keys().next().and_then(|name| top(name));
        if files.keys().any(|name| top(name) != directory) && directory.is_some() {
            return Err(Refusal::invalid("files: all files must lie under one top directory"));
        }
        let root = if files.contains_key("SKILL.md") { None } else { directory };
        let path = root.as_ref().map_or("SKILL.md".to_owned(), |directory| format!("{directory}/SKILL.md"));
        let text =
            files.get(&path).ok_or_else(|| Refusal::invalid("files: SKILL.md is missing at the top"))?;
        let (name, description) = front_matter(&String::from_utf8_lossy(text))?;
        let directory = root.unwrap_or_else(|| name.clone());
        Ok(Self { name, description, directory, files })
    }
}

fn unzip(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let bad = |error: &dyn std::fmt::Display| {
        Refusal::invalid(format!("files: not a zip that can be read: {error}"))
    };
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| bad(&error))?;
    let (mut files, mut left) = (BTreeMap::new(), LIMIT);
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| bad(&error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().to_owned();
        let mut content = Vec::new();
        let most = u64::try_from(left).unwrap_or(u64::MAX);
        (&mut entry).take(most).read_to_end(&mut content).map_err(|error| bad(&error))?;
        left = left.saturating_sub(content.len());
        if left == 0 {
            return Err(Refusal::invalid("files: a skill must stay under 30 MB"));
        }
        files.insert(name, content);
    }
    Ok(files)
}

fn front_matter(text: &str) -> Result<(String, String), Refusal> {
    let missing = || Refusal::invalid("SKILL.md: must start with front matter between lines of `---`");
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Err(missing());
    }
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let (mut closed, mut last) = (false, None::<String>);
    for line in lines {
        if line.trim_end() == "---" {
            closed = true;
            break;
        }
        match line.split_once(':') {
            Some((key, value)) if !line.starts_with([' ', '\t', '#']) => {
                let value = value.trim().trim_matches(['"', '\'']);
                let value = if matches!(value, ">" | "|" | ">-" | "|-") { "" } else { value };
                fields.insert(key.trim().to_owned(), value.to_owned());
                last = Some(key.trim().to_owned());
            }
            _ => {
                if let Some(value) = last.as_ref().and_then(|key| fields.get_mut(key)) {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(line.trim());
                }
            }
        }
    }
    if !closed {
        return Err(missing());
    }
    let name = fields.remove("name").unwrap_or_default();
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let reserved = name.contains("anthropic") || name.contains("claude");
    if !(1..=64).contains(&name.len()) || !name.chars().all(named) || reserved {
        let rule = "1 to 64 lower-case letters, digits and hyphens, without `anthropic` or `claude`";
        return Err(Refusal::invalid(format!("SKILL.md: the name must be {rule}")));
    }
    let description = fields.remove("description").unwrap_or_default();
    if !(1..=1024).contains(&description.chars().count()) {
        return Err(Refusal::invalid("SKILL.md: the description must have 1 to 1024 characters"));
    }
    Ok((name, description))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKILL: &str = "---\nname: refunds\ndescription: How to\n---\n# Refunds\n";

    fn file(name: &str, content: &str) -> UploadedFile {
        UploadedFile {
            name: name.to_owned(),
            content_type: "text/plain".to_owned(),
            bytes: content.as_bytes().to_vec(),
        }
    }

    #[test]
    fn files_and_the_zip_of_them_are_the_same_bundle() {
        let bundle = Bundle::of(vec![file("refunds/SKILL.md", SKILL), file("refunds/a/b.py", "1")]).unwrap();
        assert_eq!((bundle.name.as_str(), bundle.directory.as_str()), ("refunds", "refunds"));
        let zip = Bundle::zip(&bundle.to_value()).unwrap();
        let zipped =
            UploadedFile { name: "x.zip".to_owned(), content_type: "application/zip".to_owned(), bytes: zip };
        assert_eq!(Bundle::of(vec![zipped]).unwrap(), bundle);
    }

    #[test]
    fn a_bundle_that_breaks_a_rule_is_refused() {
        let refused = |files: &[(&str, &str)]| {
            Bundle::of(files.iter().map(|(name, content)| file(name, content)).collect()).is_err()
        };
        assert!(refused(&[]));
        assert!(refused(&[("a/README.md", SKILL)]));
        assert!(refused(&[("a/SKILL.md", SKILL), ("b/x", "")]));
        assert!(refused(&[("a/SKILL.md", SKILL), ("a/../x", "")]));
        assert!(refused(&[("a/SKILL.md", "# no front matter")]));
        assert!(refused(&[("a/SKILL.md", "---\nname: my-claude\ndescription: x\n---\n")]));
        assert!(refused(&[("a/SKILL.md", "---\nname: Upper\ndescription: x\n---\n")]));
        assert!(refused(&[("a/SKILL.md", "---\nname: fine\ndescription:\n---\n")]));
        assert!(!refused(&[("SKILL.md", SKILL)]));
    }
}
