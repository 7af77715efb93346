//! The key of checkpoints in a file that only its owner can read.

use crate::audit::signer::Ed25519Signer;
use crate::entropy::Entropy;
use crate::secret::SecretError;
use crate::secret::owner_file::{bad, lock, read, replace};
use crate::token::SigningKey;
use std::path::Path;
use zeroize::Zeroizing;

impl Ed25519Signer {
    /// A signer with the key in a file of its own: one PEM text (PKCS#8), as `openssl genpkey -algorithm ed25519` writes it.
    /// The file is made at first use with mode 0600, whole or not at all, and is refused if anyone but its owner may read or
    /// write it (on Unix). Blocks while it reads or writes.
    ///
    /// Whoever writes the store must not be able to read it: then what they do to the log is seen.
    ///
    /// # Errors
    /// [`SecretError::BadKeySource`]: the file cannot be read or made, is open to others, or holds something else than one
    /// Ed25519 key; [`SecretError::Invalid`]: a name that cannot name a key.
    pub fn open(name: &str, path: impl AsRef<Path>, entropy: &dyn Entropy) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let refused = |problem| bad(path, problem, None);
        if read(path)?.is_none() {
            let _lock = lock(path)?;
            if read(path)?.is_none() {
                let key = SigningKey::generate_ed25519(entropy)?.to_pkcs8();
                let key = key.ok_or_else(|| refused("a new key cannot be made"))?;
                let text = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", key.expose())));
                replace(path, &text, entropy)?;
            }
        }
        let text = read(path)?.ok_or_else(|| refused("the file is gone"))?;
        let key = pem::parse(text.as_bytes()).ok().filter(|key| key.tag() == "PRIVATE KEY");
        let key = key.map(|key| Zeroizing::new(key.into_contents()));
        let other = "it holds something else than one Ed25519 key in PEM (PKCS#8)";
        match Self::from_pkcs8(name, &key.ok_or_else(|| refused(other))?) {
            Err(invalid) if invalid.field == "pkcs8" => Err(refused(other)),
            done => Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::signer::CheckpointSigner;
    use crate::entropy::SystemEntropy;

    #[test]
    fn the_key_is_made_once_and_read_ever_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.pem");
        let first = Ed25519Signer::open("acme.com/audit", &path, &SystemEntropy).unwrap();
        let again = Ed25519Signer::open("acme.com/audit", &path, &SystemEntropy).unwrap();
        assert_eq!(first.key(), again.key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let refused =
                Ed25519Signer::open("acme.com/audit", &path, &SystemEntropy).unwrap_err().to_string();
            assert!(refused.contains("0600"), "{refused}");
        }
    }

    #[test]
    fn another_content_is_refused_and_not_shown_and_a_bad_name_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.pem");
        Ed25519Signer::open("acme.com/audit", &path, &SystemEntropy).unwrap();
        let refused = Ed25519Signer::open("a b", &path, &SystemEntropy).unwrap_err();
        assert!(matches!(refused, SecretError::Invalid(_)), "{refused}");
        for content in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            std::fs::write(&path, content).unwrap();
            let refused =
                Ed25519Signer::open("acme.com/audit", &path, &SystemEntropy).unwrap_err().to_string();
            assert!(refused.contains("checkpoint.pem") && !refused.contains("hunter2"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content, "a bad file is never overwritten");
        }
    }
}
