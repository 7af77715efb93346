//! What is kept of a chain where its writers cannot reach: its length, its head and its root, in the form of a C2SP
//! `tlog-checkpoint`.

use crate::audit::chain::AuditHead;
use crate::audit::merkle::TreeHead;
use crate::canonical_json::MAX_INTEGER;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use crate::invalid::Invalid;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::fmt;
use std::str::FromStr;

/// The state of one chain at one moment (sem. 2.9).
///
/// Its text, which a [`SignedNote`](crate::audit::note::SignedNote) carries, is
/// ```text
/// powerloom/audit/0198c0de-0000-7000-8000-000000000001
/// 42
/// yKQ…=
/// head 4a5be9b8…
/// at 2025-01-01T00:00:02.000000Z
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log this is: [`Checkpoint::origin_of`] an organization, or a name of the installation's own.
    pub origin: Origin,
    /// The newest entry it covers.
    pub head: AuditHead,
    /// The root of the tree over all entries up to it.
    pub root: Digest,
    /// When it was made.
    pub at: Timestamp,
}

/// The name of a log: 1 to 255 visible characters, no `+` and no space, so that it can also name a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new("origin", text, "1 to 255 visible characters, no space and no `+`"))
    }
}

impl From<OrgId> for Origin {
    fn from(org: OrgId) -> Self {
        Checkpoint::origin_of(org)
    }
}

impl Checkpoint {
    /// What the chain of an organization is called unless the installation says otherwise: `powerloom/audit/<id>`.
    #[must_use]
    pub fn origin_of(org: OrgId) -> Origin {
        Origin(format!("powerloom/audit/{org}"))
    }

    /// How many entries it covers: the place of its head.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.head.seq
    }

    /// The tree over these entries.
    #[must_use]
    pub const fn tree(&self) -> TreeHead {
        TreeHead { size: self.head.seq, root: self.root }
    }
}

/// Whether `text` may name a key or a log (C2SP `signed-note`).
pub(super) fn is_name(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    (1..=255).contains(&text.len()) && !text.chars().any(odd)
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(self.root.as_bytes());
        let AuditHead { seq, hash } = self.head;
        write!(f, "{}\n{seq}\n{root}\nhead {hash}\nat {}\n", self.origin, self.at)
    }
}

impl FromStr for Checkpoint {
    type Err = Invalid;

    /// Reads exactly what [`Display`](fmt::Display) writes. Further extension lines, which another log may add after ours,
    /// are refused: what they mean is not known here.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |field: &str| Invalid::hidden(field, "the text of a checkpoint");
        let body = text.strip_suffix('\n').ok_or_else(|| refused("end"))?;
        let [origin, size, root, head, at] =
            <[&str; 5]>::try_from(body.split('\n').collect::<Vec<_>>()).map_err(|_| refused("lines"))?;
        let seq = size.parse().ok().filter(|seq| *seq <= MAX_INTEGER).ok_or_else(|| refused("size"))?;
        let root = BASE64_STANDARD.decode(root).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let hash = head.strip_prefix("head ").ok_or_else(|| refused("head"))?.parse()?;
        let checkpoint = Self {
            origin: origin.parse()?,
            head: AuditHead { seq, hash },
            root: Digest::from_bytes(root.ok_or_else(|| refused("root"))?),
            at: at.strip_prefix("at ").ok_or_else(|| refused("at"))?.parse()?,
        };
        // `+7`, `007` and a time in another zone say the same in other bytes.
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(refused("form")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: Checkpoint::origin_of("00000000-0000-4000-8000-000000000001".parse().unwrap()),
            head: AuditHead { seq: 7, hash: Digest::of(b"head") },
            root: Digest::of(b"root"),
            at: "2025-01-01T00:00:02Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_from_its_text() {
        let text = checkpoint().to_string();
        assert!(text.starts_with("powerloom/audit/00000000-0000-4000-8000-000000000001\n7\n"), "{text}");
        assert_eq!(text.parse::<Checkpoint>().unwrap(), checkpoint());
    }

    #[test]
    fn another_writing_of_the_same_is_refused() {
        let text = checkpoint().to_string();
        for (from, to) in [
            ("\n7\n", "\n07\n"),
            ("\n7\n", "\n+7\n"),
            ("\n7\n", "\n-7\n"),
            ("\n7\n", "\n9007199254740992\n"),
            ("\nat ", "\nmore 1\nat "),
            ("\nhead ", "\nhead  "),
            (".000000Z\n", "Z\n"),
            (".000000Z\n", ".000000Z"),
            (".000000Z\n", ".000000Z\n\n"),
            ("=\n", "\n"),
            ("powerloom/", "power loom/"),
            ("powerloom/", "power+loom/"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            assert!(other.parse::<Checkpoint>().is_err(), "{other}");
        }
    }
}
