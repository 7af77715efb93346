//! What someone who can write to the store, or hold it next to another, may try.

use crate::entropy::{SeededEntropy, SystemEntropy};
use crate::id::OrgId;
use crate::secret::aead::{Aead, NONCE_LEN, TAG_LEN};
use crate::secret::bytes::SecretBytes;
use crate::secret::context::SealContext;
use crate::secret::data_key::DataKey;
use crate::secret::env_keys::EnvKeys;
use crate::secret::error::SecretError;
use crate::secret::fingerprint::Fingerprint;
use crate::secret::key_id::KeyId;
use crate::secret::memory_keys::MemoryKeys;
use crate::secret::provider::KeyProvider;
use crate::secret::sealed::SealedSecret;
use crate::secret::sealer::{MAX_SECRET_LEN, Randomness, Sealer};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use std::collections::HashSet;
use std::sync::Arc;

const HUSH: &str = "mcp_hush-hush-hush-hush";

fn org(last: u128) -> OrgId {
    OrgId::from_uuid(uuid::Uuid::from_u128(last))
}

fn here() -> SealContext<'static> {
    SealContext { org: org(1), kind: "Credential", row: "c1" }
}

fn hush() -> SecretBytes {
    SecretBytes::from(HUSH.to_owned())
}

fn sealer() -> (Arc<MemoryKeys>, Sealer) {
    let keys = Arc::new(MemoryKeys::generate(&SystemEntropy));
    (Arc::clone(&keys), Sealer::new(keys, Arc::new(SystemEntropy)))
}

fn is_closed(result: &Result<SecretBytes, SecretError>) -> bool {
    matches!(result, Err(SecretError::CannotOpen))
}

/// Row P67.
#[tokio::test]
async fn a_secret_comes_back_whole_through_bytes_and_json() {
    let (_, sealer) = sealer();
    for length in [0, 1, 16, 100, MAX_SECRET_LEN] {
        let secret = SecretBytes::from(vec![7; length]);
        let sealed = sealer.seal(&here(), &secret).await.unwrap();
        let kept = SealedSecret::from_bytes(&sealed.to_bytes()).unwrap();
        let sent: SealedSecret = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(sent, sealed);
        assert_eq!(sealer.open(&here(), &sent).await.unwrap().expose(), secret.expose());
    }
    let long = SecretBytes::from(vec![7; MAX_SECRET_LEN + 1]);
    assert!(matches!(sealer.seal(&here(), &long).await, Err(SecretError::Invalid(_))));
}

