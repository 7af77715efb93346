//! The event stream of a session: server-sent events, from now on and without replay.

use crate::emulator::call::Call;
use crate::emulator::faults::Fault;
use crate::emulator::fields::{field, list, text};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::Table;
use crate::emulator::world::World;
use axum::body::Body;
use bytes::Bytes;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// `GET /v1/sessions/{id}/events/stream` and `GET /v1/sessions/{id}/threads/{id}/stream`
///
/// The stream stays open when the session rests. It ends when the session is deleted or terminated, when the reader
/// falls 65 536 events behind, and when the emulator stops.
pub(crate) fn open(
    world: &Arc<World>,
    call: &Call,
    session: &str,
    faults: &[Fault],
) -> Result<Body, Refusal> {
    let deltas: Vec<String> = call.query.all("event_deltas").into_iter().map(str::to_owned).collect();
    let known = |kind: &String| kind == "agent.message" || kind == "agent.thinking";
    if deltas.len() > 100 || !deltas.iter().all(known) {
        return Err(Refusal::invalid("event_deltas: only agent.message and agent.thinking"));
    }
    let duplicate = faults.contains(&Fault::DuplicateEvents);
    let mut left = faults.iter().find_map(|fault| match fault {
        Fault::CutStream { after } => Some(*after),
        _ => None,
    });
    let mut events = {
        // Under the lock, so that no event falls between the look at the session and the first that is heard.
        let db = world.db();
        let row = db.get(Table::Sessions, session);
        let row = row.ok_or_else(|| Refusal::not_found(format!("no session `{session}`")))?;
        let events = world.hub.listen(session);
        if text(&row.public, "status") == "terminated" {
            world.hub.close(session);
        }
        events
    };
    let (stop, period) = (world.stop.clone(), world.keep_alive);
    let frames = async_stream::stream! {
        yield Ok(Bytes::from_static(b": connected\n\n"));
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        loop {
            if left == Some(0) {
                // What was yielded so far is written out while this waits; then the connection breaks.
                tokio::task::yield_now().await;
                yield Err(io::Error::from(io::ErrorKind::ConnectionReset));
                return;
            }
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => event,
                _ = beat.tick() => {
                    yield Ok(Bytes::from_static(b": keep-alive\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"));
                    continue;
                }
            };
            let Some(event) = event else { return };
            yield Ok(Bytes::from(frames_of(&event, &deltas)));
            if duplicate {
                yield Ok(Bytes::from(frames_of(&event, &deltas)));
            }
            left = left.map(|left| left.saturating_sub(1));
        }
    };
    Ok(Body::from_stream(frames))
}

/// The event as frames: the previews that were asked for, then the event itself.
fn frames_of(event: &Value, deltas: &[String]) -> String {
    let kind = text(event, "type");
    let mut frames = String::new();
    if deltas.iter().any(|wanted| wanted == kind) {
        let id = field(event, "id");
        frames += &frame(&json!({"type": "event_start", "event": {"type": kind, "id": id}}));
        for (index, block) in list(event, "content").iter().enumerate() {
            let said: Vec<char> = text(block, "text").chars().collect();
            for half in said.chunks(said.len().div_ceil(2).max(1)) {
                let content = json!({"type": "text", "text": half.iter().collect::<String>()});
                let delta = json!({"type": "content_delta", "index": index, "content": content});
                frames += &frame(&json!({"type": "event_delta", "event_id": id, "delta": delta}));
            }
        }
    }
    frames + &frame(event)
}

fn frame(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", text(event, "type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_names_its_event_and_previews_add_up_to_the_text() {
        let event =
            json!({"type": "agent.message", "id": "sevt_1", "content": [{"type": "text", "text": "Hello"}]});
        assert!(frames_of(&event, &[]).starts_with("event: agent.message\ndata: {"));
        let frames = frames_of(&event, &["agent.message".to_owned()]);
        let values = frames.lines().filter_map(|line| line.strip_prefix("data: "));
        let values: Vec<Value> = values.map(|data| serde_json::from_str(data).unwrap()).collect();
        let said: String =
            values.iter().filter_map(|value| value.pointer("/delta/content/text")?.as_str()).collect();
        assert_eq!((values[0]["type"].as_str(), said.as_str()), (Some("event_start"), "Hello"));
        assert_eq!(values.last(), Some(&event));
    }
}
