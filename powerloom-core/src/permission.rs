//! What may be done: [`Permission`] is one `resource:action` of the closed catalogue of rule 2.2,
//! [`PermissionSet`] many of them in 128 bits, [`PermissionPattern`] what a role definition writes.
//!
//! The catalogue is closed on purpose: a permission nobody knows is a spelling error, not a wish.

mod catalogue;
mod pattern;
mod set;

pub use catalogue::Permission;
pub use pattern::PermissionPattern;
pub use set::PermissionSet;
