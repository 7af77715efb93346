//! Watching a session to its end, or until somebody has seen enough.

use crate::api::events::Frame;
use crate::command::session_text;
use crate::failure::Exit;
use crate::output::{Format, Output, plain, yaml};
use crate::reference::field;
use crate::weave::Weave;

/// What is watched, and how it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch<'a> {
    /// The session.
    pub(crate) session: &'a str,
    /// Only what is behind this place.
    pub(crate) after: u64,
    /// Each frame as a line of JSON.
    pub(crate) json: bool,
}

/// A frame in the form that was asked for: a line of JSON, a document of YAML, its number, or what people read.
///
/// # Errors
/// None that is known: a frame can always be written.
pub(crate) fn form(frame: &Frame, out: Output, json: bool) -> anyhow::Result<String> {
    let value = serde_json::to_value(frame)?;
    Ok(match out.format {
        _ if json => format!("{}\n", plain::json(&value.to_string())),
        Format::Json => format!("{}\n", plain::json(&value.to_string())),
        Format::Yaml => format!("---\n{}", yaml::text(&value)),
        Format::Name => frame.number().map_or_else(String::new, |number| format!("{number}\n")),
        Format::Table | Format::Wide => session_text::frame(frame, out.ink),
    })
}

/// Shows a session from a place on, live, to its end.
///
/// # Errors
/// What the server refuses; a stream that cannot be had again.
pub(crate) async fn watch(weave: &Weave, what: Watch<'_>) -> anyhow::Result<Exit> {
    let Watch { session, after, json } = what;
    let out = weave.out;
    let mut follow = weave.api.follow(session, after);
    let cut = |what: &str| {
        // Nobody is helped if the session is given up because this could not be told.
        let _told = out.note(&out.err_ink.busy(what));
    };
    let ended = async {
        let mut exit = None;
        let shown = |frame: &Frame| {
            if frame.is_last() {
                exit =
                    frame.payload.get("status").and_then(serde_json::Value::as_str).map(session_text::exit);
            }
            Ok(out.text(&form(frame, out, json)?)?)
        };
        follow.each(shown, cut).await?;
        if let Some(exit) = exit {
            return anyhow::Ok(exit);
        }
        // The end was seen before, by an earlier reader.
        let record =
            weave.api.get(format!("/sessions/{}", crate::api::segment(session))).send().await?.json()?;
        Ok(session_text::exit(field(&record, "status")))
    };
    tokio::select! {
        biased;
        ended = ended => return ended,
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    let (session, after) = (plain::line(session), follow.after);
    out.note(&format!("\ndetached; the session goes on\n  watch it again: weave sessions watch {session} --after {after}\n  stop it:        weave sessions cancel {session}"))?;
    Ok(Exit::Interrupted)
}
