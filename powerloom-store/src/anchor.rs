//! Anchors in files: on another disk, on a share of another machine, under another user's rights.
//!
//! A file that whoever writes the store may write as well anchors nothing.

mod append;
mod file;
mod folder;

pub use append::AppendFileAnchor;
pub use file::FileAnchor;
