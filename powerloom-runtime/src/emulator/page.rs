//! Lists in pages: opaque cursors bound to the order and the scope they were made for.

use crate::emulator::query::Query;
use crate::emulator::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How one list is paged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRules {
    /// Items in a page when the caller does not say.
    pub(crate) default: u64,
    /// The most a caller may ask for; more is a 400.
    pub(crate) max: u64,
    /// Whether the newest comes first when the caller does not say.
    pub(crate) newest_first: bool,
    /// Whether the answer also bears `prev_page`.
    pub(crate) back: bool,
}

impl PageRules {
    /// Newest first, 20 in a page, at most `max`.
    pub(crate) const fn newest(max: u64) -> Self {
        Self { default: 20, max, newest_first: true, back: false }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    scope: String,
    descending: bool,
    back: bool,
    key: u64,
}

/// Cuts one page out of `items`, which come with ascending keys, as `query` asks.
///
/// A cursor made for another `scope` or order is refused with 400.
pub(crate) fn page<T>(
    mut items: Vec<(u64, T)>,
    query: &Query,
    rules: PageRules,
    scope: &str,
    render: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let limit = query.number("limit", 1, rules.max)?.unwrap_or(rules.default);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let descending = match query.first("order") {
        None => rules.newest_first,
        Some("asc") => false,
        Some("desc") => true,
        Some(other) => return Err(Refusal::invalid(format!("order: `{other}` is not asc or desc"))),
    };
    if descending {
        items.reverse();
    }
    let (start, end) = match query.first("page") {
        None => (0, limit.min(items.len())),
        Some(text) => {
            let cursor = decode(text)?;
            if cursor.scope != scope || cursor.descending != descending {
                return Err(Refusal::invalid("page: the cursor belongs to another list or order"));
            }
            let beyond = |key: u64| if descending { key < cursor.key } else { key > cursor.key };
            if cursor.back {
                let end = items.iter().position(|(key, _)| *key == cursor.key || beyond(*key));
                let end = end.unwrap_or(items.len());
                (end.saturating_sub(limit), end)
            } else {
                let start = items.iter().position(|(key, _)| beyond(*key)).unwrap_or(items.len());
                (start, start.saturating_add(limit).min(items.len()))
            }
        }
    };
    let total = items.len();
    let keys: Vec<u64> = items.iter().map(|(key, _)| *key).collect();
    let cursor = |back: bool, at: Option<usize>| {
        let key = at.and_then(|at| keys.get(at));
        key.map(|&key| encode(&Cursor { scope: scope.to_owned(), descending, back, key }))
    };
    let next = if end < total { cursor(false, end.checked_sub(1)) } else { None };
    let previous = if start > 0 { cursor(true, Some(start)) } else { None };
    let data: Vec<Value> =
        items.into_iter().skip(start).take(end.saturating_sub(start)).map(|(_, item)| render(item)).collect();
    let mut answer = json!({"data": data, "next_page": next});
    if rules.back
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("prev_page".to_owned(), json!(previous));
    }
    Ok(answer)
}

fn encode(cursor: &Cursor) -> String {
    format!("page_{}", URL_SAFE_NO_PAD.encode(json!(cursor).to_string()))
}

fn decode(text: &str) -> Result<Cursor, Refusal> {
    let bytes = text.strip_prefix("page_").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| Refusal::invalid("page: not a cursor of this service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: PageRules = PageRules { default: 20, max: 100, newest_first: true, back: true };

    fn ask(query: &str) -> Result<Value, Refusal> {
        let items = (1..=5u64).map(|key| (key, key)).collect();
        page(items, &Query::parse(query), RULES, "numbers", |key| json!(key))
    }

    #[test]
    fn pages_cover_the_list_forth_and_back() {
        let first = ask("limit=2").unwrap();
        assert_eq!((&first["data"], &first["prev_page"]), (&json!([5, 4]), &Value::Null));
        let second = ask(&format!("limit=2&page={}", first["next_page"].as_str().unwrap())).unwrap();
        assert_eq!(second["data"], json!([3, 2]));
        let last = ask(&format!("limit=2&page={}", second["next_page"].as_str().unwrap())).unwrap();
        assert_eq!((&last["data"], &last["next_page"]), (&json!([1]), &Value::Null));
        let back = ask(&format!("limit=2&page={}", second["prev_page"].as_str().unwrap())).unwrap();
        assert_eq!((&back["data"], &back["prev_page"]), (&json!([5, 4]), &Value::Null));
    }

    #[test]
    fn a_cursor_of_another_order_or_list_and_a_limit_beyond_the_bound_are_refused() {
        let first = ask("limit=2").unwrap();
        let cursor = first["next_page"].as_str().unwrap().to_owned();
        assert!(ask(&format!("order=asc&page={cursor}")).is_err());
        let other =
            page(vec![(1, 1)], &Query::parse(&format!("page={cursor}")), RULES, "letters", |n| json!(n));
        assert!(other.is_err());
        assert!(ask("limit=101").is_err() && ask("limit=0").is_err() && ask("page=page_x").is_err());
    }
}
