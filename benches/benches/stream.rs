//! How close is a session's WebSocket to one that does nothing else, how late is a frame, and what does an idle one cost?
//!
//! `cargo bench -p powerloom-benches --bench stream`
//!
//! 1. A hundred sessions with 1,000 events of about 400 bytes each, which the server has in memory, go to a hundred clients:
//!    from the handshake to the last frame. Next to it a bare `tokio-tungstenite` with the same bytes, written beforehand.
//! 2. The time from the moment the runtime says something to the moment its frame is with the client: over the pump and the
//!    commit, with a hundred streams open.
//! 3. The memory of 5,000 streams on which nothing happens, measured in a process that holds only the server's side of them.
//!    The limit on open files is raised by a shell; if it cannot be, fewer are opened, and the figure is for each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

use axum::serve::ListenerExt as _;
use futures::{SinkExt, StreamExt};
use powerloom_benches::ratio::{compare, is_listing};
use powerloom_core::bootstrap::Organization;
use powerloom_core::conformance::puppet_runtime::PuppetRuntime;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::Action;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{ResourceId, SessionId};
use powerloom_core::reconcile::runner::ReconcilerLoop;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::session_loop::SessionLoop;
use powerloom_core::session::stream::SessionStream;
use powerloom_core::store::{Commit, Precondition, Write};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_server::{Config, router};
use serde_json::json;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tokio_util::sync::CancellationToken;

const SESSIONS: usize = 100;
const EVENTS: usize = 1_000;
/// The prompt, that it runs, and our own first frame.
const BEFORE: usize = 3;
const LATENCIES: usize = 3_000;
const IDLE: usize = 5_000;

/// A server with an agent that can be invoked.
struct House {
    loom: ControlPlane,
    org: Organization,
    runtime: Arc<PuppetRuntime>,
    agent: ResourceId,
    address: SocketAddr,
    stop: CancellationToken,
}

impl House {
    async fn open() -> Self {
        let store = powerloom_store::open("memory:").await.unwrap();
        let loom = ControlPlane::builder(store).build();
        let org = loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        let spec = json!({
            "model": "claude-sonnet-4-6", "agent_kind": "user", "owner": org.admin_caller().principal.to_string(),
        });
        let spec = spec.as_object().cloned().unwrap();
        let create = Action::create("Agent".parse().unwrap(), org.root_ou, &"clerk".parse().unwrap(), spec);
        let made = loom.submit(&org.admin_caller(), create).await.unwrap();
        let agent = made.record().unwrap().meta.id;
        let runtime = Arc::new(PuppetRuntime::default());
        let reconciler = ReconcilerLoop::builder(&loom, runtime.clone()).build();
        assert!(reconciler.until_settled(Duration::from_secs(5)).await.unwrap().is_empty());

        let keys = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap()));
        let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
        let tokens = TokenService::new(&loom, Arc::new(keys), options).unwrap();
        let stop = CancellationToken::new();
        let app = router(loom.clone(), Config::new(tokens), stop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // As the server of the library does: a frame does not wait for the acknowledgement of the one before.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { loom, org, runtime, agent, address, stop }
    }

    fn pump(&self) {
        let pumps = SessionLoop::builder(&self.loom, self.runtime.clone()).build();
        let stop = self.stop.clone();
        tokio::spawn(async move { pumps.run(stop).await });
    }

    async fn running(&self) -> SessionId {
        let asks = Invoke::new(self.agent, "How many orders?");
        let invoked = self.loom.invoke(&self.org.admin_caller(), asks).await.unwrap().started().unwrap();
        self.runtime.prompted(invoked.session_id).await;
        invoked.session_id
    }

    /// A session whose newest events are in memory for as long as the stream is kept.
    async fn told(&self, events: usize) -> (SessionId, SessionStream) {
        let id = self.running().await;
        let caller = self.org.admin_caller();
        let kept = self.loom.follow(&caller, id, EventSeq::START).await.unwrap();
        let mut all = self.loom.follow(&caller, id, EventSeq::START).await.unwrap();
        let text = "x".repeat(330);
        for _ in 0..events {
            self.runtime.message(id, &text);
        }
        while all.after().number() < (events + BEFORE) as u64 {
            all.next().await.unwrap().unwrap();
        }
        (id, kept)
    }

    async fn path(&self, id: SessionId, after: usize) -> String {
        let (ticket, _) = self.loom.stream_ticket(&self.org.admin_caller(), id).await.unwrap();
        format!("{}&after={after}", ticket.url(id))
    }
}

