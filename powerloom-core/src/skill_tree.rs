//! The files of a skill version: what may be uploaded, and the hash of the tree (sem. 2.6).
//!
//! The hash is over the files, not over an archive of them: the same tree zipped twice is the same version.

use crate::digest::Digest;
use crate::door::mutation::UploadedFile;
use crate::invalid::Invalid;
use crate::limits::Limits;
use crate::runtime::SkillFile;
use std::collections::BTreeMap;

/// The file every skill has.
pub const SKILL_MD: &str = "SKILL.md";

/// A checked upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillTree {
    /// The files, sorted by path.
    pub files: Vec<SkillFile>,
    /// `SHA-256` over the tag `powerloom/skill-tree/v1\n` and, for each file in the order of the paths, the path's
    /// length (8 bytes, big endian), the path, the mode bit, the size (8 bytes), and the SHA-256 of the bytes.
    pub content_hash: Digest,
}

impl SkillTree {
    /// Checks an upload for the skill called `skill`.
    ///
    /// # Errors
    /// [`Invalid`] if there are too many files or bytes, a path leaves the folder or exists twice (also but for case),
    /// or `SKILL.md` is missing or says another name.
    pub fn read(files: &[UploadedFile], skill: &str, limits: &Limits) -> Result<Self, Invalid> {
        if files.is_empty() || files.len() > limits.skill_files {
            return Err(Invalid::new("files", files.len(), format!("1 to {} files", limits.skill_files)));
        }
        let bytes: usize = files.iter().map(|file| file.content.len()).sum();
        if bytes > limits.skill_bytes {
            return Err(Invalid::new(
                "files",
                format!("{bytes} bytes"),
                format!("at most {} bytes", limits.skill_bytes),
            ));
        }
        let mut sorted: BTreeMap<&str, &UploadedFile> = BTreeMap::new();
        let mut folded: BTreeMap<String, &str> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            check_path(&file.path).map_err(|invalid| invalid.within(&format!("files[{index}]")))?;
            if folded.insert(file.path.to_lowercase(), &file.path).is_some() {
                let allowed = "a path no other file has, whatever the case";
                return Err(Invalid::new(format!("files[{index}].path"), &file.path, allowed));
            }
            sorted.insert(&file.path, file);
        }
        if let Some(path) = folded.keys().find(|path| folders(path).any(|folder| folded.contains_key(folder)))
        {
            return Err(Invalid::new("files", path, "no file below what is a file itself"));
        }
        let manifest = sorted.get(SKILL_MD).ok_or_else(|| {
            Invalid::hidden("files", format!("a file `{SKILL_MD}` at the root of the skill"))
        })?;
        check_front_matter(&manifest.content, skill)?;
        let files: Vec<SkillFile> = sorted
            .values()
            .map(|file| SkillFile {
                path: file.path.clone(),
                executable: file.executable,
                size: file.content.len() as u64,
                digest: Digest::of(&file.content),
            })
            .collect();
        Ok(Self { content_hash: content_hash(&files), files })
    }
}

/// The hash of a tree; its files are sorted by path.
#[must_use]
pub fn content_hash(files: &[SkillFile]) -> Digest {
    let mut bytes = b"powerloom/skill-tree/v1\n".to_vec();
    for file in files {
        bytes.extend_from_slice(&(file.path.len() as u64).to_be_bytes());
        bytes.extend_from_slice(file.path.as_bytes());
        bytes.push(u8::from(file.executable));
        bytes.extend_from_slice(&file.size.to_be_bytes());
        bytes.extend_from_slice(file.digest.as_bytes());
    }
    Digest::of(&bytes)
}

/// The folders a path leads through.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(end, _)| path.get(..end))
}

