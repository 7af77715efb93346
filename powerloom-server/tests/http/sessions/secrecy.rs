//! A ticket is told to whoever asked for it, and to nobody else (T8).

use crate::sessions::client::said;
use crate::sessions::stage::Stage;
use crate::sessions::wire::{Wire, good};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use powerloom_core::control_plane::ControlPlane;
use reqwest::Method;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The secret part of a ticket.
fn secret(ticket: &str) -> &str {
    let secret = ticket.strip_prefix("tk_").unwrap_or_else(|| panic!("{ticket}"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(secret.len() >= 43 && secret.bytes().all(plain), "{ticket}");
    secret
}

/// 256 bits of chance, each time others.
#[tokio::test]
async fn no_ticket_is_like_another() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut seen = BTreeSet::new();
    for _ in 0..64 {
        let ticket = stage.ticket(id).await;
        let bytes = URL_SAFE_NO_PAD.decode(secret(&ticket)).unwrap();
        assert_eq!(bytes.len(), 32);
        assert!(seen.insert(bytes));
    }
    // No byte is the same in all of them.
    for place in 0..32 {
        assert!(seen.iter().map(|bytes| bytes[place]).collect::<BTreeSet<_>>().len() > 1, "{place}");
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// All bytes of the store: its file, and what SQLite keeps beside it.
fn dump(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    bytes
}

/// Used, unused, refused, in a request that cannot be: in no log line however much is logged, no answer, no figure, not in the
/// trail, and not in the store.
#[tokio::test]
async fn a_ticket_is_written_nowhere() {
    let log = Log::default();
    let listening = || {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish()
    };
    // As long as there is a second one, what another test's thread is the first to come by is not thought to interest nobody.
    let _second = tracing::Dispatch::new(listening());
    let _guard = tracing::subscriber::set_default(listening());
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("loom.db").display());
    let loom = ControlPlane::builder(powerloom_store::open(&url).await.unwrap()).build();
    let stage = Stage::over(loom, |config| config).await;
    let (id, world) = (stage.running().await, &stage.world);
    let (used, unused, odd) = (stage.ticket(id).await, stage.ticket(id).await, stage.ticket(id).await);
    let unknown = format!("tk_{}", URL_SAFE_NO_PAD.encode([7; 32]));
    let mut said_back = String::new();

    let mut socket = stage.present(id, &used).await;
    said_back += &format!("{:?}", socket.take(3).await);
    // Somebody else has the stream; then it was used before; one that never was.
    let held = stage.present(id, &unused).await.refusal().await;
    assert_eq!(said(&held).0, 4409);
    socket.close().await;
    let refused =
        [stage.present(id, &used).await.refusal().await, stage.present(id, &unknown).await.refusal().await];
    for refused in refused {
        assert_eq!(said(&refused).0, 4401);
        said_back += &format!("{refused:?}");
    }
    let stream = format!("/sessions/{id}/stream");
    for (method, path, status) in [
        (Method::GET, format!("{stream}?ticket={odd}"), 426),
        (Method::POST, format!("{stream}?ticket={odd}"), 405),
        (Method::GET, format!("{stream}?ticket={odd}&ticket={odd}"), 400),
        (Method::GET, format!("{stream}?ticket={odd}&after=x"), 400),
        (Method::GET, format!("{stream}?ticket={odd}&more=1"), 400),
        (Method::GET, format!("{stream}s?ticket={odd}"), 404),
        (Method::GET, format!("/whoami?ticket={odd}"), 400),
        (Method::GET, format!("/audit?ticket={odd}"), 400),
    ] {
        let answer = world.as_of(&world.admin, method, &path, None).await.expect(status);
        said_back += &format!("{answer:?}");
    }
    let bearer = world.as_of(&odd, Method::GET, "/whoami", None).await.expect(401);
    said_back += &format!("{bearer:?}");
    let mut foreign = good();
    foreign.push(("origin", "https://example.com".to_owned()));
    let (_, refused) = Wire::shake(&stage, &format!("{stream}?ticket={odd}"), &foreign).await;
    assert_eq!(refused.status, 403);
    said_back += &format!("{} {:?}", refused.body, refused.headers);
    stage.runtime.end_turn(id);
    stage.wait(id).await;
    let metrics = world.get("/metrics").await.expect(200).text;
    let trail = world.get("/audit/export").await.expect(200).text;
    let session = world.get(&format!("/sessions/{id}")).await.expect(200).text;
    let events = world.get(&format!("/sessions/{id}/events")).await.expect(200).text;

    // The log has what it should: lines of these requests, spans of the stream, and no query.
    let lines = log.text();
    for told in [stream.as_str(), "a stream has ended", "/whoami"] {
        assert!(lines.contains(told), "nothing of {told} in the log: {lines}");
    }
    let store = dump(folder.path());
    assert!(holds(&store, id.to_string().as_bytes()), "the dump is one of this store");
    for ticket in [&used, &unused, &odd, &unknown] {
        let secret = secret(ticket);
        for (where_, text) in [
            ("the log", &lines),
            ("an answer", &said_back),
            ("the figures", &metrics),
            ("the trail", &trail),
            ("the session", &session),
            ("its events", &events),
        ] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{where_}");
        }
        assert!(!holds(&store, secret.as_bytes()), "the store has the ticket");
        assert!(!holds(&store, &URL_SAFE_NO_PAD.decode(secret).unwrap()), "the store has its bytes");
    }
}
