//! What the client does with answers, and with the lack of one.
#![cfg(feature = "cma")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

#[path = "support/recorder.rs"]
mod recorder;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use powerloom_core::error_kind::ErrorKind;
use powerloom_runtime::cma::*;
use recorder::{KEY, Recorder};
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

fn agent(id: &str) -> serde_json::Value {
    json!({"type": "agent", "id": id, "version": 1})
}

fn client(recorder: &Recorder) -> CmaClient {
    recorder.builder().build().unwrap()
}

/// A server that reads one request head and then does as it is told with the connection.
async fn raw<F: Future<Output = ()> + Send>(then: impl FnOnce(TcpStream) -> F + Send + 'static) -> CmaClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let read = socket.read(&mut head).await.unwrap();
        assert!(read > 0);
        then(socket).await;
    });
    CmaClient::builder().base_url(url).api_key(KEY).without_proxy().build().unwrap()
}

#[tokio::test]
async fn an_error_answer_says_what_to_do_and_is_never_sent_again() {
    let recorder = Recorder::start(|_| {
        let body =
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": format!("slow {KEY}")}});
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7"), ("request-id", "req_1")], Json(body))
    })
    .await;
    let error = client(&recorder).agents().create(&CreateAgent::new("a", "m")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::RateLimited { retry_after: Duration::from_secs(7) });
    assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::RateLimited, false));
    assert_eq!(
        error.to_string(),
        "the service answered 429 `rate_limit_error`: slow [api key] (request `req_1`)"
    );
    assert_eq!(recorder.requests().len(), 1);
}

