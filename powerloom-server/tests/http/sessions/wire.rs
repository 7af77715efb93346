//! A WebSocket by hand: bytes over TCP, so that a test can say what no client library would.

use crate::sessions::stage::{PATIENCE, Stage};
use powerloom_core::id::SessionId;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The key of RFC 6455, 1.3, and what it is answered with.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The first byte of a frame: it is the last of its message, and a text, bytes, a goodbye or a ping.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// What a handshake was answered with.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The code of the error envelope.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// A connection.
pub(crate) struct Wire(TcpStream);

/// The headers of a good handshake.
pub(crate) fn good() -> Vec<(&'static str, String)> {
    [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

impl Wire {
    /// Shakes hands with these headers besides `Host`.
    pub(crate) async fn shake(stage: &Stage, path: &str, headers: &[(&str, String)]) -> (Self, Head) {
        let mut wire = Self(stage.client().connect().await);
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: loom.acme.com\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        wire.send((head + "\r\n").as_bytes()).await;
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(wire.bytes(1).await.expect("it hung up")[0]);
        }
        let text = String::from_utf8(text).unwrap();
        let (first, rest) = text.split_once("\r\n").unwrap();
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = rest
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().unwrap());
        let body = wire.bytes(length).await.unwrap();
        (wire, Head { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// An open stream behind the three events a running session has.
    pub(crate) async fn open(stage: &Stage, id: SessionId) -> Self {
        let path = format!("/sessions/{id}/stream?ticket={}&after=3", stage.ticket(id).await);
        let (wire, head) = Self::shake(stage, &path, &good()).await;
        assert_eq!((head.status, head.header("sec-websocket-accept")), (101, ACCEPT));
        wire
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next bytes; `None` if there are no more so many.
    async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("nothing came");
        read.ok().map(|_| bytes)
    }

    /// The next frame: its first byte and its payload. A server masks nothing.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.bytes(2).await?;
        let length = match head[1] {
            length @ 0..=125 => usize::from(length),
            126 => usize::from(u16::from_be_bytes(self.bytes(2).await?.try_into().unwrap())),
            other => panic!("a server sends no such length: {other}"),
        };
        Some((head[0], self.bytes(length).await?))
    }

    /// With which code and reason it is closed; nothing else may come before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let (first, payload) = self.frame().await.expect("it hung up without a word");
        assert_eq!(first, CLOSE, "{payload:?}");
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        (code, String::from_utf8(payload[2..].to_vec()).unwrap())
    }
}

/// A frame of a client, masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = head(first, 0x80, payload.len());
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame that is not masked, as only a server may send one.
pub(crate) fn bare(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, 0, payload.len());
    bytes.extend(payload);
    bytes
}

fn head(first: u8, masked: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(length @ 0..=125) => vec![first, masked | length],
        _ => {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            vec![first, masked | 126, high, low]
        }
    }
}
