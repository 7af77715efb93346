//! A file that only its owner can read: keys lie in it.

use crate::entropy::Entropy;
use crate::secret::error::SecretError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file longer than this holds no keys.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// What is wrong with a file of keys.
pub(crate) fn bad(path: &Path, problem: impl Into<String>, source: Option<std::io::Error>) -> SecretError {
    SecretError::BadKeySource {
        place: format!("the file `{}`", path.display()),
        problem: problem.into(),
        source,
    }
}

/// Reads the text; `None` where there is no file. Refused if anyone but its owner may read or write it (on Unix).
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, SecretError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(path, "the file cannot be read", Some(error))),
    };
    // Asked of the open file, so that no other can be put in its place meanwhile.
    let metadata = file.metadata().map_err(|error| bad(path, "the file cannot be read", Some(error)))?;
    if !metadata.is_file() {
        return Err(bad(path, "it is not a file", None));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(bad(path, format!("others may use it (mode {mode:04o}): set mode 0600"), None));
        }
    }
    if metadata.len() > MAX_FILE_LEN {
        return Err(bad(path, "the file is too long to be a list of keys", None));
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_FILE_LEN)
        .read_to_string(&mut text)
        .map_err(|error| bad(path, "the file cannot be read", Some(error)))?;
    Ok(Some(text))
}

/// Puts a whole new file in the place of the old one.
pub(crate) fn replace(path: &Path, text: &str, entropy: &dyn Entropy) -> Result<(), SecretError> {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let draft = beside(path, &format!(".{}.new", hex::encode(random)));
    let written = owner_only().create_new(true).open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        sync_directory(path)
    });
    written.map_err(|error| {
        // The draft may never have come to be; what failed is told either way.
        let _ = std::fs::remove_file(&draft);
        bad(path, "the file cannot be written", Some(error))
    })
}

/// Holds off other programs that change the file, until dropped.
pub(crate) fn lock(path: &Path) -> Result<File, SecretError> {
    owner_only()
        .create(true)
        .truncate(false)
        .open(beside(path, ".lock"))
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| bad(path, "the lock beside it cannot be taken", Some(error)))
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