fn check_path(path: &str) -> Result<(), Invalid> {
    let good = !path.is_empty()
        && path.len() <= 255
        && !path.contains(['\\', '\0', ':'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if good {
        Ok(())
    } else {
        Err(Invalid::new(
            "path",
            path,
            "a relative path with `/`, without `.` and `..`, of at most 255 bytes",
        ))
    }
}

/// `SKILL.md` begins with front matter that names the skill and says what it does.
fn check_front_matter(content: &[u8], skill: &str) -> Result<(), Invalid> {
    let missing =
        || Invalid::hidden(SKILL_MD, "front matter between two lines `---`, with `name` and `description`");
    let text = std::str::from_utf8(content).map_err(|_| Invalid::hidden(SKILL_MD, "text in UTF-8"))?;
    let body = text
        .strip_prefix("---")
        .and_then(|rest| rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')));
    let (front, _) = body.and_then(|body| body.split_once("\n---")).ok_or_else(missing)?;
    let field = |name: &str| {
        let line = front.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    let name = field("name").ok_or_else(missing)?;
    if name != skill {
        return Err(Invalid::new(
            format!("{SKILL_MD}.name"),
            name,
            format!("`{skill}`, the name of the skill"),
        ));
    }
    if ["anthropic", "claude"].iter().any(|reserved| name.contains(reserved)) {
        return Err(Invalid::new(
            format!("{SKILL_MD}.name"),
            name,
            "a name without `anthropic` and `claude`",
        ));
    }
    let description = field("description").ok_or_else(missing)?;
    if description.is_empty() || description.chars().count() > 1024 {
        let length = format!("{} characters", description.chars().count());
        return Err(Invalid::new(format!("{SKILL_MD}.description"), length, "1 to 1024 characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> UploadedFile {
        UploadedFile { path: path.to_owned(), executable: false, content: content.as_bytes().to_vec() }
    }

    fn skill_md() -> UploadedFile {
        file(SKILL_MD, "---\nname: python-lint\ndescription: Lint Python files.\n---\nRun ruff.\n")
    }

    fn read(files: &[UploadedFile]) -> Result<SkillTree, Invalid> {
        SkillTree::read(files, "python-lint", &Limits::default())
    }

    /// Row P50.
    #[test]
    fn the_same_files_in_another_order_are_the_same_tree() {
        let (a, b) = (file("a.py", "print()"), file("b/c.py", "1"));
        let one = read(&[skill_md(), a.clone(), b.clone()]).unwrap();
        assert_eq!(one, read(&[b.clone(), skill_md(), a]).unwrap());
        assert_ne!(one, read(&[skill_md(), b]).unwrap());
    }

    #[test]
    fn a_mode_or_a_byte_makes_another_tree() {
        let plain = read(&[skill_md(), file("run", "x")]).unwrap();
        let executable = UploadedFile { executable: true, ..file("run", "x") };
        assert_ne!(plain.content_hash, read(&[skill_md(), executable]).unwrap().content_hash);
        assert_ne!(plain.content_hash, read(&[skill_md(), file("run", "y")]).unwrap().content_hash);
    }

    #[test]
    fn paths_that_leave_the_folder_or_collide_are_refused() {
        for path in ["/etc/passwd", "../x", "a/../b", "a//b", "", "a\\b", "a\0", "./a", "C:x", "skill.MD"] {
            assert!(read(&[skill_md(), file(path, "x")]).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_file_is_no_folder() {
        assert!(read(&[skill_md(), file("a", ""), file("A/b", "")]).is_err());
        assert!(read(&[skill_md(), file("a/b", ""), file("ab", "")]).is_ok());
    }

    #[test]
    fn skill_md_must_be_there_and_bear_the_name() {
        assert!(read(&[file("a.py", "")]).is_err());
        let other = file(SKILL_MD, "---\nname: other\ndescription: x\n---\n");
        assert_eq!(read(&[other]).unwrap_err().field, "SKILL.md.name");
        assert!(read(&[file(SKILL_MD, "# python-lint")]).is_err());
    }
}
