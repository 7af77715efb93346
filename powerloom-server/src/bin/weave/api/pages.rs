//! Lists, all of their pages.

use crate::api::Api;
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
    /// All items of a list, page after page, or the first `most`.
    ///
    /// # Errors
    /// Those of the calls; a server that gives out the same cursor again and again.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: Option<usize>,
    ) -> anyhow::Result<Vec<Value>> {
        let most = most.unwrap_or(usize::MAX);
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let wanted = most.saturating_sub(items.len()).min(PAGE);
            if wanted == 0 {
                return Ok(items);
            }
            let mut call = self.get(path).query("limit", wanted).maybe("cursor", cursor.as_deref());
            for (name, value) in query {
                call = call.query(name, value);
            }
            let page: Page = call.send().await?.read().context("a list")?;
            items.extend(page.items);
            match page.next_cursor {
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
