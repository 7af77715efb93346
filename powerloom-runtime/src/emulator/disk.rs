//! The state file: an append-only log of JSON lines.
//!
//! The first line names the format and its version. Every further line is one commit: all of it counts or none.
//! A commit is on disk (`fdatasync`) before it is answered. A last line without its line end is a write that the
//! process did not survive, so it was never answered, and it is dropped. Anything else that cannot be read is
//! damage and stops the start. At each start the log is rewritten in one line: temporary file, `fsync`, rename.

use crate::emulator::error::EmulatorError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The newest version of the file this program reads, and the one it writes.
const VERSION: u64 = 1;
const FORMAT: &str = "cma-emulator-state";

/// An open state file, locked against other processes.
#[derive(Debug)]
pub(crate) struct DiskLog {
    file: File,
}

impl DiskLog {
    /// Opens or creates `path`, gives every commit in it to `replay`, and rewrites it with what `compact` returns.
    pub(crate) fn open<T: DeserializeOwned + Serialize>(
        path: &Path,
        mut replay: impl FnMut(T),
        compact: impl FnOnce() -> T,
    ) -> Result<Self, EmulatorError> {
        let failed = |source| EmulatorError::StateFile { path: path.to_owned(), source };
        let mut old = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        lock(&old, path)?;
        let mut bytes = Vec::new();
        old.read_to_end(&mut bytes).map_err(failed)?;
        read(path, &bytes, &mut replay)?;
        let file = rewrite(path, &compact()).map_err(failed)?;
        lock(&file, path)?;
        Ok(Self { file })
    }

    /// Appends one commit and waits until the disk has it.
    pub(crate) fn append(&mut self, commit: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(commit)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

fn lock(file: &File, path: &Path) -> Result<(), EmulatorError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => EmulatorError::StateInUse { path: path.to_owned() },
        TryLockError::Error(source) => EmulatorError::StateFile { path: path.to_owned(), source },
    })
}

fn read<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    replay: &mut impl FnMut(T),
) -> Result<(), EmulatorError> {
    let corrupt =
        |line: usize, what: String| EmulatorError::StateCorrupt { path: path.to_owned(), line, what };
    if bytes.is_empty() {
        return Ok(());
    }
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').enumerate();
    let header = lines.next().map(|(_, line)| line).unwrap_or_default();
    let header: Value = serde_json::from_slice(header)
        .map_err(|_| corrupt(1, "not a state file of this program".to_owned()))?;
    if header.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(corrupt(1, "not a state file of this program".to_owned()));
    }
    match header.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(found) if found > VERSION => {
            return Err(EmulatorError::StateTooNew { path: path.to_owned(), found, supported: VERSION });
        }
        _ => return Err(corrupt(1, "it bears no version".to_owned())),
    }
    for (index, line) in lines {
        let Some(line) = line.strip_suffix(b"\n") else {
            tracing::warn!(line = index + 1, "the last line was never finished and is dropped");
            return Ok(());
        };
        let commit = serde_json::from_slice(line).map_err(|error| corrupt(index + 1, error.to_string()))?;
        replay(commit);
    }
    Ok(())
}

fn rewrite(path: &Path, whole: &impl Serialize) -> io::Result<File> {
    let temporary = temporary(path);
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&temporary)?;
    writeln!(file, "{}", json!({"format": FORMAT, "version": VERSION}))?;
    let mut line = serde_json::to_vec(whole)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<(DiskLog, Vec<Value>), EmulatorError> {
        let seen = std::cell::RefCell::new(Vec::new());
        let log = DiskLog::open(path, |value: Value| seen.borrow_mut().push(value), || json!("whole"))?;
        Ok((log, seen.into_inner()))
    }

    #[test]
    fn what_was_appended_is_read_again_and_a_torn_last_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut log, seen) = open(&path).unwrap();
        assert!(seen.is_empty());
        log.append(&json!({"n": 1})).unwrap();
        log.file.write_all(br#"{"n": 2"#).unwrap();
        drop(log);
        let (_log, seen) = open(&path).unwrap();
        assert_eq!(seen, [json!("whole"), json!({"n": 1})]);
    }

    #[test]
    fn a_second_process_a_newer_version_and_damage_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (log, _) = open(&path).unwrap();
        assert!(matches!(open(&path), Err(EmulatorError::StateInUse { .. })));
        drop(log);
        std::fs::write(&path, "{\"format\":\"cma-emulator-state\",\"version\":2}\n").unwrap();
        assert!(matches!(open(&path), Err(EmulatorError::StateTooNew { found: 2, supported: 1, .. })));
        std::fs::write(&path, "{\"format\":\"cma-emulator-state\",\"version\":1}\nnonsense\n1\n").unwrap();
        assert!(matches!(open(&path), Err(EmulatorError::StateCorrupt { line: 2, .. })));
        std::fs::write(&path, "hello\n").unwrap();
        assert!(matches!(open(&path), Err(EmulatorError::StateCorrupt { line: 1, .. })));
    }
}
