//! The folder both file anchors keep their notes in: names, locks, and what survives a crash.

use powerloom_core::anchor::AnchorError;
use powerloom_core::audit::checkpoint::{Checkpoint, Origin};
use powerloom_core::audit::note::SignedNote;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A folder with a file for each log.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    name: String,
    extension: &'static str,
}

impl Folder {
    pub(super) fn new(path: PathBuf, extension: &'static str) -> Self {
        Self { name: format!("file:{}", path.display()), path, extension }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file of a log. Every byte that could mean something in a path is written as `%` and two digits.
    pub(super) fn file(&self, origin: &Origin) -> PathBuf {
        let mut name = String::with_capacity(64);
        for byte in origin.as_str().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                other => name.push_str(&format!("%{other:02x}")),
            }
        }
        self.path.join(format!("{name}.{}", self.extension))
    }

    /// Runs blocking work on the file of a log while nobody else, in this process or another, has its lock.
    pub(super) async fn locked<T: Send + 'static>(
        &self,
        origin: &Origin,
        work: impl FnOnce(&Path) -> Result<T, AnchorError> + Send + 'static,
    ) -> Result<T, AnchorError> {
        let file = self.file(origin);
        let whole = move || {
            let folder = file.parent().unwrap_or(Path::new("."));
            if !folder.exists() {
                std::fs::create_dir_all(folder).map_err(failed)?;
                sync_folder_of(folder)?;
            }
            let guard = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(file.with_extension("lock"))
                .map_err(failed)?;
            guard.lock().map_err(failed)?;
            let done = work(&file);
            guard.unlock().map_err(failed)?;
            done
        };
        tokio::task::spawn_blocking(whole).await.map_err(|error| failed(io::Error::other(error)))?
    }
}

/// How many entries a note's checkpoint covers; refuses a note that is none of this log.
pub(super) fn size_of(origin: &Origin, note: &SignedNote) -> Result<u64, AnchorError> {
    let refused = |message: &str| AnchorError::Refused { message: message.to_owned() };
    let checkpoint: Checkpoint = note.text().parse().map_err(|_| refused("it is no checkpoint"))?;
    if checkpoint.origin == *origin { Ok(checkpoint.size()) } else { Err(refused("it is about another log")) }
}

/// Makes what was done in a folder survive a crash.
pub(super) fn sync_folder_of(file: &Path) -> Result<(), AnchorError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

pub(super) fn failed(error: io::Error) -> AnchorError {
    AnchorError::Unavailable { message: error.kind().to_string(), source: Some(Box::new(error)) }
}

pub(super) fn corrupt(message: &str) -> AnchorError {
    AnchorError::Corrupt { message: message.to_owned() }
}
