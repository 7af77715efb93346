//! Making what was declared real: the convergence record, the back-off, and the loop that drives them.

pub mod backoff;
pub mod state;
