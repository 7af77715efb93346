//! The domain, the one door and the loops of Powerloom.

pub mod authz;
pub mod clock;
pub mod entropy;
pub mod error_kind;
pub mod id;
pub mod invalid;
pub mod name;
pub mod ou_path;
pub mod permission;
pub mod principal;
pub mod role;
