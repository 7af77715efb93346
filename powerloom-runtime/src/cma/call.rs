//! One request, as a value: method, path, query, body.

use crate::cma::error::CmaError;
use powerloom_core::invalid::Invalid;
use reqwest::Method;
use reqwest::multipart::Form;
use serde::Serialize;
use url::Url;

/// Largest JSON body the service takes: 32 MiB.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// Longest id that is put into a path, in bytes.
const ID_LIMIT: usize = 256;

/// Query parameters in the order they are sent; arrays repeat their key.
pub(crate) type Query = Vec<(&'static str, String)>;

/// A request that has passed every check and was not sent yet.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    segments: Vec<String>,
    query: Query,
    pub(crate) body: Body,
    pub(crate) needs_beta: bool,
}

/// What a request carries.
pub(crate) enum Body {
    Empty,
    Json(Vec<u8>),
    Form(Box<Form>),
}

impl std::fmt::Debug for Body {
    /// The kind alone: a body may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Json(_) => "Json",
            Self::Form(_) => "Form",
        })
    }
}

impl Call {
    pub(crate) fn get(collection: &str) -> Self {
        Self::new(Method::GET, collection)
    }

    pub(crate) fn post(collection: &str) -> Self {
        Self::new(Method::POST, collection)
    }

    pub(crate) fn delete(collection: &str) -> Self {
        Self::new(Method::DELETE, collection)
    }

    fn new(method: Method, collection: &str) -> Self {
        let segments = vec!["v1".to_owned(), collection.to_owned()];
        Self { method, segments, query: Query::new(), body: Body::Empty, needs_beta: true }
    }

    /// Appends an id, percent-encoded when it is sent. Refuses what a path cannot hold: nothing, dot segments, control
    /// characters.
    pub(crate) fn id(mut self, field: &'static str, id: &str) -> Result<Self, CmaError> {
        let fits = !id.is_empty() && id.len() <= ID_LIMIT && !matches!(id, "." | "..");
        if !fits || id.chars().any(char::is_control) {
            return Err(Invalid::new(field, id, "an id of 1 to 256 bytes, no dot segment").into());
        }
        self.segments.push(id.to_owned());
        Ok(self)
    }

    /// Appends a fixed segment.
    pub(crate) fn then(mut self, segment: &str) -> Self {
        self.segments.push(segment.to_owned());
        self
    }

    pub(crate) fn query(mut self, query: Query) -> Self {
        self.query.extend(query);
        self
    }

    /// A resource that is out of beta: the beta name is not sent.
    pub(crate) fn without_beta(mut self) -> Self {
        self.needs_beta = false;
        self
    }

    pub(crate) fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Result<Self, CmaError> {
        let bytes =
            serde_json::to_vec(body).map_err(|_| Invalid::hidden("body", "values that JSON can hold"))?;
        if bytes.len() > BODY_LIMIT {
            return Err(
                Invalid::new("body", format!("{} bytes", bytes.len()), "at most 32 MiB of JSON").into()
            );
        }
        self.body = Body::Json(bytes);
        Ok(self)
    }

    pub(crate) fn form(mut self, form: Form) -> Self {
        self.body = Body::Form(Box::new(form));
        self
    }

    /// Whether the service changes something when it obeys.
    pub(crate) fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// The address below `base`, with `more` parameters after the call's own.
    pub(crate) fn url(&self, base: &Url, more: &[(&'static str, &str)]) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&self.segments);
        }
        if !self.query.is_empty() || !more.is_empty() {
            let own = self.query.iter().map(|(name, value)| (*name, value.as_str()));
            url.query_pairs_mut().extend_pairs(own.chain(more.iter().copied()));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        "https://gate.example.com/anthropic/".parse().unwrap()
    }

    #[test]
    fn an_id_is_percent_encoded_into_one_segment() {
        let call = Call::get("agents").id("agent", "a/b?c#d%2e é\\").unwrap().then("versions");
        assert_eq!(
            call.url(&base(), &[]).as_str(),
            "https://gate.example.com/anthropic/v1/agents/a%2Fb%3Fc%23d%252e%20%C3%A9%5C/versions"
        );
    }

    proptest::proptest! {
        #[test]
        fn an_id_that_is_taken_is_one_segment_and_nothing_else_of_the_address(id in "\\PC{0,80}|[.%/\\\\?#;e2]{0,6}") {
            if let Ok(call) = Call::get("agents").id("agent", &id) {
                let url: Url = call.then("archive").url(&base(), &[]).as_str().parse().unwrap();
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                assert_eq!((segments.len(), url.query(), url.fragment()), (5, None, None));
                let pair = format!("id={}", segments[3].replace('+', "%2B").replace('&', "%26"));
                let (_, decoded) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap();
                assert_eq!(decoded, id);
            }
        }
    }

    #[test]
    fn an_id_that_is_no_segment_is_refused() {
        for id in ["", ".", "..", "a\nb", "\t", &"x".repeat(257)] {
            let refused = Call::get("agents").id("agent", id);
            assert!(matches!(refused, Err(CmaError::Invalid(invalid)) if invalid.field == "agent"), "{id:?}");
        }
    }

    #[test]
    fn a_query_keeps_its_order_and_is_encoded() {
        let call =
            Call::get("sessions").query(vec![("statuses[]", "idle".into()), ("statuses[]", "a b&c".into())]);
        assert_eq!(
            call.url(&base(), &[("beta", "true")]).query(),
            Some("statuses%5B%5D=idle&statuses%5B%5D=a+b%26c&beta=true")
        );
    }

    #[test]
    fn a_body_above_the_limit_is_refused_before_it_is_sent() {
        let refused = Call::post("agents").json(&"x".repeat(BODY_LIMIT));
        assert!(matches!(refused, Err(CmaError::Invalid(_))));
    }
}
