//! The keys of OpenID Connect providers, fetched and kept: the [`IssuerKeys`] of the core.
//!
//! For each configured issuer, [`OidcKeys`] reads `<issuer>/.well-known/openid-configuration`, which must name just that
//! issuer, and the JWK set it points to. Over `https`; over `http` only between ends on this machine.
//!
//! | age of the keys | what happens |
//! |---|---|
//! | below 10 minutes | they are used |
//! | 10 minutes to 1 hour | they are fetched anew first; used if that fails |
//! | above 1 hour | they are fetched anew, and if that fails nobody is believed: there is no way back to old keys |
//!
//! A key that is not among them makes them be fetched anew, once in 30 seconds at most, however many tokens name it; after
//! a failure the issuer is left alone for 5 seconds. One fetch is under way at a time, and the others wait for it.

mod builder;
mod cache;
mod discovery;
mod error;

pub use builder::OidcKeysBuilder;
pub use cache::OidcKeys;
pub use error::OidcError;

#[cfg(doc)]
use powerloom_core::token::external::IssuerKeys;
