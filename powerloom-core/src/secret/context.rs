//! Where a secret belongs.

use crate::id::OrgId;
use crate::secret::key_id::KeyId;

/// Where a secret belongs: it opens there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// The organization.
    pub org: OrgId,
    /// The kind of the row: `Credential`.
    pub kind: &'a str,
    /// The id of the row.
    pub row: &'a str,
}

impl SealContext<'_> {
    /// What the secret authenticates.
    pub(super) fn secret_data(&self) -> Vec<u8> {
        self.data(b"powerloom/secret/v1\n", &[])
    }

    /// What the wrapped data key authenticates.
    pub(super) fn key_data(&self, key_id: &KeyId, commitment: &[u8; 32]) -> Vec<u8> {
        self.data(b"powerloom/data-key/v1\n", &[key_id.as_str().as_bytes(), commitment])
    }

    /// Each part with its length before it, so that no two lists of parts have the same bytes.
    fn data(&self, tag: &[u8], more: &[&[u8]]) -> Vec<u8> {
        let org = self.org.as_uuid();
        let mut out = Vec::with_capacity(192);
        out.extend_from_slice(tag);
        let parts = [org.as_bytes().as_slice(), self.kind.as_bytes(), self.row.as_bytes()];
        for part in parts.iter().chain(more) {
            out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_letter_from_one_part_to_the_next_changes_the_data() {
        let org = OrgId::from_uuid(uuid::Uuid::nil());
        let one = SealContext { org, kind: "ab", row: "c" };
        let two = SealContext { org, kind: "a", row: "bc" };
        assert_ne!(one.secret_data(), two.secret_data());
        assert_ne!(one.secret_data(), one.key_data(&"k".parse().unwrap(), &[0; 32]));
    }
}
