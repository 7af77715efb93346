//! SHA-256 digests, and the hashes of this system that outsiders compute again.
//!
//! Each hash has a prefix of its own, so that the bytes of one can never be passed off as those of another.

use crate::canonical_json;
use crate::invalid::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest: 32 bytes inside, 64 lower-case hexadecimal digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// 32 zero bytes: what stands before the first entry of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes the pieces as if they were one.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Hashes the canonical JSON of `value` and nothing else: the fingerprint of a request.
    ///
    /// # Errors
    /// Those of [`canonical_json::to_vec`].
    pub fn of_json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Invalid> {
        Ok(Self::of(&canonical_json::to_vec(value)?))
    }

    /// Wraps 32 bytes that are known to be a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits, without an allocation.
    #[must_use]
    pub fn to_hex(self) -> [u8; 64] {
        // Without branches, so that the compiler may do many digits at once.
        let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'0' - 10);
        let mut out = [0; 64];
        for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        out
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; 32];
        if hex::decode_to_slice(text, &mut bytes).is_err() || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Invalid::new("digest", text, "64 lower-case hexadecimal digits"));
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The hash of what the reconciler wants a runtime to hold:
/// `SHA-256("powerloom/desired/v1\n" ‖ kind ‖ "\n" ‖ JCS(payload))`.
///
/// Lists whose order means nothing must already be sorted by name.
///
/// # Errors
/// A kind with a control character, and those of [`canonical_json::to_vec`].
pub fn desired_hash<T: Serialize + ?Sized>(kind: &str, payload: &T) -> Result<Digest, Invalid> {
    if kind.chars().any(char::is_control) {
        return Err(Invalid::new("kind", kind, "a name without control characters"));
    }
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(b"powerloom/desired/v1\n");
    bytes.extend_from_slice(kind.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&canonical_json::to_vec(payload)?);
    Ok(Digest::of(&bytes))
}

/// What an approval is asked for: exactly this is shown to the approver and pinned by [`approval_hash`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ApprovalSubject<'a> {
    /// What would be done: `create`, `update`, …
    pub action: &'a str,
    /// The kind of the target.
    pub resource_kind: &'a str,
    /// The target; `None` where it does not exist yet.
    pub resource_id: Option<&'a str>,
    /// The path of the OU the request is judged in.
    pub scope_ou: &'a str,
    /// The change itself.
    pub payload: &'a Value,
    /// The version of the target the change was made for; absent from the hashed object where `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_version: Option<u64>,
}

/// The hash a vote carries: `SHA-256("powerloom/approval/v1\n" ‖ JCS(subject))`.
///
/// # Errors
/// Those of [`canonical_json::to_vec`].
pub fn approval_hash(subject: &ApprovalSubject<'_>) -> Result<Digest, Invalid> {
    Ok(Digest::of_parts(&[b"powerloom/approval/v1\n", &canonical_json::to_vec(subject)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_desired_hash_has_its_published_value() {
        let payload =
            json!({"system": "x", "skills": [], "name": "code-reviewer", "model": "claude-sonnet-4-6"});
        let hash = desired_hash("Agent", &payload).unwrap();
        assert_eq!(hash.to_string(), "f088c2b67a6d8288f589195998549c44b44297b9c534d321bfced85d7c2daab5");
        assert_ne!(desired_hash("Skill", &payload).unwrap(), hash);
        assert!(desired_hash("Agent\n", &payload).is_err());
    }

    #[test]
    fn the_approval_hash_has_its_published_value() {
        let payload = json!({"name": "x"});
        let mut subject = ApprovalSubject {
            action: "create",
            resource_kind: "Agent",
            resource_id: None,
            scope_ou: "/acme/production",
            payload: &payload,
            base_version: None,
        };
        let hash = approval_hash(&subject).unwrap();
        assert_eq!(hash.to_string(), "70e58716ffbb4279b37129c936c37a39dfdd21a70623baa71e4745eedc9eb53c");
        subject.base_version = Some(3);
        assert_ne!(approval_hash(&subject).unwrap(), hash, "a vote is for one version of the target");
    }

    #[test]
    fn a_digest_reads_back_from_its_own_text_only() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert_eq!(serde_json::from_value::<Digest>(json!(text)).unwrap(), digest);
        assert_eq!(Digest::of_parts(&[b"a", b"", b"bc"]), digest);
        assert!(text.to_uppercase().parse::<Digest>().is_err());
        assert!("ba78".parse::<Digest>().is_err());
    }
}
