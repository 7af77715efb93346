//! A small MCP server over streamable HTTP that wants a bearer.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use std::sync::{Arc, Mutex};
use tokio_util::sync::{CancellationToken, DropGuard};

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Order {
    order_id: String,
}

#[derive(Debug, Clone)]
struct Orders {
    tool_router: ToolRouter<Self>,
    calls: Arc<Mutex<Vec<String>>>,
}

#[tool_router]
impl Orders {
    #[tool(description = "Tells the state of an order")]
    fn get_order(&self, Parameters(Order { order_id }): Parameters<Order>) -> String {
        self.calls.lock().unwrap().push(format!("get_order {order_id}"));
        format!("order {order_id} is shipped")
    }

    #[tool(description = "Pays an order back")]
    fn refund_order(&self, Parameters(Order { order_id }): Parameters<Order>) -> String {
        self.calls.lock().unwrap().push(format!("refund_order {order_id}"));
        format!("order {order_id} is refunded")
    }

    #[tool(description = "Takes its time")]
    async fn slow(&self) -> String {
        self.calls.lock().unwrap().push("slow".to_owned());
        std::future::pending::<()>().await;
        String::new()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Orders {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// A running server; dropping it stops it.
pub struct McpServer {
    pub url: String,
    token: Arc<Mutex<String>>,
    calls: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl McpServer {
    pub async fn start(token: &str) -> Self {
        let (token, calls) = (Arc::new(Mutex::new(token.to_owned())), Arc::default());
        let stop = CancellationToken::new();
        let orders = Orders { tool_router: Orders::tool_router(), calls: Arc::clone(&calls) };
        let config = StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
        let service: StreamableHttpService<Orders, LocalSessionManager> =
            StreamableHttpService::new(move || Ok(orders.clone()), Arc::default(), config);
        let check = axum::middleware::from_fn_with_state(Arc::clone(&token), check);
        let router = axum::Router::new().nest_service("/mcp", service).layer(check);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
        Self { url, token, calls, _stop: stop.drop_guard() }
    }

    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub fn rotate(&self, token: &str) {
        *self.token.lock().unwrap() = token.to_owned();
    }
}

async fn check(State(token): State<Arc<Mutex<String>>>, request: Request, next: Next) -> Response {
    let wanted = format!("Bearer {}", token.lock().unwrap());
    let sent = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if sent == Some(wanted.as_str()) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")], "no").into_response()
}
