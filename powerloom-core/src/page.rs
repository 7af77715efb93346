//! A part of a list, and the bounded walk it comes from.

use crate::error::Result;
use crate::id::OrgId;
use crate::record::RecordRow;
use crate::store::{MAX_PAGE, RecordCursor, RecordQuery, Store};

/// How many rows are looked at for one page, at most: a list that lets few of them through does not walk over all there are.
pub const MAX_LOOKED_AT: usize = 10_000;

/// A part of a list: what of it the caller may see, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data between a list and whoever asked for it")]
pub struct Page<T, C = RecordCursor> {
    /// What the caller may see; it may be nothing, and yet not be the end.
    pub rows: Vec<T>,
    /// Where it goes on: behind the last row that was looked at. `None` at the end, and only there.
    pub next: Option<C>,
}

/// Walks over the records of a list in its order, a full page of the store at a time whatever the caller's limit is, and no
/// further than [`MAX_LOOKED_AT`].
pub(crate) struct Walk<'s> {
    store: &'s dyn Store,
    org: OrgId,
    query: RecordQuery,
    read: std::vec::IntoIter<RecordRow>,
    looked_at: usize,
    ended: bool,
}

impl<'s> Walk<'s> {
    /// Begins where the query says.
    pub(crate) fn new(store: &'s dyn Store, org: OrgId, query: RecordQuery) -> Self {
        let query = RecordQuery { limit: MAX_PAGE, ..query };
        Self { store, org, query, read: Vec::new().into_iter(), looked_at: 0, ended: false }
    }

    /// The next row; `None` at the end of the list, or once enough was looked at for one page.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordRow>> {
        if self.ended || self.looked_at >= MAX_LOOKED_AT {
            return Ok(None);
        }
        if self.read.len() == 0 {
            self.read = self.store.list_records(self.org, &self.query).await?.into_iter();
        }
        let Some(row) = self.read.next() else {
            self.ended = true;
            return Ok(None);
        };
        self.looked_at += 1;
        self.query.after = Some(RecordCursor::of(&row));
        Ok(Some(row))
    }

    /// No row from here on is meant.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The page of what was found on the way.
    pub(crate) fn page<T>(self, rows: Vec<T>) -> Page<T> {
        Page { rows, next: self.query.after.filter(|_| !self.ended) }
    }
}
