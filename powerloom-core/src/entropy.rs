//! Randomness: given to core like the clock, so that a test can repeat a run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives random bytes.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with random ones. For anything but tests they must be fit for keys and nonces.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
///
/// A system that cannot give random bytes cannot keep a secret either: the process ends rather than go on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the operating system gives no random bytes");
            std::process::abort();
        }
    }
}

/// A repeatable sequence (SplitMix64): for tests only, never for keys.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut word = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (byte, random) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = random;
            }
        }
    }
}
