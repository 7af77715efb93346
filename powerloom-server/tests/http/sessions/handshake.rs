//! Handshakes by hand (RFC 6455, 4.2; RFC 6455, 10.2): what is none is told so, and whose page may not ask is not let in.

use crate::sessions::stage::Stage;
use crate::sessions::wire::{ACCEPT, KEY, Wire, good};
use serde_json::json;

/// The good headers but for one, which has these values instead.
fn but(name: &'static str, values: &[&str]) -> Vec<(&'static str, String)> {
    let mut headers = good();
    headers.retain(|(known, _)| *known != name);
    headers.extend(values.iter().map(|value| (name, (*value).to_owned())));
    headers
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused_with_the_envelope_and_costs_no_ticket() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream?ticket={}", stage.ticket(id).await);
    for (headers, status, code) in [
        (but("sec-websocket-key", &[]), 400, "invalid"),
        (but("sec-websocket-key", &[""]), 400, "invalid"),
        (but("sec-websocket-key", &["dGhlIHNhbXBsZQ=="]), 400, "invalid"),
        (but("sec-websocket-key", &["not a key at all"]), 400, "invalid"),
        (but("sec-websocket-key", &[KEY, KEY]), 400, "invalid"),
        (but("sec-websocket-version", &[]), 426, "upgrade_required"),
        (but("sec-websocket-version", &["8"]), 426, "upgrade_required"),
        (but("sec-websocket-version", &["14"]), 426, "upgrade_required"),
        (but("upgrade", &["h2c"]), 426, "upgrade_required"),
        (but("connection", &["keep-alive"]), 426, "upgrade_required"),
    ] {
        let (_, head) = Wire::shake(&stage, &path, &headers).await;
        assert_eq!((head.status, head.code()), (status, code), "{headers:?}: {}", head.body);
        if status == 426 {
            assert_eq!((head.header("sec-websocket-version"), head.header("upgrade")), ("13", "websocket"));
        } else {
            assert_eq!(head.body["error"]["detail"]["field"], "sec-websocket-key", "{}", head.body);
            assert!(!head.body.to_string().contains(KEY));
        }
        assert_eq!(head.header("sec-websocket-accept"), "");
    }
    let (mut wire, head) = Wire::shake(&stage, &path, &good()).await;
    assert_eq!((head.status, head.header("sec-websocket-accept")), (101, ACCEPT));
    assert!(String::from_utf8(wire.frame().await.unwrap().1).unwrap().contains("session_created"));
}

/// Cross-site hijacking: a browser opens a WebSocket to anywhere for any page, so the page is looked at before the upgrade.
#[tokio::test]
async fn a_page_of_another_site_opens_no_stream() {
    let stage =
        Stage::with(|config| config.viewers().cors_origins(["https://console.acme.com".to_owned()])).await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream?ticket={}&after=3", stage.ticket(id).await);
    let from = |origins: &[&str]| {
        let mut headers = good();
        headers.extend(origins.iter().map(|origin| ("origin", (*origin).to_owned())));
        headers
    };
    for origins in [
        &["https://example.com"][..],
        &["null"],
        &[""],
        &["https://loom.acme.com.example.com"],
        &["https://loom.acme.com:8443"],
        &["https://loom.acme.com", "https://example.com"],
    ] {
        let mut watching = from(origins);
        watching.push(("authorization", format!("Bearer {}", stage.world.admin)));
        for (path, headers) in [(path.clone(), from(origins)), (format!("/sessions/{id}/stream"), watching)] {
            let (_, refused) = Wire::shake(&stage, &path, &headers).await;
            assert_eq!((refused.status, refused.code()), (403, "origin_not_allowed"), "{headers:?}");
            let detail = &refused.body["error"]["detail"];
            let said = if origins.len() == 1 { origins[0] } else { "" };
            assert_eq!((&detail["field"], &detail["value"]), (&json!("origin"), &json!(said)));
            assert_eq!(refused.header("sec-websocket-accept"), "");
            assert_eq!(refused.header("access-control-allow-origin"), "");
        }
    }
    // None of this has used the ticket, and whoever is no browser says no origin.
    for origins in
        [&[][..], &["https://loom.acme.com"], &["http://loom.acme.com"], &["https://console.acme.com"]]
    {
        let path = format!("/sessions/{id}/stream");
        let mut headers = from(origins);
        headers.push(("authorization", format!("Bearer {}", stage.world.admin)));
        let (_, watched) = Wire::shake(&stage, &path, &headers).await;
        assert_eq!(watched.status, 101, "{origins:?}: {}", watched.body);
    }
    let (mut wire, head) = Wire::shake(&stage, &path, &from(&["https://loom.acme.com"])).await;
    assert_eq!(head.status, 101);
    stage.runtime.message(id, "hello");
    assert!(String::from_utf8(wire.frame().await.unwrap().1).unwrap().contains("hello"));
}
