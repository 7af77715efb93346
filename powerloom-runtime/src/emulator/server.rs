//! The HTTP side: reads requests, applies faults, writes answers.

use crate::emulator::admin;
use crate::emulator::call::{Answer, Call};
use crate::emulator::connection::Connection;
use crate::emulator::faults::Fault;
use crate::emulator::headers;
use crate::emulator::ids::new_id;
use crate::emulator::query::Query;
use crate::emulator::refusal::Refusal;
use crate::emulator::router::route;
use crate::emulator::world::World;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The largest body of a JSON request, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// The largest body of an upload, in bytes: skills have a limit of their own inside of it.
const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;
/// How much of a body that is too large is still read, so that the client gets to see the answer.
const DRAIN_LIMIT: usize = 256 * 1024 * 1024;

/// Answers every request.
pub(crate) async fn handle(
    State(world): State<Arc<World>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let request_id = new_id("req");
    if path.starts_with("/_emulator/") {
        let answer = match read_body(request.into_body(), BODY_LIMIT).await {
            Ok(body) => admin::answer(&world, &method, &path, &body).map(Answer::from),
            Err(refusal) => Err(refusal),
        };
        return respond(answer, &request_id);
    }
    let faults = world.faults.strike(&method, &path);
    let answer = serve(&world, request, &faults, &connection).await;
    let cut = answer.is_none();
    let mut response = answer.map_or_else(
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |answer| respond(answer, &request_id),
    );
    if cut {
        connection.cut();
    }
    for fault in &faults {
        if let Fault::Status { retry_after: Some(seconds), .. } = fault {
            response.headers_mut().insert("retry-after", HeaderValue::from(*seconds));
        }
    }
    let status = if cut { 0 } else { response.status().as_u16() };
    world.requests.add(method.as_str(), &path, status, &request_id);
    tracing::debug!(%method, path, status, request_id, "answered");
    response
}

/// The answer, or nothing where a fault wants the connection cut.
async fn serve(
    world: &Arc<World>,
    request: Request,
    faults: &[Fault],
    connection: &Connection,
) -> Option<Result<Answer, Refusal>> {
    for fault in faults {
        match fault {
            Fault::Latency { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Fault::CutBefore => {
                connection.cut();
                return None;
            }
            Fault::Status { status, .. } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                // The body is read, as a real service would, before the refusal is written.
                let _ = read_body(request.into_body(), UPLOAD_LIMIT).await;
                return Some(Err(Refusal::of_status(status, "a fault of the emulator")));
            }
            _ => {}
        }
    }
    let answer = match read(world, request).await {
        Ok(call) => route(world, &call, faults).await,
        Err(refusal) => Err(refusal),
    };
    if faults.contains(&Fault::CutAfter) { None } else { Some(answer) }
}

async fn read(world: &World, request: Request) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let limit = if content_type.starts_with("multipart/") { UPLOAD_LIMIT } else { BODY_LIMIT };
    let betas = headers::check(&parts.headers, &path, &world.keys);
    let body = read_body(body, limit).await;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    Ok(Call { method: parts.method, path, query, betas: betas?, content_type, body: body? })
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let (mut read, mut size) = (BytesMut::new(), 0usize);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Refusal::invalid("the body was cut off"))?;
        size = size.saturating_add(piece.len());
        if size > DRAIN_LIMIT {
            break;
        }
        if size <= limit {
            read.extend_from_slice(&piece);
        }
    }
    if size > limit { Err(Refusal::too_large(limit)) } else { Ok(read.freeze()) }
}

fn respond(answer: Result<Answer, Refusal>, request_id: &str) -> Response {
    let json = |status: StatusCode, value: &Value| {
        let content = [(CONTENT_TYPE, "application/json")];
        (status, content, value.to_string()).into_response()
    };
    let mut response = match answer {
        Ok(Answer::Json(value)) => json(StatusCode::OK, &value),
        Ok(Answer::Bytes { content_type, filename, bytes }) => {
            let mut response = Response::new(Body::from(bytes));
            let name = filename.replace(|c: char| c.is_control() || c == '"' || !c.is_ascii(), "_");
            for (header, value) in [
                (CONTENT_TYPE, content_type),
                (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            ] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(header, value);
                }
            }
            response
        }
        Ok(Answer::Stream(body)) => {
            let headers =
                [(CONTENT_TYPE, "text/event-stream"), (axum::http::header::CACHE_CONTROL, "no-cache")];
            (headers, body).into_response()
        }
        Err(refusal) => json(refusal.status, &refusal.envelope(request_id)),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("request-id", value);
    }
    if response.status() != StatusCode::UNAUTHORIZED {
        let headers = response.headers_mut();
        headers.insert("anthropic-organization-id", HeaderValue::from_static("org_emulator"));
        headers.insert("anthropic-workspace-id", HeaderValue::from_static("wrkspc_emulator"));
    }
    response
}
