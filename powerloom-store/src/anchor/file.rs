//! The newest checkpoint of each log, in a file of its own that is replaced as a whole.

use crate::anchor::folder::{Folder, corrupt, failed, size_of, sync_folder_of};
use async_trait::async_trait;
use powerloom_core::anchor::{Anchor, AnchorAccess, AnchorError};
use powerloom_core::audit::checkpoint::Origin;
use powerloom_core::audit::note::{MAX_NOTE, SignedNote};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Keeps the newest checkpoint of each log in `<folder>/<log>.checkpoint`.
///
/// The file is written beside, synced, and renamed into place, so that a reader finds the old note or the new one.
///
/// ```
/// # use powerloom_core::{anchor::Anchor, audit::{AuditHead, checkpoint::*, note::*, signer::*}, digest::Digest};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let anchor = powerloom_store::anchor::FileAnchor::new(folder.path());
/// let origin: Origin = "acme.com/audit".parse()?;
/// assert!(anchor.latest(&origin).await?.is_none());
/// let checkpoint = Checkpoint {
///     origin: origin.clone(),
///     head: AuditHead { seq: 2, hash: Digest::of(b"head") },
///     root: Digest::of(b"root"),
///     at: "2025-01-01T00:00:02Z".parse()?,
/// };
/// let mut note = SignedNote::new(checkpoint.to_string())?;
/// note.add(Ed25519Signer::from_seed("acme", &[7; 32])?.sign(note.text()).await?);
/// anchor.publish(&origin, &note).await?;
/// assert_eq!(anchor.latest(&origin).await?, Some(note));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FileAnchor(Folder);

impl FileAnchor {
    /// An anchor in this folder, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Folder::new(folder.into(), "checkpoint"))
    }

    /// The file of a log.
    #[must_use]
    pub fn path_of(&self, origin: &Origin) -> PathBuf {
        self.0.file(origin)
    }
}

#[async_trait]
impl Anchor for FileAnchor {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn access(&self) -> AnchorAccess {
        AnchorAccess::ReadWrite
    }

    async fn publish(&self, origin: &Origin, note: &SignedNote) -> Result<(), AnchorError> {
        let offered = size_of(origin, note)?;
        let (of, text) = (origin.clone(), note.to_string());
        self.0
            .locked(origin, move |file| {
                if let Some(kept) = read(file)? {
                    let kept = size_of(&of, &kept)?;
                    if kept > offered {
                        return Err(AnchorError::Behind { kept, offered });
                    }
                }
                replace(file, text.as_bytes())
            })
            .await
    }

    async fn latest(&self, origin: &Origin) -> Result<Option<SignedNote>, AnchorError> {
        self.0.locked(origin, read).await
    }
}

fn read(file: &Path) -> Result<Option<SignedNote>, AnchorError> {
    let mut text = String::new();
    match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(file) => {
            file.take(MAX_NOTE as u64 + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
                ErrorKind::InvalidData => corrupt("it is no text"),
                _ => failed(error),
            })?
        }
    };
    text.parse().map(Some).map_err(|_| corrupt("it is no signed note"))
}

fn replace(file: &Path, bytes: &[u8]) -> Result<(), AnchorError> {
    let beside = file.with_extension("new");
    let mut new = File::create(&beside).map_err(failed)?;
    new.write_all(bytes).and_then(|()| new.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, file).map_err(failed)?;
    sync_folder_of(file)
}
