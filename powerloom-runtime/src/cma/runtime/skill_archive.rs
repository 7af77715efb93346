//! The files of a skill version as the service gives them back: a zip.

use bytes::Bytes;
use powerloom_core::digest::Digest;
use powerloom_core::runtime::SkillFile;
use powerloom_core::skill_tree::{SKILL_MD, content_hash};
use std::collections::BTreeMap;
use std::io::{Cursor, Error, ErrorKind, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// Most bytes that are unpacked: what the service takes, and a little more.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// Most entries that are looked at, folders among them.
const MOST_ENTRIES: usize = 10_000;

/// An unpacked skill: files by path below the skill's folder, with their modes where the archive has them.
#[derive(Debug)]
pub(crate) struct SkillArchive(BTreeMap<String, (SkillFile, Option<bool>)>);

impl SkillArchive {
    /// Unpacks `zip`, away from the threads that wait on connections.
    pub(crate) async fn read(zip: Bytes) -> Result<Self, ZipError> {
        let unpacked = tokio::task::spawn_blocking(move || Self::unpack(&zip)).await;
        unpacked.unwrap_or_else(|stopped| Err(Error::other(stopped).into()))
    }

    fn unpack(zip: &[u8]) -> Result<Self, ZipError> {
        let mut zip = ZipArchive::new(Cursor::new(zip))?;
        if zip.len() > MOST_ENTRIES {
            return Err(too_large());
        }
        let (mut files, mut left) = (BTreeMap::new(), MOST_BYTES);
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index)?;
            if entry.is_dir() {
                continue;
            }
            let (path, mode) = (entry.name().to_owned(), entry.unix_mode());
            let mut bytes = Vec::new();
            let size = (&mut entry).take(left + 1).read_to_end(&mut bytes)? as u64;
            left = left.checked_sub(size).ok_or_else(too_large)?;
            let file = SkillFile { path: path.clone(), executable: false, size, digest: Digest::of(&bytes) };
            files.insert(path, (file, mode.map(|mode| mode & 0o111 != 0)));
        }
        Ok(Self(below_folder(files)))
    }

    /// Whether the tree has this hash, with the executable bits of `modes`; a file that is not in it has the bit the
    /// archive says, or none.
    pub(crate) fn has_hash(&self, wanted: Digest, modes: &BTreeMap<&str, bool>) -> bool {
        let with = |archived: bool| {
            let files: Vec<SkillFile> = self
                .0
                .values()
                .map(|(file, mode)| {
                    let mode = mode.filter(|_| archived);
                    let executable = modes.get(file.path.as_str()).copied().or(mode).unwrap_or_default();
                    SkillFile { executable, ..file.clone() }
                })
                .collect();
            content_hash(&files) == wanted
        };
        with(true) || with(false)
    }
}

/// Takes off the one folder everything is in, unless `SKILL.md` is beside it.
fn below_folder<T>(files: BTreeMap<String, (SkillFile, T)>) -> BTreeMap<String, (SkillFile, T)> {
    let folder =
        files.keys().next().and_then(|path| path.split_once('/')).map(|(folder, _)| format!("{folder}/"));
    match folder {
        Some(folder)
            if !files.contains_key(SKILL_MD) && files.keys().all(|path| path.starts_with(&folder)) =>
        {
            let below = |(path, (file, mode)): (String, (SkillFile, T))| {
                let path = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
                (path.clone(), (SkillFile { path, ..file }, mode))
            };
            files.into_iter().map(below).collect()
        }
        _ => files,
    }
}

fn too_large() -> ZipError {
    Error::new(ErrorKind::FileTooLarge, "more than 32 MiB or 10 000 files").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn zip(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes, mode) in files {
            zip.start_file(*path, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn tree(files: &[(&str, &[u8], bool)]) -> Digest {
        let of = |(path, bytes, executable): &(&str, &[u8], bool)| SkillFile {
            path: (*path).to_owned(),
            executable: *executable,
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        };
        content_hash(&files.iter().map(of).collect::<Vec<_>>())
    }

    /// Row P50: the hash is over the files, with or without the skill's folder around them.
    #[test]
    fn a_zip_has_the_hash_of_the_tree_in_it() {
        let plain = tree(&[("SKILL.md", b"x", false), ("bin/run", b"y", false)]);
        let none = BTreeMap::new();
        for prefix in ["", "refunds/"] {
            let (skill, run) = (format!("{prefix}SKILL.md"), format!("{prefix}bin/run"));
            let archive = SkillArchive::unpack(&zip(&[(&run, b"y", 0o644), (&skill, b"x", 0o644)])).unwrap();
            assert!(archive.has_hash(plain, &none), "{prefix:?}");
            assert!(!archive.has_hash(tree(&[("SKILL.md", b"x", false)]), &none));
        }
    }

    #[test]
    fn executable_bits_come_from_what_was_pushed_or_from_the_archive() {
        let executable = tree(&[("SKILL.md", b"x", false), ("run", b"y", true)]);
        let plain = tree(&[("SKILL.md", b"x", false), ("run", b"y", false)]);
        let lost =
            SkillArchive::unpack(&zip(&[("a/SKILL.md", b"x", 0o644), ("a/run", b"y", 0o644)])).unwrap();
        assert!(!lost.has_hash(executable, &BTreeMap::new()));
        assert!(lost.has_hash(executable, &BTreeMap::from([("run", true)])));
        let kept =
            SkillArchive::unpack(&zip(&[("a/SKILL.md", b"x", 0o644), ("a/run", b"y", 0o755)])).unwrap();
        assert!(kept.has_hash(executable, &BTreeMap::new()));
        assert!(kept.has_hash(plain, &BTreeMap::new()), "bits the service made up are passed over");
        assert!(!kept.has_hash(executable, &BTreeMap::from([("run", false)])));
    }

    #[test]
    fn a_zip_that_unpacks_to_too_much_is_refused() {
        let bomb = vec![0; usize::try_from(MOST_BYTES).unwrap() + 1];
        assert!(SkillArchive::unpack(&zip(&[("SKILL.md", &bomb, 0o644)])).is_err());
        assert!(SkillArchive::unpack(b"no zip").is_err());
    }
}