#[tokio::test]
async fn a_page_of_a_proxy_instead_of_an_envelope_is_still_an_error_with_its_status() {
    let recorder = Recorder::start(|_| (StatusCode::PAYLOAD_TOO_LARGE, "<html>too large</html>")).await;
    let error = client(&recorder).agents().retrieve("agent_1").await.unwrap_err();
    assert_eq!((error.status(), error.class()), (Some(413), ErrorClass::Permanent));
    assert!(error.to_string().contains("<html>too large"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let recorder = Recorder::start(|_| (StatusCode::FOUND, [("location", "/elsewhere")])).await;
    let error = client(&recorder).agents().retrieve("agent_1").await.unwrap_err();
    assert_eq!((error.status(), recorder.requests().len()), (Some(302), 1));
}

#[tokio::test]
async fn an_answer_that_is_not_as_promised_is_a_decode_error_and_may_have_applied() {
    let recorder = Recorder::start(|_| "<html>welcome</html>").await;
    let client = self::client(&recorder);
    let error = client.vaults().create(&CreateVault::new("v")).await.unwrap_err();
    assert!(matches!(error, CmaError::Decode { what: "the vault", maybe_applied: true, .. }), "{error:?}");
    let error = client.vaults().retrieve("vlt_1").await.unwrap_err();
    assert!(matches!(error, CmaError::Decode { maybe_applied: false, .. }), "{error:?}");
    let error = client.events().stream("sesn_1").await.err().unwrap();
    assert!(matches!(error, CmaError::Decode { what: "the event stream", .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_its_limit() {
    let endless = || {
        let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
        Body::from_stream(stream::repeat_with(move || Ok::<_, std::convert::Infallible>(chunk.clone())))
    };
    let recorder = Recorder::start(move |request| {
        let status = if request.path.ends_with("bad") { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        (status, endless()).into_response()
    })
    .await;
    let error = client(&recorder).skill_versions().download("skill_1", "latest").await.unwrap_err();
    assert!(matches!(error, CmaError::Decode { .. }), "{error:?}");
    let error = client(&recorder).agents().retrieve("bad").await.unwrap_err();
    assert_eq!((error.status(), error.class()), (Some(502), ErrorClass::Transient));
}

#[tokio::test]
async fn a_deletion_may_be_answered_without_a_body() {
    let recorder = Recorder::start(|_| StatusCode::NO_CONTENT).await;
    client(&recorder).environments().delete("env_1").await.unwrap();
}

#[tokio::test]
async fn downloads_are_bytes_and_a_display_name_is_a_part_of_its_own() {
    let recorder = Recorder::start(|request| match request.method.as_str() {
        "GET" => Bytes::from_static(b"PK\x03\x04").into_response(),
        _ => Json(json!({"id": "skill_1"})).into_response(),
    })
    .await;
    let client = self::client(&recorder);
    let zip = client.skill_versions().download("skill_1", "latest").await.unwrap();
    assert_eq!(zip.as_ref(), b"PK\x03\x04");
    client.skills().create(Some("Refunds"), &[UploadFile::new("r/SKILL.md", "x")]).await.unwrap();
    let requests = recorder.requests();
    assert_eq!(requests[0].path, "/v1/skills/skill_1/versions/latest/content");
    let parts = requests[1].parts().await;
    let name = parts.iter().find(|part| part.name == "display_name").unwrap();
    assert_eq!((name.bytes.as_slice(), &name.filename), (b"Refunds".as_slice(), &None));
}

#[tokio::test]
async fn an_id_that_is_no_segment_is_refused_before_anything_is_sent() {
    let recorder = Recorder::answering(agent("agent_1")).await;
    let client = self::client(&recorder);
    for id in ["", ".", "..", "a\nb"] {
        let mut refused = vec![
            client.agents().retrieve(id).await.err(),
            client.agents().archive(id).await.err(),
            client.environments().delete(id).await.err(),
            client.events().send(id, &[]).await.err(),
            client.events().stream(id).await.err(),
            client.credentials().archive("vlt_1", id).await.err(),
            client.skill_versions().retrieve("skill_1", id).await.err(),
        ];
        refused.push(client.events().all(id, ListEvents::default()).next().await.unwrap().err());
        for error in refused {
            assert!(matches!(error, Some(CmaError::Invalid(_))), "{id:?} {error:?}");
        }
    }
    assert!(recorder.requests().is_empty());
}

#[tokio::test]
async fn a_walk_asks_for_every_page_with_all_parameters_and_goes_on_over_an_empty_one() {
    let recorder = Recorder::start(|request| {
        let page = request.query().into_iter().find(|(name, _)| name == "page").map(|(_, value)| value);
        Json(match page.as_deref() {
            None => json!({"data": [agent("agent_1"), agent("agent_2")], "next_page": "page_a="}),
            Some("page_a=") => json!({"data": [], "next_page": "page_b"}),
            Some("page_b") => json!({"data": [agent("agent_3")], "next_page": null}),
            Some(other) => panic!("{other}"),
        })
    })
    .await;
    let mut list = ListAgents::default();
    list.limit = Some(2);
    list.include_archived = Some(true);
    let agents: Vec<Agent> = client(&recorder).agents().all(list).try_collect().await.unwrap();
    assert_eq!(
        agents.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(),
        ["agent_1", "agent_2", "agent_3"]
    );
    let queries: Vec<String> = recorder.requests().into_iter().map(|request| request.raw_query).collect();
    assert_eq!(queries[0], "include_archived=true&limit=2");
    assert_eq!(queries[1], "include_archived=true&limit=2&page=page_a%3D");
    assert_eq!(queries[2], "include_archived=true&limit=2&page=page_b");
}

#[tokio::test]
async fn a_walk_ends_when_the_server_repeats_itself() {
    let recorder = Recorder::answering(json!({"data": [], "next_page": "page_a"})).await;
    let ended: Result<Vec<Vault>, _> =
        client(&recorder).vaults().all(ListVaults::default()).try_collect().await;
    assert!(matches!(ended, Err(CmaError::Decode { .. })), "{ended:?}");
    assert_eq!(recorder.requests().len(), 2);
}

#[tokio::test]
async fn a_walk_reads_a_page_only_when_it_is_wanted() {
    let recorder = Recorder::start(|request| {
        let next = format!("page_{}", request.raw_query.len());
        Json(json!({"data": [agent("agent_1")], "next_page": next}))
    })
    .await;
    let mut all = client(&recorder).agents().all(ListAgents::default());
    assert!(recorder.requests().is_empty());
    all.next().await.unwrap().unwrap();
    assert_eq!(recorder.requests().len(), 1);
}

#[tokio::test]
async fn options_show_in_headers_and_a_path_before_the_api_is_kept() {
    let recorder = Recorder::answering(agent("agent_1")).await;
    let client = recorder
        .builder()
        .base_url(format!("{}/gate/", recorder.url))
        .workspace_id("wrkspc_1")
        .beta("a-2026-01-01,managed-agents-2026-04-01")
        .build()
        .unwrap();
    client.agents().retrieve("agent/1").await.unwrap();
    let sent = &recorder.requests()[0];
    assert_eq!(sent.path, "/gate/v1/agents/agent%2F1");
    assert_eq!(sent.header("anthropic-workspace-id"), Some("wrkspc_1"));
    assert_eq!(sent.header("anthropic-beta"), Some("a-2026-01-01,managed-agents-2026-04-01"));
}

#[tokio::test]
async fn neither_a_client_nor_a_failure_shows_the_key() {
    let client = raw(|socket| async move { drop(socket) }).await;
    let error = client.agents().retrieve("agent_1").await.unwrap_err();
    let mut shown = format!("{client:?} {client:#?} {error:?} {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        shown.push_str(&format!("{cause:?} {cause}"));
        source = cause.source();
    }
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn no_connection_is_known_to_have_done_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = CmaClient::builder().base_url(url).api_key(KEY).without_proxy().build().unwrap();
    let error = client.agents().create(&CreateAgent::new("a", "m")).await.unwrap_err();
    assert!(matches!(error, CmaError::Connect { .. }), "{error:?}");
    assert_eq!((error.class(), error.maybe_applied()), (ErrorClass::Transient, false));
}

#[tokio::test]
async fn a_cut_before_and_within_the_answer_may_have_applied() {
    let dropped = raw(|socket| async move { drop(socket) }).await;
    let halved = raw(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"").await.unwrap();
    })
    .await;
    for client in [dropped, halved] {
        let error = client.agents().create(&CreateAgent::new("a", "m")).await.unwrap_err();
        assert!(matches!(error, CmaError::Cut { maybe_applied: true, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn no_answer_is_a_timeout_that_may_have_applied() {
    for write in [true, false] {
        let arrived = Arc::new(Notify::new());
        let told = Arc::clone(&arrived);
        let client = raw(move |socket| async move {
            told.notify_one();
            std::future::pending::<()>().await;
            drop(socket);
        })
        .await;
        let call = tokio::spawn(async move {
            match write {
                true => client.agents().create(&CreateAgent::new("a", "m")).await.unwrap_err(),
                false => client.agents().retrieve("agent_1").await.unwrap_err(),
            }
        });
        arrived.notified().await;
        tokio::time::pause();
        let error = call.await.unwrap();
        tokio::time::resume();
        let limit = Duration::from_secs(60);
        assert!(
            matches!(&error, CmaError::Timeout { waited_for: WaitedFor::Answer, limit: l, .. } if *l == limit),
            "{error:?}"
        );
        assert_eq!((error.maybe_applied(), error.class()), (write, ErrorClass::Transient));
    }
}

fn frames(text: &'static str) -> Response {
    ([("content-type", "text/event-stream; charset=utf-8")], text).into_response()
}

#[tokio::test]
async fn a_stream_gives_events_and_ends_in_order() {
    let recorder = Recorder::start(|_| {
        frames(concat!(
            ": beat\n\n",
            "event: session.status_running\ndata: {\"type\":\"session.status_running\",\"id\":\"sevt_1\"}\n\n",
            "event: ping\ndata: {}\n\n",
            "event: x\ndata: {\"type\":\"from.the.future\",\"id\":\"sevt_2\",\"y\":1}\n\n",
        ))
    })
    .await;
    let events = client(&recorder).events().stream("sesn_1").await.unwrap();
    let ids: Vec<String> = events.map_ok(|event| event.id().unwrap().to_owned()).try_collect().await.unwrap();
    assert_eq!(ids, ["sevt_1", "sevt_2"]);
}

#[tokio::test]
async fn a_refused_stream_is_an_error_at_its_opening() {
    let recorder = Recorder::start(|_| (StatusCode::NOT_FOUND, "{}")).await;
    let error = client(&recorder).events().stream("sesn_1").await.err().unwrap();
    assert!(error.is_not_found(), "{error:?}");
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_an_error() {
    let client = raw(|mut socket| async move {
        let frame = "data: {\"type\":\"a\"}\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(format!("{head}{:x}\r\n{frame}\r\n", frame.len()).as_bytes()).await.unwrap();
    })
    .await;
    let mut events = client.events().stream("sesn_1").await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().kind(), "a");
    let end = events.next().await.unwrap();
    assert!(matches!(end, Err(CmaError::Cut { .. })), "{end:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn dropping_a_stream_closes_its_connection() {
    let closed = Arc::new(Notify::new());
    let told = Arc::clone(&closed);
    let client = raw(move |mut socket| async move {
        let head =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head).await.unwrap();
        let read = socket.read(&mut [0; 16]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        told.notify_one();
    })
    .await;
    let events = client.events().stream("sesn_1").await.unwrap();
    drop(events);
    tokio::time::timeout(Duration::from_secs(10), closed.notified()).await.unwrap();
}

#[tokio::test]
async fn the_stored_events_come_back_from_sending() {
    let recorder = Recorder::answering(json!({"data": [
        {"type": "user.message", "id": "sevt_1", "processed_at": null, "content": []},
    ]}))
    .await;
    let stored = client(&recorder).events().send("sesn_1", &[OutgoingEvent::message("hi")]).await.unwrap();
    assert_eq!((stored[0].id(), stored[0].processed_at()), (Some("sevt_1"), None));

    let silent = Recorder::answering(json!({})).await;
    assert!(client(&silent).events().send("sesn_1", &[OutgoingEvent::interrupt()]).await.unwrap().is_empty());
}
