//! The pump of a session: runtime stream → durable log → readers (architecture 8).
//!
//! It is level-triggered. Whatever it does next follows from the row, the log and the runtime's history, all read
//! anew, so it may be dropped at any point and another may go on: nothing is lost, doubled or asked twice.

pub(crate) mod follow;
pub(crate) mod options;
pub(crate) mod run;
pub(crate) mod settle;
pub(crate) mod span;
pub(crate) mod start;
pub(crate) mod tool;
pub(crate) mod vault;
pub(crate) mod work;