/// Reliability C2: a sealed secret moved elsewhere fails with one same error.
#[tokio::test]
async fn a_secret_opens_only_where_it_belongs() {
    let (keys, sealer) = sealer();
    let sealed = sealer.seal(&here(), &hush()).await.unwrap();
    for elsewhere in [
        SealContext { org: org(2), ..here() },
        SealContext { kind: "Skill", ..here() },
        SealContext { row: "c2", ..here() },
        SealContext { row: "", ..here() },
    ] {
        assert!(is_closed(&sealer.open(&elsewhere, &sealed).await), "{elsewhere:?}");
        assert!(
            matches!(sealer.rewrap(&elsewhere, &sealed).await, Err(SecretError::CannotOpen)),
            "{elsewhere:?}"
        );
    }
    let other_key = SealedSecret { key_id: keys.rotate(&SystemEntropy), ..sealed.clone() };
    assert!(is_closed(&sealer.open(&here(), &other_key).await));
    let texts: HashSet<String> = [
        sealer.open(&SealContext { row: "c2", ..here() }, &sealed).await,
        sealer.open(&here(), &other_key).await,
    ]
    .into_iter()
    .map(|result| format!("{:?}", result.unwrap_err()))
    .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

/// Reliability C2: the parts of two secrets of the same row cannot be mixed.
#[tokio::test]
async fn parts_of_two_secrets_do_not_open_together() {
    let (_, sealer) = sealer();
    let one = sealer.seal(&here(), &hush()).await.unwrap();
    let two = sealer.seal(&here(), &hush()).await.unwrap();
    for mixed in [
        SealedSecret { wrapped: two.wrapped.clone(), ..one.clone() },
        SealedSecret { commitment: two.commitment, ..one.clone() },
        SealedSecret { wrapped: two.wrapped.clone(), commitment: two.commitment, ..one.clone() },
        SealedSecret { nonce: two.nonce, ..one.clone() },
        SealedSecret { ciphertext: two.ciphertext.clone(), ..one.clone() },
    ] {
        assert!(is_closed(&sealer.open(&here(), &mixed).await));
    }
}

/// Reliability C3: one ciphertext that AES-GCM opens under two keys opens here under one.
#[tokio::test]
async fn a_ciphertext_made_for_two_keys_opens_under_the_committed_one_only() {
    let (keys, sealer) = sealer();
    let (first, second, nonce) = ([1; 32], [2; 32], [3; NONCE_LEN]);
    let ciphertext = forge_for_two_keys(&first, &second, &nonce, &here().secret_data());
    for key in [&first, &second] {
        assert!(
            Aead::new(key).open(&nonce, &here().secret_data(), &ciphertext).is_ok(),
            "the forgery is real"
        );
    }

    let key_id = keys.current_key_id().await.unwrap();
    let commitment = DataKey::from_bytes(first).commitment();
    let associated = here().key_data(&key_id, &commitment);
    for (key, opens) in [(first, true), (second, false)] {
        let wrapped = keys.wrap_key(&key_id, &DataKey::from_bytes(key), &[4; 12], &associated).await.unwrap();
        let sealed = SealedSecret {
            key_id: key_id.clone(),
            wrapped,
            commitment,
            nonce,
            ciphertext: ciphertext.clone(),
        };
        let result = sealer.open(&here(), &sealed).await;
        assert_eq!(result.is_ok(), opens);
        assert_eq!(is_closed(&result), !opens);
    }
}

/// Reliability C4: a million seals draw a million different nonces and keys.
#[test]
fn no_nonce_and_no_key_is_drawn_twice() {
    let mut seen = HashSet::new();
    for _ in 0..1_000_000 {
        assert!(seen.insert(Randomness::draw(&SystemEntropy).wrap_nonce));
    }
    let drawn: Vec<_> = (0..1000).map(|_| Randomness::draw(&SystemEntropy)).collect();
    assert_eq!(drawn.iter().map(|one| one.nonce).collect::<HashSet<_>>().len(), 1000);
    assert_eq!(drawn.iter().map(|one| *one.data_key.expose()).collect::<HashSet<_>>().len(), 1000);
    assert!(drawn.iter().all(|one| one.nonce != one.wrap_nonce));
}

/// Reliability C4: a fresh data key for every secret.
#[tokio::test]
async fn the_same_secret_never_looks_the_same() {
    let (_, sealer) = sealer();
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let sealed = sealer.seal(&here(), &hush()).await.unwrap();
        assert!(seen.insert(sealed.commitment) && sealed.nonce != sealed.wrapped[..NONCE_LEN]);
    }
}

/// Reliability C5: old secrets open, new ones are under the new key, and rewrapping can stop and go on anywhere.
#[tokio::test]
async fn a_rotation_keeps_old_secrets_and_can_be_run_again() {
    let (keys, sealer) = sealer();
    let sealed = sealer.seal(&here(), &hush()).await.unwrap();
    let old = sealed.key_id().clone();
    let new = keys.rotate(&SystemEntropy);
    assert_eq!(sealer.open(&here(), &sealed).await.unwrap().expose(), HUSH.as_bytes());
    assert_eq!(*sealer.seal(&here(), &hush()).await.unwrap().key_id(), new);

    let moved = sealer.rewrap(&here(), &sealed).await.unwrap();
    assert_eq!(*moved.key_id(), new);
    assert_eq!(
        (&moved.ciphertext, moved.nonce, moved.commitment),
        (&sealed.ciphertext, sealed.nonce, sealed.commitment)
    );
    assert_eq!(sealer.rewrap(&here(), &moved).await.unwrap(), moved, "a second run changes nothing");
    assert_eq!(
        sealer.open(&here(), &sealed).await.unwrap().expose(),
        HUSH.as_bytes(),
        "the old form still opens"
    );

    assert!(keys.destroy(&new).is_err(), "the key that seals stays");
    keys.destroy(&old).unwrap();
    assert_eq!(sealer.open(&here(), &moved).await.unwrap().expose(), HUSH.as_bytes());
    for result in [sealer.open(&here(), &sealed).await.err(), sealer.rewrap(&here(), &sealed).await.err()] {
        assert!(matches!(result, Some(SecretError::UnknownKey { key_id }) if key_id == old));
    }
}

