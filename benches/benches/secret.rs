//! What do context, commitment and the key port cost above the bare AES-256-GCM of an envelope?
//!
//! `cargo bench --package powerloom-benches --bench secret`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::entropy::{Entropy, SystemEntropy};
use powerloom_core::id::OrgId;
use powerloom_core::secret::{MemoryKeys, SealContext, Sealer, SecretBytes};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECRETS: u32 = 5_000;
const ASSOCIATED: &[u8] = b"37 bytes of associated data, as usual";

/// The limit: a fresh data key, the secret under it, the data key under the master key; nothing bound, nothing named.
fn seal_bare(master: &Aes256Gcm, secret: &[u8]) -> (Vec<u8>, Vec<u8>, [u8; 56]) {
    let mut random = [0; 56];
    SystemEntropy.fill(&mut random);
    let key: [u8; 32] = random[..32].try_into().unwrap();
    let nonces: [[u8; 12]; 2] = [random[32..44].try_into().unwrap(), random[44..].try_into().unwrap()];
    let data = Aes256Gcm::new(&key.into());
    let sealed = data.encrypt(&nonces[0].into(), Payload { msg: secret, aad: ASSOCIATED }).unwrap();
    let wrapped = master.encrypt(&nonces[1].into(), Payload { msg: &key, aad: ASSOCIATED }).unwrap();
    (sealed, wrapped, random)
}

fn open_bare(master: &Aes256Gcm, (sealed, wrapped, random): &(Vec<u8>, Vec<u8>, [u8; 56])) -> Vec<u8> {
    let nonces: [[u8; 12]; 2] = [random[32..44].try_into().unwrap(), random[44..].try_into().unwrap()];
    let key = master.decrypt(&nonces[1].into(), Payload { msg: wrapped, aad: ASSOCIATED }).unwrap();
    let key: [u8; 32] = key.try_into().unwrap();
    let data = Aes256Gcm::new(&key.into());
    data.decrypt(&nonces[0].into(), Payload { msg: sealed, aad: ASSOCIATED }).unwrap()
}

fn timed<T>(mut work: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..SECRETS {
        black_box(work());
    }
    start.elapsed()
}

fn main() {
    if is_listing() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let master = Aes256Gcm::new(&[7; 32].into());
    let secret = SecretBytes::from(vec![b's'; 100]);
    let sealer = Sealer::new(Arc::new(MemoryKeys::generate(&SystemEntropy)), Arc::new(SystemEntropy));
    let org: OrgId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let context = SealContext { org, kind: "Credential", row: "0198c0de-0000-7000-8000-000000000001" };

    compare(
        "envelope seal of 100 bytes",
        SECRETS,
        &mut || timed(|| seal_bare(&master, secret.expose())),
        &mut || {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..SECRETS {
                    black_box(sealer.seal(&context, &secret).await.unwrap());
                }
                start.elapsed()
            })
        },
    );

    let bare = seal_bare(&master, secret.expose());
    let sealed = runtime.block_on(sealer.seal(&context, &secret)).unwrap();
    compare("envelope open of 100 bytes", SECRETS, &mut || timed(|| open_bare(&master, &bare)), &mut || {
        runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..SECRETS {
                black_box(sealer.open(&context, &sealed).await.unwrap());
            }
            start.elapsed()
        })
    });
}