async fn connect(address: SocketAddr, path: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    client_async(format!("ws://{address}{path}"), stream).await.unwrap().0
}

/// Takes so many frames, and says how many bytes they have.
async fn take(mut socket: WebSocketStream<TcpStream>, frames: usize) -> usize {
    let (mut taken, mut bytes) = (0, 0);
    while taken < frames {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            taken += 1;
            bytes += text.len();
        }
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    bytes
}

/// How long it takes until every client has all frames of its path.
async fn deliver(address: SocketAddr, paths: Vec<String>, frames: usize) -> Duration {
    let began = Instant::now();
    let clients: Vec<_> = paths
        .into_iter()
        .map(|path| tokio::spawn(async move { take(connect(address, &path).await, frames).await }))
        .collect();
    for client in clients {
        assert!(client.await.unwrap() > frames * 300);
    }
    began.elapsed()
}

/// A server that knows nothing but these frames.
async fn bare(frames: Arc<Vec<Utf8Bytes>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let frames = frames.clone();
            tokio::spawn(async move {
                let mut socket = accept_async(stream).await.unwrap();
                for frame in frames.iter() {
                    socket.feed(Message::Text(frame.clone())).await.unwrap();
                }
                socket.flush().await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
            });
        }
    });
    address
}

fn fan_out(runtime: &tokio::runtime::Runtime) {
    let house = runtime.block_on(House::open());
    let kept = runtime.block_on(async {
        house.pump();
        futures::future::join_all((0..SESSIONS).map(|_| house.told(EVENTS))).await
    });
    let frames = EVENTS;
    let written = runtime.block_on(async {
        let mut socket = connect(house.address, &house.path(kept[0].0, BEFORE).await).await;
        let mut written = Vec::new();
        while written.len() < frames {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                written.push(text);
            }
        }
        socket.close(None).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        written
    });
    let size = written.iter().map(|frame| frame.as_str().len()).sum::<usize>() / frames;
    let limit = runtime.block_on(bare(Arc::new(written)));
    let ratio = compare(
        &format!(
            "{SESSIONS} sessions, {EVENTS} events of {size} bytes, against bare tokio-tungstenite (gate 0.70)"
        ),
        u32::try_from(SESSIONS * frames).unwrap(),
        &mut || {
            runtime.block_on(runtime.spawn(deliver(limit, vec!["/".to_owned(); SESSIONS], frames))).unwrap()
        },
        &mut || {
            let paths = futures::future::join_all(kept.iter().map(|(id, _)| house.path(*id, BEFORE)));
            let paths = runtime.block_on(paths);
            runtime.block_on(runtime.spawn(deliver(house.address, paths, frames))).unwrap()
        },
    );
    verdict(ratio >= 0.70);
    house.stop.cancel();
}

