//! The domain, the one door and the loops of Powerloom.

pub mod audit;
pub mod authz;
pub mod canonical_json;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod digest;
pub mod door;
pub mod entropy;
pub mod error;
pub mod error_kind;
pub mod id;
pub mod invalid;
pub mod limits;
pub mod name;
pub mod ou_path;
pub mod permission;
pub mod principal;
pub mod reconcile;
pub mod record;
pub mod resource;
pub mod role;
pub mod runtime;
pub mod secret;
pub mod session;
pub mod store;
