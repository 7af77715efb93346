//! Signing keys in a file that only its owner can read.

use crate::entropy::Entropy;
use crate::secret::SecretError;
use crate::secret::owner_file::{bad, lock, read, replace};
use crate::token::key::SigningKey;
use crate::token::key_set::KeySet;
use crate::token::provider::SigningKeys;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Signing keys in a local file of PEM texts (PKCS#8): the last one signs, the others verify for as long as they stand
/// there.
///
/// The file is made at first use with mode 0600 and one Ed25519 key, whole or not at all, and is refused if anyone but its
/// owner may read or write it (on Unix). Programs that share it lock `<path>.lock` while they change it. One that has
/// rotated is heard of by [`reload`](Self::reload): call it from time to time.
#[derive(Debug)]
pub struct FileSigningKeys {
    path: PathBuf,
    keys: ArcSwap<KeySet>,
}

impl FileSigningKeys {
    /// Opens the file, or makes it with one new key if it is not there. Blocks while it reads or writes.
    ///
    /// # Errors
    /// [`SecretError::BadKeySource`]: the file cannot be read or made, is open to others, or holds something else than keys.
    pub fn open(path: impl Into<PathBuf>, entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let path = path.into();
        if read(&path)?.is_none() {
            let _lock = lock(&path)?;
            if read(&path)?.is_none() {
                replace(&path, &fresh(&path, entropy)?, entropy)?;
            }
        }
        let keys = ArcSwap::from_pointee(load(&path)?);
        Ok(Self { path, keys })
    }

    /// Reads the file again: what another program added verifies from now on, and its last key signs.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). The keys in memory then are as before.
    pub fn reload(&self) -> Result<(), SecretError> {
        self.keys.store(Arc::new(load(&self.path)?));
        Ok(())
    }

    /// Adds a new Ed25519 key, which signs from now on. The former ones verify until somebody takes them out of the file,
    /// which should not be before their youngest token has expired.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). The file then is as before.
    pub fn rotate(&self, entropy: &dyn Entropy) -> Result<(), SecretError> {
        let _lock = lock(&self.path)?;
        let text = read(&self.path)?.ok_or_else(|| bad(&self.path, "the file is gone", None))?;
        let more = fresh(&self.path, entropy)?;
        let mut all = Zeroizing::new(String::with_capacity(text.len() + 1 + more.len()));
        all.push_str(text.trim_end());
        all.push('\n');
        all.push_str(&more);
        replace(&self.path, &all, entropy)?;
        self.reload()
    }
}

impl SigningKeys for FileSigningKeys {
    fn key_set(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }
}

/// One new key as PEM.
fn fresh(path: &Path, entropy: &dyn Entropy) -> Result<Zeroizing<String>, SecretError> {
    let refused = || bad(path, "a new key cannot be made", None);
    let document = SigningKey::generate_ed25519(entropy)?.to_pkcs8().ok_or_else(refused)?;
    Ok(Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", document.expose()))))
}

fn load(path: &Path) -> Result<KeySet, SecretError> {
    let text = read(path)?.ok_or_else(|| bad(path, "the file is gone", None))?;
    let refused = || bad(path, "it holds something else than private keys in PEM (PKCS#8)", None);
    let mut keys = pem::parse_many(text.as_bytes())
        .map_err(|_| refused())?
        .into_iter()
        .map(|key| (key.tag() == "PRIVATE KEY").then(|| Zeroizing::new(key.into_contents())))
        .map(|der| SigningKey::from_pkcs8(&der.ok_or_else(refused)?).map_err(|_| refused()))
        .collect::<Result<Vec<SigningKey>, SecretError>>()?;
    let signing = keys.pop().ok_or_else(|| bad(path, "no key is there", None))?;
    keys.iter().try_fold(KeySet::new(signing), |set, key| {
        set.with_other(key.verifying_key().clone(), None).map_err(|_| bad(path, "a key is there twice", None))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::SystemEntropy;

    #[test]
    fn the_file_is_made_once_and_a_rotation_is_heard_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.pem");
        let one = FileSigningKeys::open(&path, &SystemEntropy).unwrap();
        let two = FileSigningKeys::open(&path, &SystemEntropy).unwrap();
        let kid = |keys: &FileSigningKeys| keys.key_set().signing().verifying_key().kid().to_owned();
        let first = kid(&one);
        assert_eq!(first, kid(&two));
        two.rotate(&SystemEntropy).unwrap();
        assert_ne!(kid(&two), first);
        one.reload().unwrap();
        assert_eq!(kid(&one), kid(&two));
        assert!(one.key_set().verifying(&first, Timestamp::from_micros(0)).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_open_to_others_or_of_something_else_is_refused_and_not_shown() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.pem");
        FileSigningKeys::open(&path, &SystemEntropy).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = FileSigningKeys::open(&path, &SystemEntropy).unwrap_err().to_string();
        assert!(refused.contains("0600"), "{refused}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        for text in ["", "hunter2", &whole.replace("PRIVATE", "PUBLIC"), &format!("{whole}{whole}")] {
            std::fs::write(&path, text).unwrap();
            let refused = FileSigningKeys::open(&path, &SystemEntropy).unwrap_err().to_string();
            assert!(refused.contains("tokens.pem") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
