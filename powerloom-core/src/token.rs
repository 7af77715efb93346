//! Tokens: who calls, proven by something that can be checked, and what a call may do at most (sem. 2.10).
//!
//! | kind | form | good for | judged live on every use |
//! |---|---|---|---|
//! | access | JWT, `typ` `at+jwt` | a person, at most an hour | the user exists and is not disabled |
//! | delegated | JWT, `typ` `delegated+jwt` | one tool call of a session, 300 seconds | the session runs, its starter is enabled |
//! | exchanged, delegation | JWT | what [`exchange`] says | as it says |
//! | an issuer's | JWT | a person, as [`external`] says | the user exists and is not disabled |
//! | api | `pat_…`, nothing in it but its own name | a program, until it expires or is revoked | its record, its principal |
//! | ticket | `tk_…` | one stream, once, 60 seconds | [`session::ticket`](crate::session::ticket) |
//!
//! [`TokenService`] mints and verifies. A token never says what its bearer may do: permissions are decided live
//! (row M11), and what narrows a delegated call is derived here from its one tool ([`MetaTool::permissions`]).
//!
//! # What verification is strict about
//! The algorithm is that of the key, never of the header; a header has `alg`, `kid` and `typ` and nothing else, so that
//! `crit`, `b64`, `jwk`, `jku`, `x5u` and `x5c` are refused rather than ignored, and nothing is ever fetched. Three
//! parts, canonical base64url, JSON without duplicate keys, whole seconds, no leeway unless asked for. No claim is
//! believed before the signature holds. Kinds do not cross: each has its own `type`, `typ` and `aud`.
//!
//! # What a client is told
//! [`Error::Unauthenticated`](crate::error::Error::Unauthenticated), with the same text whatever was wrong. The reason
//! is its source, a [`TokenError`] with a stable code, for the log of whoever runs this.

mod access;
mod algorithm;
mod api;
mod api_secret;
mod authenticate;
mod claims;
pub(crate) mod compact;
mod delegated;
mod error;
pub mod exchange;
pub mod external;
mod file_keys;
mod handle;
mod jwks;
mod key;
mod key_set;
mod listing;
mod memory_keys;
mod meta_tool;
mod provider;
mod service;
mod signed;
mod verify;

#[cfg(test)]
mod attacks;

pub use algorithm::Algorithm;
pub use api::{ApiTokenCreation, ApiTokenRequest, Expiry, NewApiToken, USUAL_LIFETIME};
pub use api_secret::{ApiSecret, ApiTokenText};
pub use claims::{Actor, Claims, TokenType};
pub use error::TokenError;
pub use file_keys::FileSigningKeys;
pub use jwks::Jwks;
pub use key::{SigningKey, VerifyingKey};
pub use key_set::KeySet;
pub use memory_keys::MemorySigningKeys;
pub use meta_tool::{META_PERMISSIONS, MetaTool};
pub use provider::SigningKeys;
pub use service::{TokenOptions, TokenService};
pub use signed::SignedToken;
pub use verify::{Expected, MAX_TOKEN_LEN};
