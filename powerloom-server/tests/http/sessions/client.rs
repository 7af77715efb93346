//! A WebSocket client over a plain socket, which a test can slow down or cut.

use crate::sessions::stage::{PATIENCE, number};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Opens sockets to one server.
pub(crate) struct Client {
    authority: String,
    receive_buffer: Option<u32>,
}

/// An open WebSocket.
pub(crate) struct TestSocket(pub(crate) WebSocketStream<TcpStream>);

/// A frame: its number, its type, its payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) payload: Value,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        Self { authority: url.trim_start_matches("http://").to_owned(), receive_buffer: None }
    }

    /// Takes few bytes before it is read.
    pub(crate) fn narrow(mut self) -> Self {
        self.receive_buffer = Some(4096);
        self
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        socket.connect(self.authority.parse().unwrap()).await.unwrap()
    }

    /// Shakes hands; fails with the answer if that is no 101.
    pub(crate) async fn try_open(&self, path: &str, bearer: Option<&str>) -> Result<TestSocket, Error> {
        let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
            format!("ws://{}{path}", self.authority),
        )?;
        if let Some(bearer) = bearer {
            request.headers_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
        }
        Ok(TestSocket(client_async(request, self.connect().await).await?.0))
    }

    pub(crate) async fn open(&self, path: &str) -> TestSocket {
        self.try_open(path, None).await.unwrap()
    }
}

impl TestSocket {
    /// The next frame, or the close frame.
    pub(crate) async fn next(&mut self) -> Result<Told, CloseFrame> {
        let next = async {
            loop {
                match self.0.next().await.expect("the socket ended without a close frame").unwrap() {
                    Message::Text(text) => return Ok(told(&text)),
                    Message::Close(frame) => return Err(frame.expect("a close frame has a code")),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("nothing came")
    }

    /// The next `count` frames.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(self.next().await.unwrap());
        }
        told
    }

    /// All frames, and how it closed.
    pub(crate) async fn drain(&mut self) -> (Vec<Told>, CloseFrame) {
        let mut all = Vec::new();
        loop {
            match self.next().await {
                Ok(told) => all.push(told),
                Err(closed) => return (all, closed),
            }
        }
    }

    /// How it closed, before anything else came.
    pub(crate) async fn refusal(&mut self) -> CloseFrame {
        self.next().await.expect_err("it was let in")
    }

    /// Says goodbye, and waits for the answer.
    pub(crate) async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }
}

fn told(text: &str) -> Told {
    let frame: Value = serde_json::from_str(text).unwrap();
    assert_eq!(frame.as_object().unwrap().len(), 3, "{frame}");
    Told {
        seq: number(&frame["seq"]),
        kind: frame["type"].as_str().unwrap().to_owned(),
        payload: frame["payload"].clone(),
    }
}

/// The numbers of frames.
pub(crate) fn numbers(told: &[Told]) -> Vec<u64> {
    told.iter().map(|told| told.seq).collect()
}

/// Number and code of how a socket closed, and the reason.
pub(crate) fn said(frame: &CloseFrame) -> (u16, &str) {
    (frame.code.into(), frame.reason.as_str())
}
