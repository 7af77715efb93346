//! The query string of a request.

use crate::emulator::refusal::Refusal;
use jiff::Timestamp;

/// The decoded pairs of a query string, in the order of the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `raw`, the text after the question mark.
    pub(crate) fn parse(raw: &str) -> Self {
        Self(url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    /// The first value of `key`.
    pub(crate) fn first(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of `key` or `key[]`.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let matches = |name: &str| name.strip_suffix("[]").unwrap_or(name) == key;
        self.0.iter().filter(|(name, _)| matches(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// A boolean, `false` when absent.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Refusal> {
        match self.first(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::invalid(format!("{key}: `{other}` is not true or false"))),
        }
    }

    /// A whole number from `low` to `high`.
    pub(crate) fn number(&self, key: &str, low: u64, high: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.first(key) else { return Ok(None) };
        match text.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(Refusal::invalid(format!("{key}: `{text}` is not a number from {low} to {high}"))),
        }
    }

    /// The bounds `key[gt]`, `key[gte]`, `key[lt]`, `key[lte]`.
    pub(crate) fn window(&self, key: &str) -> Result<Window, Refusal> {
        let bound = |name: &str| {
            let Some(text) = self.first(&format!("{key}[{name}]")) else { return Ok(None) };
            text.parse::<Timestamp>()
                .map(Some)
                .map_err(|_| Refusal::invalid(format!("{key}[{name}]: `{text}` is not an RFC 3339 time")))
        };
        Ok(Window { gt: bound("gt")?, gte: bound("gte")?, lt: bound("lt")?, lte: bound("lte")? })
    }
}

/// A span of time; a missing bound admits everything on its side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    gt: Option<Timestamp>,
    gte: Option<Timestamp>,
    lt: Option<Timestamp>,
    lte: Option<Timestamp>,
}

impl Window {
    /// Whether `at`, an RFC 3339 text, lies inside. What has no time lies outside of every bound.
    pub(crate) fn admits(&self, at: &str) -> bool {
        let Ok(at) = at.parse::<Timestamp>() else {
            return self.gt.or(self.gte).or(self.lt).or(self.lte).is_none();
        };
        self.gt.is_none_or(|bound| at > bound)
            && self.gte.is_none_or(|bound| at >= bound)
            && self.lt.is_none_or(|bound| at < bound)
            && self.lte.is_none_or(|bound| at <= bound)
    }

    /// The window as text, to bind a cursor to it.
    pub(crate) fn signature(&self) -> String {
        format!("{:?}{:?}{:?}{:?}", self.gt, self.gte, self.lt, self.lte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_with_and_without_brackets() {
        let query = Query::parse("statuses%5B%5D=idle&statuses=running&limit=5");
        assert_eq!(query.all("statuses"), ["idle", "running"]);
        assert_eq!(query.number("limit", 1, 100).unwrap(), Some(5));
        assert!(query.number("limit", 1, 4).is_err());
    }

    #[test]
    fn a_window_has_open_and_closed_bounds() {
        let query =
            Query::parse("t%5Bgte%5D=2026-11-01T00%3A00%3A00%2B00%3A00&t%5Blt%5D=2026-11-02T00:00:00Z");
        let window = query.window("t").unwrap();
        assert!(window.admits("2026-11-01T00:00:00Z"));
        assert!(!window.admits("2026-11-02T00:00:00Z"));
        assert!(Query::parse("t%5Bgt%5D=soon").window("t").is_err());
    }
}
