//! What a request says, read strictly: every refusal is the one envelope and names the field.

mod body;
mod headers;
mod json;
mod path;
mod query;

pub(crate) use body::{Body, is_json, media_type, parse, read_body};
pub(crate) use headers::{IfMatch, IfMatchHeader, NotAgain, Terms, TermsHeaders};
pub(crate) use path::At;
pub(crate) use query::Params;
