//! A real MCP server over this repository's files, read-only, that wants a bearer it knows the fingerprint of.

use anyhow::Context;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longest text a tool returns, in bytes.
const MOST: usize = 16 * 1024;

/// The fingerprints of the bearers that are let in.
pub(crate) type Known = Arc<RwLock<BTreeSet<String>>>;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct FilesServer {
    _stop: DropGuard,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Place {
    /// A path below the repository, with `/`; `.` is the repository itself.
    path: String,
}

#[derive(Debug, Clone)]
struct Files {
    root: PathBuf,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Files {
    #[tool(description = "Lists the entries of a folder of the repository")]
    fn list_files(&self, Parameters(Place { path }): Parameters<Place>) -> Result<String, String> {
        let folder = self.inside(&path)?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
        }
        names.retain(|name| !name.starts_with('.') && name != "target/");
        names.sort();
        Ok(names.join("\n"))
    }

    #[tool(description = "Reads a text file of the repository, its first 16 KiB")]
    fn read_file(&self, Parameters(Place { path }): Parameters<Place>) -> Result<String, String> {
        let bytes = std::fs::read(self.inside(&path)?).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(bytes.get(..MOST).unwrap_or(&bytes)).into_owned();
        Ok(text)
    }
}

impl Files {
    /// The real path, if it is inside the repository: links that lead out are followed before that is judged.
    fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let real = self.root.join(path).canonicalize().map_err(|_| format!("`{path}` does not exist"))?;
        if real.starts_with(&self.root) {
            Ok(real)
        } else {
            Err(format!("`{path}` is outside the repository"))
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Files {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

impl FilesServer {
    /// Serves the files below `root` at `http://<address>/mcp`.
    pub(crate) async fn start(address: SocketAddr, root: &Path, known: Known) -> anyhow::Result<Self> {
        let root = root.canonicalize().with_context(|| format!("`{}` cannot be served", root.display()))?;
        let stop = CancellationToken::new();
        let files = Files { root, tool_router: Files::tool_router() };
        let config = StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
        let service: StreamableHttpService<Files, LocalSessionManager> =
            StreamableHttpService::new(move || Ok(files.clone()), Arc::default(), config);
        let check = axum::middleware::from_fn_with_state(known, check);
        let router = axum::Router::new().nest_service("/mcp", service).layer(check);
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!("the MCP server cannot listen on {address}: is another demo running?")
        })?;
        let stopped = stop.clone();
        tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned());
            if let Err(error) = served.await {
                eprintln!("the MCP server stopped: {error}");
            }
        });
        Ok(Self { _stop: stop.drop_guard() })
    }
}

/// Lets in whoever presents a bearer with a known fingerprint.
async fn check(State(known): State<Known>, request: Request, next: Next) -> Response {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let fingerprint = bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|token| hex::encode(Sha256::digest(token.as_bytes())));
    let welcome = fingerprint.is_some_and(|fingerprint| {
        known.read().unwrap_or_else(PoisonError::into_inner).contains(&fingerprint)
    });
    if welcome {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "unknown bearer").into_response()
    }
}
