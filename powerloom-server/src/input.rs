//! What a request says, read strictly: every refusal is the one envelope and names the field.

mod body;
mod events;
mod headers;
mod json;
mod named;
mod path;
mod query;
mod room;

pub(crate) use body::{Body, BodyOr, LongBody, is_json, media_type, parse_aside, read_body};
pub(crate) use events::{last_event_id, wants_events};
pub(crate) use headers::{
    BREAK_GLASS, IDEMPOTENCY_KEY, IfMatch, IfMatchHeader, JUSTIFICATION, NotAgain, Terms, TermsHeaders,
    UNDER_PLAN,
};
pub(crate) use named::{Place, Whom};
pub(crate) use path::At;
pub(crate) use query::{Nothing, Params};
pub(crate) use room::{Held, Room};

/// Longest text of a parser that is passed on, in characters: it may quote what it was given.
const PASSED_ON: usize = 300;

/// What a parser says, cut short and with control characters escaped.
fn said(text: &impl ToString) -> String {
    let text = text.to_string();
    let mut said = String::new();
    for c in text.chars().take(PASSED_ON) {
        if c.is_control() { said.extend(c.escape_default()) } else { said.push(c) }
    }
    if text.chars().nth(PASSED_ON).is_some() {
        said.push('…');
    }
    said
}
