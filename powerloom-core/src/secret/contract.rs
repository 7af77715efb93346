//! The numbered guarantees of [`KeyProvider`], asked of every provider of this crate.

use crate::entropy::SystemEntropy;
use crate::secret::data_key::DataKey;
use crate::secret::env_keys::EnvKeys;
use crate::secret::error::SecretError;
use crate::secret::file_keys::FileKeys;
use crate::secret::memory_keys::MemoryKeys;
use crate::secret::provider::KeyProvider;

async fn keeps_its_guarantees(keys: &dyn KeyProvider) {
    let key_id = keys.current_key_id().await.unwrap();
    let data_key = DataKey::from_bytes([0x5a; 32]);
    let wrapped = keys.wrap_key(&key_id, &data_key, &[1; 12], b"here").await.unwrap();

    // 1: round trip.
    assert_eq!(keys.unwrap_key(&key_id, &wrapped, b"here").await.unwrap().expose(), data_key.expose());
    assert!(!wrapped.windows(8).any(|window| window == [0x5a; 8]), "the data key is not in what is kept");

    // 2: bound to the associated data and to every byte.
    let elsewhere = keys.unwrap_key(&key_id, &wrapped, b"there").await;
    assert!(matches!(&elsewhere, Err(SecretError::CannotOpen)));
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(matches!(keys.unwrap_key(&key_id, &changed, b"here").await, Err(SecretError::CannotOpen)));
        assert!(matches!(
            keys.unwrap_key(&key_id, &wrapped[..at], b"here").await,
            Err(SecretError::CannotOpen)
        ));
    }

    // 4: an id that is not held is named, for both ways.
    let unknown = "mk_0000000000000000".parse().unwrap();
    let refused = keys.unwrap_key(&unknown, &wrapped, b"here").await;
    assert!(matches!(refused, Err(SecretError::UnknownKey { key_id }) if key_id == unknown));
    let refused = keys.wrap_key(&unknown, &data_key, &[1; 12], b"here").await;
    assert!(matches!(&refused, Err(SecretError::UnknownKey { key_id }) if *key_id == unknown));

    // 5: silent.
    let shown = format!("{keys:?} {refused:?} {elsewhere:?}");
    for key_byte in ["7b7b", "123, 123", "5a5a", "90, 90"] {
        assert!(!shown.contains(key_byte), "{shown}");
    }
}

/// Row P67. Guarantee 3 (old keys open) and 6 stand with the rotations of each provider.
#[tokio::test]
async fn every_provider_keeps_the_guarantees_of_the_port() {
    keeps_its_guarantees(&MemoryKeys::generate(&SystemEntropy)).await;
    keeps_its_guarantees(&EnvKeys::from_text("KEYS", &"7b".repeat(32)).unwrap()).await;
    let directory = tempfile::tempdir().unwrap();
    keeps_its_guarantees(&FileKeys::open(directory.path().join("k"), &SystemEntropy).unwrap()).await;
}
