//! Real connections to MCP servers, over streamable HTTP with a bearer.

use crate::emulator::model::{Tool, ToolSource};
use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpClientTransportConfig,
};
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::time::Duration;

/// How long a connection with its list of tools may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(120);
/// The most characters of a result that the model is shown.
const SHOWN: usize = 100_000;

/// Why a server cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LinkError {
    /// The server wants a credential, or another one.
    #[error("the MCP server refuses the credential")]
    Refused,
    /// The server cannot be reached or does not speak the protocol.
    #[error("the MCP server cannot be reached: {0}")]
    Unreachable(String),
}

impl LinkError {
    /// The `error.type` of `session.error`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Refused => "mcp_authentication_failed_error",
            Self::Unreachable(_) => "mcp_connection_failed_error",
        }
    }
}

/// An open connection to one server.
#[derive(Debug)]
pub(crate) struct Link {
    service: RunningService<RoleClient, ()>,
    tools: Vec<Tool>,
}

impl Link {
    /// Connects, initializes and lists the tools of the server `name` at `url`.
    pub(crate) async fn open(
        http: &reqwest::Client,
        name: &str,
        url: &str,
        bearer: Option<String>,
    ) -> Result<Self, LinkError> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(url);
        config.auth_header = bearer;
        let transport = StreamableHttpClientTransport::with_client(http.clone(), config);
        let open = async {
            let service = ().serve(transport).await.map_err(|error| classify(&error))?;
            let listed = service.list_all_tools().await.map_err(|error| classify(&error))?;
            let tool = |tool: rmcp::model::Tool| {
                let schema = Value::Object((*tool.input_schema).clone());
                Tool::new(ToolSource::Mcp(name.to_owned()), tool.name.into_owned(), schema)
            };
            Ok(Self { service, tools: listed.into_iter().map(tool).collect() })
        };
        let late = |_| Err(LinkError::Unreachable("no answer in time".to_owned()));
        tokio::time::timeout(CONNECT, open).await.unwrap_or_else(late)
    }

    /// The tools the server offers.
    pub(crate) fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// Calls a tool; answers content blocks and whether they tell of an error.
    pub(crate) async fn call(
        &self,
        name: &str,
        input: Map<String, Value>,
    ) -> Result<(Value, bool), LinkError> {
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(input);
        let call = tokio::time::timeout(CALL, self.service.call_tool(params)).await;
        match call.map_err(|_| LinkError::Unreachable("no answer in time".to_owned()))? {
            Ok(result) => {
                let blocks = result.content.iter().filter_map(|block| serde_json::to_value(block).ok());
                let content: Vec<Value> = blocks.map(|block| shown(&block)).collect();
                Ok((Value::Array(content), result.is_error.unwrap_or(false)))
            }
            Err(rmcp::ServiceError::McpError(error)) => {
                Ok((json!([{"type": "text", "text": error.message}]), true))
            }
            Err(error) => Err(classify(&error)),
        }
    }
}

fn classify(error: &(dyn Error + 'static)) -> LinkError {
    let mut texts = Vec::new();
    let mut source = Some(error);
    while let Some(current) = source {
        if current.is::<AuthRequiredError>() || current.is::<InsufficientScopeError>() {
            return LinkError::Refused;
        }
        texts.push(current.to_string());
        source = current.source();
    }
    let text = texts.join(": ");
    let refused = ["401", "403", "Auth required", "nsufficient scope"].iter().any(|sign| text.contains(sign));
    if refused { LinkError::Refused } else { LinkError::Unreachable(text) }
}

/// A content block of MCP as a content block of an event.
fn shown(block: &Value) -> Value {
    match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            let text = block.get("text").and_then(Value::as_str).unwrap_or_default();
            let text = match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}… (cut)", text.get(..end).unwrap_or_default()),
                None => text.to_owned(),
            };
            json!({"type": "text", "text": text})
        }
        Some("image") => json!({"type": "image", "source": {"type": "base64",
            "media_type": block.get("mimeType"), "data": block.get("data")}}),
        _ => json!({"type": "text", "text": block.to_string()}),
    }
}
