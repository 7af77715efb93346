//! What a request says, read strictly: every refusal is the one envelope and names the field.

mod body;
mod headers;
mod json;
mod path;
mod query;

pub(crate) use body::{Body, is_json, media_type, parse, read_body};
pub(crate) use headers::{
    BREAK_GLASS, IDEMPOTENCY_KEY, IfMatch, IfMatchHeader, JUSTIFICATION, NotAgain, Terms, TermsHeaders,
    UNDER_PLAN,
};
pub(crate) use path::At;
pub(crate) use query::Params;
