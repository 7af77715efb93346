//! Lists, all of their pages.

use crate::api::Api;
use crate::api::call::Call;
use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// How many items are asked for at a time.
const PAGE: usize = 500;

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Value>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Api {
    /// All items of a list, page after page, or the first `most`. A page may be short, or empty, and yet not be the last:
    /// only one without a cursor is.
    ///
    /// # Errors
    /// Those of the calls; a server that gives out the same cursor again and again.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: Option<usize>,
    ) -> anyhow::Result<Vec<Value>> {
        let page = |limit: usize, cursor: Option<&str>| {
            let call = self.get(path).query("limit", limit).maybe("cursor", cursor);
            query.iter().fold(call, |call, (name, value)| call.query(name, value))
        };
        self.pages(most, page).await
    }

    /// The same, of a list that is asked for as `page` says: how many items, and from which cursor on.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(crate) async fn pages<'a>(
        &'a self,
        most: Option<usize>,
        page: impl Fn(usize, Option<&str>) -> Call<'a>,
    ) -> anyhow::Result<Vec<Value>> {
        let most = most.unwrap_or(usize::MAX);
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let wanted = most.saturating_sub(items.len()).min(PAGE);
            if wanted == 0 {
                return Ok(items);
            }
            let found: Page = page(wanted, cursor.as_deref()).send().await?.read().context("a list")?;
            items.extend(found.items);
            match found.next_cursor {
                None => {
                    items.truncate(most);
                    return Ok(items);
                }
                next if next == cursor => anyhow::bail!("the server repeats a page of the list for ever"),
                next => cursor = next,
            }
        }
    }
}
