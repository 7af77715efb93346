//! Every checkpoint of each log, one after the other in a file that only grows.

use crate::anchor::folder::{Folder, failed, size_of, sync_folder_of};
use async_trait::async_trait;
use powerloom_core::anchor::{Anchor, AnchorAccess, AnchorError};
use powerloom_core::audit::checkpoint::Origin;
use powerloom_core::audit::note::{MAX_NOTE, SignedNote};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Keeps every checkpoint of each log in `<folder>/<log>.checkpoints`, each note followed by a blank line.
///
/// The file is only ever appended to, so it may be one the system lets nobody do anything else with (`chattr +a`). A note
/// that a crash cut off was never acknowledged; it stays as a fragment, which readers pass over.
#[derive(Debug, Clone)]
pub struct AppendFileAnchor(Folder);

impl AppendFileAnchor {
    /// An anchor in this folder, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Folder::new(folder.into(), "checkpoints"))
    }

    /// The file of a log.
    #[must_use]
    pub fn path_of(&self, origin: &Origin) -> PathBuf {
        self.0.file(origin)
    }
}

#[async_trait]
impl Anchor for AppendFileAnchor {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn access(&self) -> AnchorAccess {
        AnchorAccess::ReadWrite
    }

    async fn publish(&self, origin: &Origin, note: &SignedNote) -> Result<(), AnchorError> {
        let offered = size_of(origin, note)?;
        let (of, note) = (origin.clone(), note.clone());
        self.0
            .locked(origin, move |file| {
                let tail = Tail::read(file)?;
                if let Some(last) = tail.last(&of) {
                    let kept = size_of(&of, &last)?;
                    if kept > offered {
                        return Err(AnchorError::Behind { kept, offered });
                    }
                    if last == note {
                        // An earlier try may have written it and then failed to make it durable.
                        File::open(file).and_then(|file| file.sync_all()).map_err(failed)?;
                        return sync_folder_of(file);
                    }
                }
                append(file, tail.is_torn(), &note)
            })
            .await
    }

    async fn latest(&self, origin: &Origin) -> Result<Option<SignedNote>, AnchorError> {
        let of = origin.clone();
        self.0.locked(origin, move |file| Ok(Tail::read(file)?.last(&of))).await
    }
}

/// The end of the file: enough for the last whole note, whatever a crash left after it.
struct Tail(String);

impl Tail {
    fn read(path: &Path) -> Result<Self, AnchorError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self(String::new())),
            opened => opened.map_err(failed)?,
        };
        let length = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4 * MAX_NOTE as u64))).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // It may begin, or a crash may have ended it, within a character.
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The last whole note of the log. A checkpoint has no blank line, so text and signatures are two blocks.
    fn last(&self, origin: &Origin) -> Option<SignedNote> {
        let blocks: Vec<&str> = self.0.split("\n\n").collect();
        // What follows the last blank line is no whole block.
        let whole = blocks.split_last().map_or(&[][..], |(_, whole)| whole);
        whole.windows(2).rev().find_map(|pair| match pair {
            [text, signatures] => {
                // After a fragment that ended with its line there is one line break more.
                let text = text.trim_start_matches('\n');
                let note: SignedNote = format!("{text}\n\n{signatures}\n").parse().ok()?;
                size_of(origin, &note).is_ok().then_some(note)
            }
            _ => None,
        })
    }

    /// Whether the file ends within a note.
    fn is_torn(&self) -> bool {
        !self.0.is_empty() && !self.0.ends_with("\n\n")
    }
}

fn append(path: &Path, torn: bool, note: &SignedNote) -> Result<(), AnchorError> {
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let before = if torn { "\n\n" } else { "" };
    let text = format!("{before}{note}\n");
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder_of(path)
}
