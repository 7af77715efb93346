//! What a request says, read strictly: every refusal is the one envelope and names the field.

mod body;
mod headers;
mod path;
mod query;

pub(crate) use body::{Body, read_body};
pub(crate) use headers::{IfMatch, NotAgain, Terms};
pub(crate) use path::At;
pub(crate) use query::Params;