/// Reliability C7.
#[tokio::test]
async fn every_changed_bit_and_every_cut_is_refused() {
    let (_, sealer) = sealer();
    let bytes = sealer.seal(&here(), &hush()).await.unwrap().to_bytes();
    let opens = async |bytes: &[u8]| match SealedSecret::from_bytes(bytes) {
        Ok(sealed) => sealer.open(&here(), &sealed).await.is_ok(),
        Err(_) => false,
    };
    assert!(opens(&bytes).await);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(!opens(&changed).await, "byte {at}, bit {bit}");
        }
        assert!(!opens(&bytes[..at]).await, "cut to {at}");
    }
    assert!(!opens(&[bytes.as_slice(), &[0]].concat()).await);
    for version in [0, 2, 255] {
        let mut changed = bytes.clone();
        changed[0] = version;
        assert!(matches!(SealedSecret::from_bytes(&changed), Err(SecretError::Malformed)));
    }
}

#[test]
fn json_that_is_no_sealed_secret_is_refused() {
    for text in ["\"\"", "\"AQ\"", "\"AQ==\"", "\"+/+/\"", "7", "null"] {
        assert!(serde_json::from_str::<SealedSecret>(text).is_err(), "{text}");
    }
}

/// Architecture, invariant 7.
#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret_or_a_key() {
    let key = [0xa5; 32];
    let env = Arc::new(EnvKeys::from_text("KEYS", &hex::encode(key)).unwrap());
    let sealer = Sealer::new(Arc::clone(&env) as Arc<dyn KeyProvider>, Arc::new(SeededEntropy::new(1)));
    let sealed = sealer.seal(&here(), &hush()).await.unwrap();
    let (memory, _) = self::sealer();
    let key_id: KeyId = env.current_key_id().await.unwrap();
    let shown = [
        format!("{:?} {:#?}", hush(), hush()),
        format!("{:?}", DataKey::from_bytes(key)),
        format!("{env:?} {memory:?} {sealer:?} {sealed:?} {key_id} {key_id:?}"),
        format!("{:?}", Fingerprint::of(&hush())),
        format!(
            "{} {:?}",
            SecretError::CannotOpen,
            sealer.open(&SealContext { row: "x", ..here() }, &sealed).await
        ),
        serde_json::to_string(&sealed).unwrap(),
    ];
    for text in shown {
        for secret in [HUSH, "hush", "a5a5", "165, 165", "paWl", "104, 117, 115, 104"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// Two blocks and a tag that AES-GCM accepts under both keys: the second block is solved for.
fn forge_for_two_keys(one: &[u8; 32], two: &[u8; 32], nonce: &[u8; NONCE_LEN], associated: &[u8]) -> Vec<u8> {
    let block = |bytes: &[u8]| {
        let mut padded = [0; 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        u128::from_be_bytes(padded)
    };
    let free = [0x42; 16];
    let lengths = (associated.len() as u128 * 8) << 64 | 256;
    let mut blocks: Vec<u128> = associated.chunks(16).map(block).collect();
    blocks.extend([block(&free), 0, lengths]);

    let encrypt = |key: &[u8; 32], input: [u8; 16]| {
        let mut state = input.into();
        Aes256::new(key.into()).encrypt_block(&mut state);
        block(&state)
    };
    let mut counter = [0; 16];
    counter[..NONCE_LEN].copy_from_slice(nonce);
    counter[15] = 1;
    let (h1, h2) = (encrypt(one, [0; 16]), encrypt(two, [0; 16]));
    let tag = |h: u128, key: &[u8; 32], blocks: &[u128]| {
        blocks.iter().fold(0, |sum, block| multiply(sum ^ block, h)) ^ encrypt(key, counter)
    };
    let difference = tag(h1, one, &blocks) ^ tag(h2, two, &blocks);
    let solved = multiply(difference, invert(multiply(h1, h1) ^ multiply(h2, h2)));
    let place = blocks.len() - 2;
    blocks[place] = solved;
    let tag = tag(h1, one, &blocks);
    let forged = [free, solved.to_be_bytes(), tag.to_be_bytes()].concat();
    assert_eq!(forged.len(), 32 + TAG_LEN);
    forged
}

/// The product in the field of GHASH (NIST SP 800-38D, 6.3).
fn multiply(x: u128, mut y: u128) -> u128 {
    let mut product = 0;
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= y;
        }
        y = if y & 1 == 1 { y >> 1 ^ 0xe1 << 120 } else { y >> 1 };
    }
    product
}

/// x to the power of 2^128 − 2.
fn invert(x: u128) -> u128 {
    let (mut power, mut product) = (x, 1 << 127);
    for _ in 1..128 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}
