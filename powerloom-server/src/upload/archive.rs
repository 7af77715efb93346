//! A zip archive, unpacked within bounds: it comes from anybody, and says of itself what it likes.

use powerloom_core::door::mutation::UploadedFile;
use powerloom_core::invalid::Invalid;
use powerloom_core::limits::Limits;
use powerloom_core::skill_tree::SKILL_MD;
use std::io::{Cursor, Error, Read, Result as IoResult, Seek, SeekFrom};
use zip::ZipArchive;

/// The bits of a Unix mode that say what kind of thing it is; a regular file; who may execute it.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const EXECUTE: u32 = 0o111;

/// Unpacks the files of an archive. An archive of one folder that holds the skill is as good as one of its files.
///
/// # Errors
/// [`Invalid`] names the file that cannot be read, is a link or a device, or is the one with which the files are too many
/// or too large. Of paths, the core judges.
pub(super) fn unzip(bytes: &[u8], limits: &Limits) -> Result<Vec<UploadedFile>, Invalid> {
    refuse_zip64(bytes)?;
    let mut archive = ZipArchive::new(Metered::new(bytes))
        .map_err(|error| Invalid::hidden("body", format!("a zip archive: {error}")))?;
    let mut files = Vec::new();
    let mut left = limits.skill_bytes;
    for index in 0..archive.len() {
        let path = archive.name_for_index(index).unwrap_or_default().to_owned();
        let entry = archive.by_index(index).map_err(|error| unreadable(&path, &error))?;
        let mode = entry.unix_mode().unwrap_or(REGULAR);
        if entry.is_dir() {
            continue;
        }
        if !matches!(mode & KIND, 0 | REGULAR) {
            return Err(Invalid::new("files", &path, "files and folders: no links and no devices"));
        }
        if files.len() == limits.skill_files {
            return Err(Invalid::new("files", &path, format!("at most {} files", limits.skill_files)));
        }
        // By what comes out, not by what the archive says will come out.
        let mut content = Vec::new();
        let read = entry.take(left as u64 + 1).read_to_end(&mut content);
        read.map_err(|error| unreadable(&path, &error))?;
        left = left.checked_sub(content.len()).ok_or_else(|| {
            let allowed = format!("files of at most {} bytes together, unpacked", limits.skill_bytes);
            Invalid::new("files", &path, allowed)
        })?;
        files.push(UploadedFile { path, executable: mode & EXECUTE != 0, content });
    }
    Ok(without_folder(files))
}

fn unreadable(path: &str, error: &dyn std::error::Error) -> Invalid {
    Invalid::new("files", path, format!("a file that can be unpacked: {error}"))
}

/// Without them an archive names at most 65 535 files; with them it can name more than there is memory for.
fn refuse_zip64(bytes: &[u8]) -> Result<(), Invalid> {
    let locator = |part: &[u8]| part.starts_with(b"PK\x06\x07") && part.ends_with(b"PK\x05\x06");
    if bytes.windows(24).any(locator) {
        return Err(Invalid::hidden("body", "a zip archive without zip64 extensions"));
    }
    Ok(())
}

/// Takes the folder away that all files are in, if it is the skill's.
fn without_folder(mut files: Vec<UploadedFile>) -> Vec<UploadedFile> {
    let folder = files.first().and_then(|file| file.path.split_once('/')).map(|(folder, _)| folder);
    let Some(prefix) = folder.filter(|folder| !matches!(*folder, "" | "." | "..")).map(|it| format!("{it}/"))
    else {
        return files;
    };
    let skill_md = format!("{prefix}{SKILL_MD}");
    let within = files.iter().all(|file| file.path.starts_with(&prefix));
    if within && files.iter().any(|file| file.path == skill_md) {
        for file in &mut files {
            file.path = file.path.split_off(prefix.len());
        }
    }
    files
}

/// A reader that tires: what an archive makes its reader look at again and again is bounded as well.
#[derive(Debug)]
struct Metered<'a> {
    inner: Cursor<&'a [u8]>,
    left: u64,
}

