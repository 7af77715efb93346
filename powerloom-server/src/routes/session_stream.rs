//! Tickets, and the WebSocket one of them opens (rows P75, P83–P85).

use crate::app::App;
use crate::authenticate::{By, bearer, identify};
use crate::failure::Failure;
use crate::input::{At, Params};
use crate::stream::frame::Frame;
use crate::stream::handshake::{check_key, check_origin};
use crate::stream::websocket::{Opening, upgrade};
use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::SessionId;
use powerloom_core::invalid::Invalid;
use powerloom_core::session::event::EventSeq;
use powerloom_core::session::ticket::Ticket;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

/// What a bearer opens.
pub(super) fn governed() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(ticket))
}

/// What a ticket opens: the one route whose credential is not a bearer.
pub(super) fn ticketed() -> OpenApiRouter<App> {
    // Over HTTP/2 a WebSocket begins with CONNECT (RFC 8441).
    OpenApiRouter::default().routes(routes!(stream)).route(PATH, on(MethodFilter::CONNECT, stream))
}

/// Where a session is streamed.
pub(crate) const PATH: &str = "/sessions/{id}/stream";

/// Opens a session's stream once.
#[derive(Debug, Serialize, ToSchema)]
struct StreamTicket {
    /// The ticket, `tk_…`: good once.
    ws_ticket: Ticket,
    /// Where the stream is, with the ticket: `/sessions/{id}/stream?ticket=…`.
    ws_url: String,
    /// When the ticket ends: after a minute.
    ws_ticket_expires_at: Timestamp,
}

/// Get a ticket for a session's stream. It needs `session:stream` where its agent is, and the caller must have started it or hold
/// `session:list_all` there.
#[utoipa::path(post, path = "/sessions/{id}/ticket", tag = "sessions", operation_id = "createStreamTicket",
    params(("id" = SessionId, Path, description = "The session.")),
    responses((status = 201, description = "A ticket, shown once.", body = StreamTicket)))]
async fn ticket(
    State(app): State<App>,
    By(caller): By,
    At(id): At<SessionId>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<StreamTicket>), Failure> {
    let (ticket, expires_at) = app.loom.stream_ticket(&caller, id).await?;
    let ws_url = ticket.url(id);
    let ticket = StreamTicket { ws_ticket: ticket, ws_url, ws_ticket_expires_at: expires_at };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(ticket)))
}

/// What opens the stream, and where it begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct From {
    /// The ticket; it counts before a bearer.
    #[param(ignore)]
    ticket: Option<String>,
    /// Begin behind this number: all from the beginning unless said otherwise.
    after: Option<EventSeq>,
}

/// Stream a session over a WebSocket: what happened, then what happens, to its end.
///
/// Each message is a frame `{"seq", "type", "payload"}`; the last is `powerloom.session_ended`, or, of a session that had settled
/// before, `powerloom.session_already_ended`. One client streams a session at a time. It is told why it is closed only after the
/// upgrade: 1000, the session has ended; 1001, the server stops; 1002, the client breaks the protocol; 1007, it sent a text that
/// is not UTF-8; 1008, the log does not reach to `after`; 1009, a message of more than 4 KiB; 1011, the store cannot be asked;
/// 4401, the ticket is not good, for whatever reason; 4403, who
/// opened it may no longer follow, which is asked again every ten seconds; 4408, the client was too slow, or did not answer a ping; 4409, another
/// client has the stream (the ticket stays good). Where it can go on, the reason says `after=<seq>`: get another ticket, anywhere.
///
/// A page of another site is refused before the upgrade, and its ticket stays good: an `Origin` must be the server's own host or
/// one of its `cors_origins`. Who is no browser sends none.
///
/// Where the server lets sessions be watched, a bearer with `session:stream` opens it too, instead of a ticket, for any number
/// at once; what is wrong with a bearer is said before the upgrade.
#[utoipa::path(get, path = "/sessions/{id}/stream", tag = "sessions", operation_id = "streamSession",
    params(("id" = SessionId, Path, description = "The session."), From), security(("ticket" = []), ("bearer" = [])),
    responses(
        (status = 101, description = "A WebSocket, whose messages are frames.", body = Frame<'static>),
        (status = 403, description = "A page of another site asks, or the bearer may not."),
        (status = 426, description = "This is no WebSocket handshake.")))]
async fn stream(
    State(app): State<App>,
    At(id): At<SessionId>,
    Params(from): Params<From>,
    uri: Uri,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let socket = socket.map_err(no_handshake)?;
    check_key(&headers)?;
    check_origin(&headers, &uri, &app.config.cors_origins)?;
    let after = from.after.unwrap_or(EventSeq::START);
    let opening = match from.ticket {
        // Without anything it is refused as with a wrong ticket.
        None if headers.contains_key(header::AUTHORIZATION) => {
            if !app.config.viewers {
                return Err(Failure::NoTicket);
            }
            let token = Zeroizing::new(bearer(&headers)?.to_owned());
            let caller = identify(&app, &token).await?;
            Opening::Viewer(Box::new(app.loom.follow(&caller, id, after).await?), token)
        }
        ticket => {
            // Only the store knows whether it is good.
            app.guesses.take()?;
            Opening::Ticket(ticket.unwrap_or_default())
        }
    };
    Ok(upgrade(app, socket, id, after, opening))
}

fn no_handshake(rejection: WebSocketUpgradeRejection) -> Failure {
    match rejection {
        WebSocketUpgradeRejection::WebSocketKeyHeaderMissing(_) => {
            Invalid::hidden("sec-websocket-key", "the key of a WebSocket handshake (RFC 6455, 4.1)").into()
        }
        _ => Failure::UpgradeRequired,
    }
}
