//! Pages of a list, and the walk over all of them.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::moment::rfc3339;
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Most pages a walk reads before it gives up.
const MOST_PAGES: usize = 10_000;

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The objects, in the order of the list. It may be empty although pages follow.
    #[serde(
        default = "Vec::new",
        deserialize_with = "null_is_empty",
        bound(deserialize = "T: Deserialize<'de>")
    )]
    pub data: Vec<T>,
    /// The cursor of the next page; `None` on the last. It is bound to the order of the list.
    #[serde(default)]
    pub next_page: Option<String>,
}

/// The order of a list, by time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl Order {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

/// Adds a parameter where there is a value.
pub(crate) fn push(query: &mut Query, name: &'static str, value: Option<impl ToString>) {
    query.extend(value.map(|value| (name, value.to_string())));
}

/// Adds a time where there is one.
pub(crate) fn push_time(query: &mut Query, name: &'static str, value: Option<Timestamp>) {
    query.extend(value.map(|value| (name, rfc3339(value))));
}

/// Walks over all pages: every page is asked for with all parameters and its cursor, until no next page is named.
///
/// The walk ends with an error if a cursor comes twice in a row or there are more than 10 000 pages: a server that
/// repeats itself must not hold its caller for ever. Ids and parameters are checked by `call`, for each page again.
pub(crate) fn all<T, F>(
    client: CmaClient,
    what: &'static str,
    call: F,
) -> BoxStream<'static, Result<T, CmaError>>
where
    T: DeserializeOwned + Send + 'static,
    F: Fn(Option<&str>) -> Result<Call, CmaError> + Send + 'static,
{
    Box::pin(async_stream::try_stream! {
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let next = call(cursor.as_deref());
            let page: Page<T> = client.json(next?, what).await?;
            for item in page.data {
                yield item;
            }
            let next = page.next_page.filter(|next| !next.is_empty());
            if next.is_none() {
                return;
            }
            if next == cursor {
                Err(endless(what, "the list repeats a cursor"))?;
            }
            cursor = next;
        }
        Err(endless(what, "the list has more than 10 000 pages"))?;
    })
}

fn endless(what: &'static str, why: &'static str) -> CmaError {
    CmaError::Decode { what, maybe_applied: false, source: why.into() }
}
