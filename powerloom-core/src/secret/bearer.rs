//! Bearer tokens for managed MCP servers.

use crate::entropy::Entropy;
use crate::secret::bytes::SecretBytes;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Mints a bearer: `mcp_` and 32 random bytes in base64url without padding, 47 characters in all (row P66).
///
/// Only its sealed form and its [`Fingerprint`](super::Fingerprint) are kept.
#[must_use]
pub fn mint_bearer(entropy: &dyn Entropy) -> SecretBytes {
    let mut random = Zeroizing::new([0u8; 32]);
    entropy.fill(&mut *random);
    // The room is taken before the token is written, so that no copy of it stays behind in memory.
    let mut token = Zeroizing::new(String::with_capacity(4 + 43));
    token.push_str("mcp_");
    URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut token);
    SecretBytes::from(std::mem::take(&mut *token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    /// Row P66.
    #[test]
    fn a_bearer_is_32_random_bytes_behind_its_prefix() {
        let entropy = SeededEntropy::new(3);
        let (one, two) = (mint_bearer(&entropy), mint_bearer(&entropy));
        let text = one.expose_str().unwrap();
        assert_eq!(text.len(), 47);
        assert_eq!(URL_SAFE_NO_PAD.decode(text.strip_prefix("mcp_").unwrap()).unwrap().len(), 32);
        assert_ne!(one.expose(), two.expose());
    }
}
