//! A file that is written whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever may read new files here.
    Usual,
}

/// A file in the making: under another name until it is kept, and gone if it is not. What stood in its place stays till then.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: BufWriter<File>,
    /// The other name; none for what is no file, such as a pipe, which cannot be put in the place of something.
    part: Option<PathBuf>,
    path: PathBuf,
}

impl NewFile {
    /// Begins it.
    ///
    /// # Errors
    /// A folder that takes no file.
    pub(crate) fn create(path: &Path, readers: Readers) -> io::Result<Self> {
        let is_file = std::fs::metadata(path).map_or(true, |found| found.is_file());
        let name = format!("part-{}", std::process::id());
        let part = is_file.then(|| path.with_added_extension(name));
        let mut options = OpenOptions::new();
        options.write(true);
        if part.is_some() {
            options.create(true).truncate(true);
            #[cfg(unix)]
            if readers == Readers::Owner {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
        }
        let file = BufWriter::new(options.open(part.as_deref().unwrap_or(path))?);
        Ok(Self { file, part, path: path.to_owned() })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// A disk that is full, a folder that is gone.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some(part) = &self.part {
            self.file.get_ref().sync_all()?;
            std::fs::rename(part, &self.path)?;
            self.part = None;
        }
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // That it was not kept is reported by whoever did not keep it.
            let _gone = std::fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, "old").unwrap();
        let mut new = NewFile::create(&path, Readers::Owner).unwrap();
        new.write_all(b"half").unwrap();
        drop(new);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut new = NewFile::create(&path, Readers::Owner).unwrap();
        new.write_all(b"new").unwrap();
        new.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_written_to_and_stays_what_it_is() {
        let mut null = NewFile::create(Path::new("/dev/null"), Readers::Usual).unwrap();
        null.write_all(b"x").unwrap();
        null.keep().unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
}
