//! The one byte form of a JSON value that is hashed: RFC 8785 (JCS), with everything refused that the form would
//! change in silence.
//!
//! RFC 8785 knows only IEEE doubles, so a plain writer turns `9007199254740993` into `9007199254740992`: two
//! inputs, one hash. Here such an integer is refused, as are NaN and the infinities, duplicate keys, lone
//! surrogates and nesting deeper than [`MAX_DEPTH`]. Unicode is not normalized: NFC and NFD stay distinct.
//!
//! This is not a general serializer: what is not hashed needs none of it.

mod check;
mod finite;
mod parser;
mod writer;

#[cfg(test)]
mod vectors;

pub use check::is_canonical;
pub use parser::parse;
pub use writer::{MAX_DEPTH, MAX_INTEGER, to_vec, to_vec_strict, write};

pub(crate) use check::{after_value, string};
pub(crate) use writer::{Sink, write_integer, write_text};
