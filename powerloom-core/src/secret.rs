//! Secrets at rest: sealed one by one, each under a key of its own (rows P66–P68).
//!
//! # Two levels
//! [`Sealer::seal`] makes a fresh 256-bit data key for every secret and encrypts the secret with it (AES-256-GCM).
//! The data key is wrapped by a master key that never leaves its [`KeyProvider`]. Rotating the master key touches
//! only the wrapped data key ([`Sealer::rewrap`]).
//!
//! # What is bound to what
//! | part | authenticates besides itself |
//! |---|---|
//! | secret | version, organization, kind, row id |
//! | wrapped data key | version, organization, kind, row id, id of the master key, commitment |
//!
//! The **commitment** is `SHA-256("powerloom/commit/v1\n" ‖ data key)`. AES-GCM alone lets a forger make one ciphertext
//! that opens under two keys; with the commitment a sealed secret has one data key, so one plaintext. It is
//! compared before anything is decrypted.
//!
//! # Why random nonces are enough
//! A data key encrypts once, so its nonce cannot repeat under it. A master key takes one random 96-bit nonce per
//! secret sealed or rewrapped. After 2^32 of them two are equal with a probability of about 2^−33: each key
//! warns at [`WRAPS_WARN`] and refuses at [`WRAPS_MAX`]. The count is kept in memory, per process, and starts again
//! with the process: it is a guard against a runaway loop, not a ledger. The true number of wraps under a key is
//! at most the number of secrets ever sealed plus those rewrapped, which an installation knows from its rows.
//! A forked process, or a machine restored from a snapshot, repeats nothing as long as the operating system's
//! generator notices the fork: no random state is kept here.

mod aead;
mod bearer;
mod bytes;
mod context;
mod data_key;
mod env_keys;
mod error;
mod file_keys;
mod fingerprint;
mod key_id;
mod key_list;
mod keyring;
mod master_key;
mod memory_keys;
pub(crate) mod owner_file;
mod provider;
mod sealed;
mod sealer;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod contract;

pub use bearer::mint_bearer;
pub use bytes::SecretBytes;
pub use context::SealContext;
pub use data_key::DataKey;
pub use env_keys::{EnvKeys, MASTER_KEY_VARIABLE};
pub use error::SecretError;
pub use file_keys::FileKeys;
pub use fingerprint::Fingerprint;
pub use key_id::KeyId;
pub use master_key::{WRAPS_MAX, WRAPS_WARN};
pub use memory_keys::MemoryKeys;
pub use provider::{KeyProvider, WrapNonce};
pub use sealed::SealedSecret;
pub use sealer::{MAX_SECRET_LEN, Sealer};
