//! Reading answers that may hold less than promised: `null` reads as the empty value.

use serde::{Deserialize, Deserializer};

/// `null` reads as the default; use with `#[serde(default)]`, so that an absent field does too.
pub(crate) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