fn latency(runtime: &tokio::runtime::Runtime) {
    let mut micros: Vec<u128> = runtime.block_on(async {
        let house = House::open().await;
        house.pump();
        let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let id = house.running().await;
            let mut socket = connect(house.address, &house.path(id, 0).await).await;
            let heard = heard.clone();
            tokio::spawn(async move {
                while let Some(Ok(message)) = socket.next().await {
                    if message.to_text().is_ok_and(|text| text.contains("agent.message")) {
                        heard.send(Instant::now()).unwrap();
                    }
                }
            });
            sessions.push(id);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut late = Vec::new();
        let text = "x".repeat(330);
        for number in 0..LATENCIES {
            let began = Instant::now();
            house.runtime.message(sessions[number * 37 % SESSIONS], &text);
            late.push(hear.recv().await.unwrap().duration_since(began).as_micros());
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        house.stop.cancel();
        late
    });
    micros.sort_unstable();
    let at = |share: usize| micros[(micros.len() * share / 1000).min(micros.len() - 1)];
    println!(
        "said by the runtime to frame at the client, {SESSIONS} streams open: median {} us, 99 % {} us, most {} us (gate 5000)",
        at(500),
        at(990),
        at(1000)
    );
    verdict(at(990) <= 5_000);
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// How many files this process may open.
fn files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(1024)
}

/// This program once more, with as many files as it may have.
fn again(role: &str) -> Command {
    let mut command = Command::new("sh");
    let script = "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"";
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).arg(role);
    command
}

fn idle() {
    assert!(again("--idle-server").status().unwrap().success());
}

/// The server's side of the idle streams; the clients are in a process of their own.
fn idle_server(runtime: &tokio::runtime::Runtime) {
    let streams = IDLE.min(files().saturating_sub(200));
    let house = runtime.block_on(House::open());
    let paths = runtime.block_on(async {
        // Nothing pumps: they stay pending. One is invoked, the others are written as it was.
        let caller = house.org.admin_caller();
        let asks = Invoke::new(house.agent, "How many orders?");
        let first = house.loom.invoke(&caller, asks).await.unwrap().started().unwrap().session_id;
        let first = house.loom.store().session(house.org.id, first).await.unwrap().unwrap();
        let mut paths = Vec::new();
        for _ in 0..streams {
            let now = house.loom.clock().now();
            let mut session = first.clone();
            session.id = SessionId::generate(now, &SystemEntropy);
            let mut commit = Commit::new(house.org.id, now);
            commit.expect.push(Precondition::SessionVersion { id: session.id, version: 0 });
            let id = session.id;
            commit.write.push(Write::PutSession(Box::new(session)));
            house.loom.store().commit(commit).await.unwrap();
            paths.push(house.path(id, 0).await);
        }
        paths
    });
    let mut clients = again("--idle-clients")
        .arg(house.address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = clients.stdin.take().unwrap();
    let mut answers = std::io::BufReader::new(clients.stdout.take().unwrap()).lines();
    let before = resident();
    for path in &paths {
        writeln!(orders, "{path}").unwrap();
    }
    writeln!(orders).unwrap();
    assert_eq!(answers.next().unwrap().unwrap(), "open");
    // Whatever is still being set up has its turn.
    std::thread::sleep(Duration::from_secs(2));
    let used = resident().saturating_sub(before);
    drop(orders);
    assert!(clients.wait().unwrap().success());
    let all = used as f64 / (1 << 20) as f64 / streams as f64 * IDLE as f64;
    println!(
        "{streams} idle streams: {:.1} KiB each, {all:.0} MiB for {IDLE} (gate 200), the server's side alone",
        used as f64 / 1024.0 / streams as f64
    );
    verdict(all <= 200.0);
}

/// Opens a stream for each line, and keeps them until there are no lines any more.
fn idle_clients(runtime: &tokio::runtime::Runtime) {
    let address: SocketAddr = std::env::args().nth(2).unwrap().parse().unwrap();
    let mut lines = std::io::stdin().lines();
    let mut open = Vec::new();
    for path in lines.by_ref().map(Result::unwrap).take_while(|path| !path.is_empty()) {
        open.push(runtime.block_on(connect(address, &path)));
    }
    println!("open");
    assert!(lines.next().is_none());
    drop(open);
}

fn verdict(met: bool) {
    println!("  {}", if met { "met" } else { "NOT MET" });
}

fn main() {
    if is_listing() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match std::env::args().nth(1).as_deref() {
        Some("--idle-server") => return idle_server(&runtime),
        Some("--idle-clients") => return idle_clients(&runtime),
        _ => {}
    }
    fan_out(&runtime);
    latency(&runtime);
    idle();
}
