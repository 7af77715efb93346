//! The domain, the one door and the loops of Powerloom.

pub mod audit;
pub mod canonical_json;
pub mod clock;
pub mod digest;
pub mod entropy;
pub mod error_kind;
pub mod id;
pub mod invalid;
pub mod name;
pub mod ou_path;
pub mod secret;
