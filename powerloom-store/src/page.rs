//! How many rows a page has.

use powerloom_core::store::MAX_PAGE;

/// The size of a page of a query whose limit may be left at 0.
pub(crate) fn page(limit: usize) -> usize {
    if limit == 0 { MAX_PAGE } else { limit.min(MAX_PAGE) }
}
