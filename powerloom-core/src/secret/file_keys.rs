//! Master keys in a file that only its owner can read.

use crate::entropy::Entropy;
use crate::invalid::Invalid;
use crate::secret::data_key::DataKey;
use crate::secret::error::SecretError;
use crate::secret::key_id::KeyId;
use crate::secret::key_list::{read_keys, write_keys};
use crate::secret::keyring::{KeyBytes, Keyring, random_key};
use crate::secret::owner_file::{self, bad, lock};
use crate::secret::provider::{KeyProvider, WrapNonce};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use std::path::{Path, PathBuf};

/// Master keys in a local file, one in a line, the newest last.
///
/// The file is made at first use with mode 0600, whole or not at all, and is refused if anyone but its owner may
/// read or write it (on Unix). Programs that share it lock `<path>.lock` while they change it, so that two rotations
/// at once lose no key; a key that another program added is found when it is first needed.
///
/// Whoever has this file and the store has the secrets: keep the two in different backups.
#[derive(Debug)]
pub struct FileKeys {
    path: PathBuf,
    ring: ArcSwap<Keyring>,
}

impl FileKeys {
    /// Opens the file, or makes it with one random key if it is not there. Blocks while it reads or writes.
    ///
    /// # Errors
    /// [`SecretError::BadKeySource`]: the file cannot be read or made, is open to others, or holds something else
    /// than keys.
    pub fn open(path: impl Into<PathBuf>, entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let path = path.into();
        let keys = match read(&path)? {
            Some(keys) => keys,
            None => {
                let _lock = lock(&path)?;
                match read(&path)? {
                    Some(keys) => keys,
                    None => {
                        let keys = vec![random_key(entropy)];
                        replace(&path, &keys, entropy)?;
                        keys
                    }
                }
            }
        };
        let Some((first, more)) = keys.split_first() else { return Err(bad(&path, "no key is there", None)) };
        let ring = more.iter().fold(Keyring::of(first), |ring, key| ring.with(key));
        Ok(Self { path, ring: ArcSwap::from_pointee(ring) })
    }

    /// Adds a random key, which seals from now on; the former ones still open. Blocks while it writes.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). The file then is as before.
    pub fn rotate(&self, entropy: &dyn Entropy) -> Result<KeyId, SecretError> {
        self.change(entropy, |keys| keys.push(random_key(entropy)))?;
        Ok(self.ring.load().current_key_id())
    }

    /// Removes a key from the file: what is sealed under it opens no more. Blocks while it writes.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`SecretError::Invalid`] for the key that seals now: rotate first.
    pub fn destroy(&self, key_id: &KeyId, entropy: &dyn Entropy) -> Result<(), SecretError> {
        self.reread()?;
        if self.ring.load().without(key_id).is_none() {
            return Err(Invalid::new("key_id", key_id, "a key that no longer seals").into());
        }
        self.change(entropy, |keys| keys.retain(|key| KeyId::of(key) != *key_id))
    }

    fn change(
        &self,
        entropy: &dyn Entropy,
        edit: impl FnOnce(&mut Vec<KeyBytes>),
    ) -> Result<(), SecretError> {
        let _lock = lock(&self.path)?;
        let mut keys = read(&self.path)?.ok_or_else(|| bad(&self.path, "the file is gone", None))?;
        edit(&mut keys);
        replace(&self.path, &keys, entropy)?;
        self.adopt(&keys)
    }

    /// Reads the file again, for a key that another program added.
    fn reread(&self) -> Result<(), SecretError> {
        let keys = read(&self.path)?.ok_or_else(|| bad(&self.path, "the file is gone", None))?;
        self.adopt(&keys)
    }

    fn adopt(&self, keys: &[KeyBytes]) -> Result<(), SecretError> {
        let ring = self.ring.load().reread(keys).ok_or_else(|| bad(&self.path, "no key is there", None))?;
        self.ring.store(ring.into());
        Ok(())
    }
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn current_key_id(&self) -> Result<KeyId, SecretError> {
        Ok(self.ring.load().current_key_id())
    }

    async fn wrap_key(
        &self,
        key_id: &KeyId,
        data_key: &DataKey,
        nonce: &WrapNonce,
        associated: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        self.ring.load().wrap(key_id, data_key, nonce, associated)
    }

