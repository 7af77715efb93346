//! What the control plane reaches by HTTP beside the runtime: webhooks, and the keys of identity providers.
//!
//! The core asks through its ports and knows no HTTP; this crate answers them with `reqwest`. Where agents run is the
//! business of `powerloom-runtime`.
//!
//! | feature | what |
//! |---|---|
//! | `webhook` | [`webhook`]: signed messages to a URL, and how a receiver checks them; approvals told that way |
//! | `oidc` | [`oidc`]: the keys of OpenID Connect providers, fetched and kept for a bounded time |
//!
//! Every call has a bound on its time and on what is read of the answer; a redirect is never followed.

#[cfg(any(feature = "webhook", feature = "oidc"))]
mod client;
#[cfg(any(feature = "webhook", feature = "oidc"))]
mod endpoint;
#[cfg(any(feature = "webhook", feature = "oidc"))]
mod fetch_error;
#[cfg(feature = "oidc")]
pub mod oidc;
#[cfg(feature = "webhook")]
mod retry_after;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(any(feature = "webhook", feature = "oidc"))]
pub use endpoint::{Cleartext, Endpoint};
#[cfg(any(feature = "webhook", feature = "oidc"))]
pub use fetch_error::{Cause, FetchError};