impl<'a> Metered<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let left = (bytes.len() as u64).saturating_mul(8).saturating_add(1 << 20);
        Self { inner: Cursor::new(bytes), left }
    }

    fn pay(&mut self, cost: u64) -> IoResult<()> {
        let left = self.left.checked_sub(cost);
        self.left = left.ok_or_else(|| Error::other("it says the same again and again"))?;
        Ok(())
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let read = self.inner.read(buffer)?;
        self.pay(read as u64)?;
        Ok(read)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        self.pay(1)?;
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn zipped(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, mode, content) in files {
            writer.start_file(*path, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn small() -> Limits {
        let mut limits = Limits::default();
        (limits.skill_files, limits.skill_bytes) = (3, 1000);
        limits
    }

    fn refused(bytes: &[u8]) -> Invalid {
        unzip(bytes, &small()).unwrap_err()
    }

    #[test]
    fn files_come_with_their_paths_and_their_execute_bits() {
        let files = unzip(&zipped(&[("SKILL.md", 0o644, b"x"), ("bin/run", 0o755, b"y")]), &small()).unwrap();
        let seen: Vec<(&str, bool)> =
            files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
        assert_eq!(seen, [("SKILL.md", false), ("bin/run", true)]);
    }

    #[test]
    fn the_folder_of_the_skill_is_taken_away_and_no_other() {
        let paths = |paths: &[&str]| -> Vec<String> {
            let files: Vec<_> = paths.iter().map(|path| (*path, 0o644, b"x".as_slice())).collect();
            unzip(&zipped(&files), &small()).unwrap().into_iter().map(|file| file.path).collect()
        };
        assert_eq!(paths(&["lint/SKILL.md", "lint/a/b"]), ["SKILL.md", "a/b"]);
        for other in
            [["lint/SKILL.md", "b"], ["../SKILL.md", "../b"], ["/SKILL.md", "/b"], ["lint/a", "lint/b"]]
        {
            assert_eq!(paths(&other), other);
        }
    }

    #[test]
    fn what_comes_out_is_bounded_whatever_the_archive_says() {
        let bomb = refused(&zipped(&[("SKILL.md", 0o644, b"x"), ("bomb", 0o644, &[0; 100_000])]));
        assert_eq!((bomb.field.as_str(), bomb.value.as_deref()), ("files", Some("bomb")));
        let many = ["a", "b", "c", "d"].map(|path| (path, 0o644, b"".as_slice()));
        assert_eq!(refused(&zipped(&many)).value.as_deref(), Some("d"));
    }

    #[test]
    fn a_link_is_refused_by_its_path() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("passwd", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let link = refused(&writer.finish().unwrap().into_inner());
        assert_eq!(link.value.as_deref(), Some("passwd"));
    }

    #[test]
    fn what_is_no_archive_or_a_torn_one_is_refused() {
        let good = zipped(&[("SKILL.md", 0o644, b"a body that is long enough to be torn")]);
        assert_eq!(refused(b"").field, "body");
        assert_eq!(refused(b"PK\x03\x04").field, "body");
        for cut in 1..good.len() {
            assert!(unzip(&good[..cut], &small()).is_err(), "{cut}");
        }
        let mut flipped = good.clone();
        flipped[40] ^= 1;
        assert!(unzip(&flipped, &small()).is_err());
    }

    /// Its end says that there are 65 535 files, again and again, and each time they cannot be read.
    #[test]
    fn an_archive_that_wants_to_be_read_again_and_again_is_given_up() {
        let mut bytes = b"PK\x01\x02".repeat(20_000);
        let end = b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0";
        bytes.extend(end.repeat(20_000));
        assert_eq!(refused(&bytes).field, "body");
    }

    #[test]
    fn zip64_is_refused_before_it_is_believed() {
        let mut bytes = zipped(&[("SKILL.md", 0o644, b"x")]);
        let end = bytes.split_off(bytes.len() - 22);
        bytes.extend_from_slice(b"PK\x06\x07");
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&end);
        assert!(refused(&bytes).allowed.contains("zip64"));
    }
}
