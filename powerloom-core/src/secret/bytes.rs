//! Bytes that must not be seen.

use std::fmt;
use zeroize::Zeroizing;

/// A secret in the clear: overwritten when dropped, shown by nothing.
///
/// It has no `Display` and no `Serialize`, its `Debug` says only that it is there, and it cannot be compared with
/// `==`. The one way to the bytes is [`expose`](Self::expose), which is easy to search for.
///
/// ```
/// use powerloom_core::secret::SecretBytes;
/// let secret = SecretBytes::from("hush".to_owned());
/// assert_eq!(format!("{secret:?}"), "SecretBytes(redacted)");
/// assert_eq!(secret.expose(), b"hush");
/// ```
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes. They must not be copied to where nothing overwrites them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text; `None` where they are not UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretBytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}
