//! Something that stands between a client and a server and cuts connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A relay that cuts.
pub struct Scissors {
    /// Where to call it.
    pub url: String,
    cuts: Arc<AtomicUsize>,
}

/// Looks at what was last asked on a connection and what is answered, and says after how many bytes of the answer to cut.
type Look = fn(&str, &str) -> Option<usize>;

impl Scissors {
    /// Before the server at `url`: cuts so many connections, where `look` says.
    pub async fn before(url: &str, most: usize, look: Look) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&counted), most, look));
            }
        });
        Self { url, cuts }
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn relay(client: TcpStream, server: TcpStream, cuts: Arc<AtomicUsize>, most: usize, look: Look) {
    let ((mut asked, mut answering), (mut answered, mut asking)) = (client.into_split(), server.into_split());
    let last = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&last);
    let there = tokio::spawn(async move {
        let mut bytes = vec![0_u8; 65_536];
        while let Ok(read @ 1..) = asked.read(&mut bytes).await {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            if text.contains(" HTTP/1.1\r\n") {
                *heard.lock().unwrap() = text;
            }
            if asking.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
    });
    let mut bytes = vec![0_u8; 65_536];
    while let Ok(read @ 1..) = answered.read(&mut bytes).await {
        let answer = String::from_utf8_lossy(&bytes[..read]).into_owned();
        let question = last.lock().unwrap().clone();
        let cut = look(&question, &answer).filter(|_| cuts.load(Ordering::SeqCst) < most);
        if let Some(at) = cut {
            cuts.fetch_add(1, Ordering::SeqCst);
            let _the_client_may_be_gone = answering.write_all(&bytes[..at.min(read)]).await;
            break;
        }
        if answering.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    there.abort();
}
