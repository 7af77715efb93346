//! One request as the rooms of the emulator see it, and what they answer.

use crate::emulator::headers::Betas;
use crate::emulator::query::Query;
use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use serde_json::Value;

/// A request whose headers were checked and whose body was read.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) betas: Betas,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

/// What a request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A JSON object, 200.
    Json(Value),
    /// A file, 200.
    Bytes {
        /// Its media type.
        content_type: String,
        /// The name offered to save it under.
        filename: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// An open event stream, 200.
    Stream(Body),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}
