//! The compact form of a signed token (RFC 7515, 7.1), taken apart strictly and believed in nothing.

use crate::canonical_json;
use crate::token::error::TokenError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token taken apart. Nothing of it is verified.
pub(crate) struct Compact<'t> {
    /// The members of the header.
    pub(crate) header: Map<String, Value>,
    /// The payload's bytes.
    pub(crate) payload: Vec<u8>,
    /// The signature's bytes.
    pub(crate) signature: Vec<u8>,
    /// What is signed: the text of the first two parts and the point between.
    pub(crate) signed: &'t [u8],
}

impl<'t> Compact<'t> {
    /// Takes `text` apart: at most `max_len` bytes, exactly three parts of canonical base64url without padding, a header
    /// that is one JSON object in which no key appears twice.
    pub(crate) fn parse(text: &'t str, max_len: usize) -> Result<Self, TokenError> {
        if text.len() > max_len {
            return Err(TokenError::TooLong);
        }
        let malformed = |part| TokenError::Malformed { part };
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed("form"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("form"))?;
        if payload.contains('.') {
            return Err(malformed("form"));
        }
        let decode = |part, text: &str| match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) if !bytes.is_empty() => Ok(bytes),
            _ => Err(malformed(part)),
        };
        Ok(Self {
            header: object(&decode("header", header)?).ok_or(malformed("header"))?,
            payload: decode("payload", payload)?,
            signature: decode("signature", signature)?,
            signed: signed.as_bytes(),
        })
    }
}

/// The members of a JSON object without duplicate keys.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match canonical_json::parse(bytes) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}
