//! Something that answers every request the same, or never: what is not a Powerloom server.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener that answers by what is asked.
pub struct Stub {
    /// Where to call it.
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

/// The whole answer to a request with this head; nothing keeps the caller waiting.
type Answer = fn(&str) -> Option<String>;

impl Stub {
    pub async fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&seen), answer));
            }
        });
        Self { url, heads }
    }

    /// What was asked so far, each with its headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// An answer with JSON in it.
pub fn json(status: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

async fn serve(mut client: TcpStream, heads: Arc<Mutex<Vec<String>>>, answer: Answer) {
    let (mut asked, mut bytes) = (String::new(), vec![0_u8; 65_536]);
    while !asked.contains("\r\n\r\n") {
        match client.read(&mut bytes).await {
            Ok(read @ 1..) => asked.push_str(&String::from_utf8_lossy(&bytes[..read])),
            _ => return,
        }
    }
    heads.lock().unwrap().push(asked.clone());
    match answer(&asked) {
        Some(answer) => {
            let _the_client_may_be_gone = client.write_all(answer.as_bytes()).await;
            let _unsent = client.shutdown().await;
        }
        // Until the caller has seen enough.
        None => while let Ok(1..) = client.read(&mut bytes).await {},
    }
}