    async fn unwrap_key(
        &self,
        key_id: &KeyId,
        wrapped: &[u8],
        associated: &[u8],
    ) -> Result<DataKey, SecretError> {
        if !self.ring.load().holds(key_id) {
            // A small local file, read in place, and only for a key never seen before.
            self.reread()?;
        }
        self.ring.load().unwrap(key_id, wrapped, associated)
    }
}

/// Reads the keys; `None` where there is no file.
fn read(path: &Path) -> Result<Option<Vec<KeyBytes>>, SecretError> {
    let Some(text) = owner_file::read(path)? else { return Ok(None) };
    read_keys(&text).map(Some).map_err(|problem| bad(path, problem, None))
}

fn replace(path: &Path, keys: &[KeyBytes], entropy: &dyn Entropy) -> Result<(), SecretError> {
    owner_file::replace(path, &write_keys(keys), entropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use std::fs;

    fn problem(result: Result<FileKeys, SecretError>) -> String {
        let error = result.unwrap_err();
        assert!(matches!(error, SecretError::BadKeySource { .. }), "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn the_file_is_made_once_and_read_ever_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.keys");
        let first = FileKeys::open(&path, &SystemEntropy).unwrap();
        let again = FileKeys::open(&path, &SystemEntropy).unwrap();
        assert_eq!(first.current_key_id().await.unwrap(), again.current_key_id().await.unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    }

    /// Reliability C5: another process that opened the file before a rotation still opens what was sealed after it.
    #[tokio::test]
    async fn a_rotation_elsewhere_is_found_and_two_rotations_lose_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.keys");
        let (one, two) =
            (FileKeys::open(&path, &SystemEntropy).unwrap(), FileKeys::open(&path, &SystemEntropy).unwrap());
        let old = one.current_key_id().await.unwrap();
        let (by_one, by_two) = (one.rotate(&SystemEntropy).unwrap(), two.rotate(&SystemEntropy).unwrap());
        for key_id in [&old, &by_one, &by_two] {
            let fresh = FileKeys::open(&path, &SystemEntropy).unwrap();
            let wrapped =
                fresh.wrap_key(key_id, &DataKey::from_bytes([7; 32]), &[1; 12], b"x").await.unwrap();
            assert_eq!(one.unwrap_key(key_id, &wrapped, b"x").await.unwrap().expose(), &[7; 32]);
        }
        assert_eq!(FileKeys::open(&path, &SystemEntropy).unwrap().current_key_id().await.unwrap(), by_two);

        assert!(one.destroy(&by_two, &SystemEntropy).is_err(), "the key that seals stays");
        one.destroy(&old, &SystemEntropy).unwrap();
        let refused = one.unwrap_key(&old, &[0; 60], b"x").await.unwrap_err();
        assert!(matches!(refused, SecretError::UnknownKey { key_id } if key_id == old));
    }

    #[test]
    fn many_openers_at_once_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.keys");
        let ids: Vec<KeyId> = std::thread::scope(|scope| {
            let open = || FileKeys::open(&path, &SystemEntropy).unwrap().ring.load().current_key_id();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_open_to_others_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.keys");
        FileKeys::open(&path, &SystemEntropy).unwrap();
        for mode in [0o644, 0o640, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let text = problem(FileKeys::open(&path, &SystemEntropy));
            assert!(text.contains(&format!("{mode:04o}")) && text.contains("0600"), "{text}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        FileKeys::open(&path, &SystemEntropy).unwrap();
    }

    #[test]
    fn a_file_with_something_else_in_it_is_refused_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.keys");
        FileKeys::open(&path, &SystemEntropy).unwrap();
        for content in ["", "hunter2\n", "abab\n", &"x".repeat(100_000)] {
            fs::write(&path, content).unwrap();
            let text = problem(FileKeys::open(&path, &SystemEntropy));
            assert!(
                text.contains("master.keys") && !text.contains("hunter2") && !text.contains("abab"),
                "{text}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "a bad file is never overwritten");
        }
    }

    #[test]
    fn a_place_where_no_file_can_be_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let text = problem(FileKeys::open(directory.path().join("absent/master.keys"), &SystemEntropy));
        assert!(text.contains("absent/master.keys"), "{text}");
        problem(FileKeys::open(directory.path(), &SystemEntropy));
    }
}
