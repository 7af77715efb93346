//! What a handshake must be, besides what the framework looks at: its key, and whose page it comes from.

use crate::failure::Failure;
use crate::layers::is_origin;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use powerloom_core::invalid::{Invalid, shown};

/// How many bytes the key of a handshake has (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// Judges the key: one, of 16 bytes in base64. Over HTTP/2 there is none (RFC 8441, 5), and none is looked for.
pub(crate) fn check_key(headers: &HeaderMap) -> Result<(), Failure> {
    let keys: Vec<_> = headers.get_all(header::SEC_WEBSOCKET_KEY).iter().collect();
    let good = match keys.as_slice() {
        [] => true,
        [key] => STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == KEY_BYTES),
        _ => false,
    };
    let allowed = "one key of a WebSocket handshake: 16 bytes in base64 (RFC 6455, 4.1)";
    if good { Ok(()) } else { Err(Invalid::hidden("sec-websocket-key", allowed).into()) }
}

/// Judges whose page asks (RFC 6455, 10.2): a browser opens a WebSocket to anywhere for any page, and CORS does not hold it back.
///
/// It must be a page of this server, as its client calls it by `:authority` or `Host`, or of one of the origins that may call.
/// Who is no browser says no origin, and is let through: no page can keep its browser from saying it.
pub(crate) fn check_origin(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> Result<(), Failure> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => return Ok(()),
        (Some(origin), None) => origin.to_str().unwrap_or_default(),
        // Of several, none is believed.
        (Some(_), Some(_)) => "",
    };
    let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = uri.authority().map(Authority::as_str).or_else(host).unwrap_or_default();
    let listed = || allowed.iter().any(|listed| is_origin(listed) && listed == origin);
    if is_at(origin, own) || listed() { Ok(()) } else { Err(Failure::Origin { origin: shown(origin) }) }
}

/// Whether an origin is at this host and port. By which scheme is not looked at: what stands before the server may end TLS.
fn is_at(origin: &str, own: &str) -> bool {
    let (host, port) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(host), _) => (host, ":443"),
        (None, Some(host)) => (host, ":80"),
        (None, None) => return false,
    };
    // Browsers leave the usual port away; others may write it.
    let plain = |text: &'_ str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    !host.is_empty() && plain(host) == plain(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn judged(origins: &[&str], host: &str, uri: &str) -> bool {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        let allowed = ["https://console.acme.com", "*", "null"].map(str::to_owned);
        check_origin(&headers, &uri.parse().unwrap(), &allowed).is_ok()
    }

    /// Cross-site hijacking of a WebSocket: a page elsewhere gets no stream.
    #[test]
    fn only_a_page_of_this_server_or_of_a_listed_origin_may_ask() {
        let host = "loom.acme.com";
        for good in [
            &[][..],
            &["https://loom.acme.com"],
            &["http://loom.acme.com"],
            &["https://loom.acme.com:443"],
            &["https://LOOM.acme.com"],
            &["https://console.acme.com"],
        ] {
            assert!(judged(good, host, "/"), "{good:?}");
        }
        for bad in [
            &["null"][..],
            &["*"],
            &[""],
            &["loom.acme.com"],
            &["https://"],
            &["https://loom.acme.com:8443"],
            &["http://loom.acme.com:443"],
            &["https://loom.acme.com.example.com"],
            &["https://example.com/loom.acme.com"],
            &["https://loom.acme.com/"],
            &["https://x@loom.acme.com"],
            &["https://console.acme.com.example.com"],
            &["http://console.acme.com"],
            &["file://loom.acme.com"],
            &["https://loom.acme.com", "https://loom.acme.com"],
            &["https://example.com", "https://loom.acme.com"],
        ] {
            assert!(!judged(bad, host, "/"), "{bad:?}");
        }
        assert!(judged(&["http://127.0.0.1:8080"], "127.0.0.1:8080", "/"));
        // What HTTP/2 calls the server by comes before a header, as the request's target does in HTTP/1.1.
        assert!(judged(&["https://loom.acme.com"], "example.com", "https://loom.acme.com/"));
        assert!(!judged(&["https://example.com"], "example.com", "https://loom.acme.com/"));
        assert!(!judged(&["https://"], "", "/"));
    }

    #[test]
    fn a_key_has_sixteen_bytes_and_there_is_one() {
        let judged = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(key).unwrap());
            }
            check_key(&headers).is_ok()
        };
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(judged(&[key]) && judged(&[]));
        for bad in
            [&[""][..], &["dGhlIHNhbXBsZQ=="], &["dGhlIHNhbXBsZSBub25jZQ"], &["not base64!"], &[key, key]]
        {
            assert!(!judged(bad), "{bad:?}");
        }
    }
}
