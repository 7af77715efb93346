//! Lists, a page at a time, by an opaque cursor (sem. 2.14).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use powerloom_core::invalid::Invalid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How many items a page has unless the request says otherwise.
const DEFAULT_LIMIT: u16 = 100;

/// What the document says of `next_cursor`.
pub(crate) const NEXT_CURSOR: &str = "Where the next page begins; null on the last one. A page may be shorter than asked for, \
    or empty, and yet not be the last: go on until this is null.";

/// A page of a list. It may be shorter than asked for, or empty, and yet not be the last: of what the caller may not see, only
/// so much is looked at for one page. Go on until `next_cursor` is null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; `null` on the last one, and only there: a page may be empty and not be the last. Only this
    /// server can read it.
    pub(crate) next_cursor: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// At most this many items: 1 to 1000, 100 unless said otherwise.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

impl Paging {
    /// How many items are asked for.
    pub(crate) fn limit(&self) -> Result<usize, Invalid> {
        limit(self.limit)
    }

    /// Where the page begins.
    pub(crate) fn after<C: DeserializeOwned>(&self) -> Result<Option<C>, Invalid> {
        self.cursor.as_deref().map(read_cursor).transpose()
    }
}

/// A limit that is allowed, or the usual one.
pub(crate) fn limit(given: Option<u16>) -> Result<usize, Invalid> {
    match given.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=1000 => Ok(usize::from(limit)),
        other => Err(Invalid::new("limit", other, "1 to 1000")),
    }
}

/// Writes a cursor.
pub(crate) fn write_cursor(cursor: &impl Serialize) -> Option<String> {
    serde_json::to_vec(cursor).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a cursor of ours.
pub(crate) fn read_cursor<C: DeserializeOwned>(text: &str) -> Result<C, Invalid> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| Invalid::new("cursor", text, "the `next_cursor` of an earlier page of this list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        let written = write_cursor(&(1, "lint")).unwrap();
        assert_eq!(read_cursor::<(u8, String)>(&written).unwrap(), (1, "lint".to_owned()));
        for other in ["", "!", "e30", &written[1..]] {
            assert_eq!(read_cursor::<(u8, String)>(other).unwrap_err().field, "cursor");
        }
    }
}
