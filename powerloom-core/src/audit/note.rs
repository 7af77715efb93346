//! Signed notes (C2SP `signed-note`): a text, a blank line, and a line for each signature.

use crate::audit::checkpoint::is_name;
use crate::digest::Digest;
use crate::invalid::Invalid;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::fmt;
use std::str::FromStr;

/// Longest note that is read, in bytes.
pub const MAX_NOTE: usize = 64 * 1024;

/// Most signatures a note may bear.
pub const MAX_SIGNATURES: usize = 100;

/// The byte that names Ed25519 in a key and in the hash that identifies it.
const ED25519_KEY: u8 = 1;

/// A text and who says it signed it. Nothing in it is believed before [`verify`](crate::audit::trust::Trust::open).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line: `— <key name> <base64(key id ‖ signature)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who is said to have signed.
    pub name: String,
    /// The first four bytes of the hash of that key.
    pub key_id: [u8; 4],
    /// The signature over the text.
    pub signature: Vec<u8>,
}

impl SignedNote {
    /// A note of `text`, which ends with a line break, has no blank line at its end, and no control character but line
    /// breaks.
    ///
    /// # Errors
    /// Another text.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        let odd = text.chars().any(|c| c < '\u{20}' && c != '\n');
        if odd || !text.ends_with('\n') || text.len() > MAX_NOTE {
            return Err(Invalid::hidden(
                "note",
                "lines of text, each with its end, without control characters",
            ));
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// What is signed, with the line break at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures it bears, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature after the others.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.push(signature);
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for NoteSignature { name, key_id, signature } in &self.signatures {
            let bytes = [key_id.as_slice(), signature].concat();
            writeln!(f, "\u{2014} {name} {}", BASE64_STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl FromStr for SignedNote {
    type Err = Invalid;

    fn from_str(note: &str) -> Result<Self, Invalid> {
        let refused = |what: &'static str| Invalid::hidden("note", what);
        if note.len() > MAX_NOTE {
            return Err(refused("at most 64 KiB"));
        }
        // The text may have blank lines itself: the signatures begin after the last one.
        let (text, signatures) =
            note.rsplit_once("\n\n").ok_or_else(|| refused("a blank line before the signatures"))?;
        let mut out = Self::new(format!("{text}\n"))?;
        let lines = signatures.strip_suffix('\n').ok_or_else(|| refused("a line break at the end"))?;
        for line in lines.split('\n') {
            out.add(line.parse()?);
        }
        if out.signatures.len() > MAX_SIGNATURES {
            return Err(refused("at most 100 signatures"));
        }
        Ok(out)
    }
}

impl FromStr for NoteSignature {
    type Err = Invalid;
    fn from_str(line: &str) -> Result<Self, Invalid> {
        let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
        let read = parts.and_then(|(name, encoded)| {
            let bytes = BASE64_STANDARD.decode(encoded).ok()?;
            let (key_id, signature) = bytes.split_first_chunk::<4>()?;
            let signature = signature.to_vec();
            (is_name(name) && !signature.is_empty()).then(|| Self {
                name: name.to_owned(),
                key_id: *key_id,
                signature,
            })
        });
        read.ok_or_else(|| Invalid::hidden("note", "signature lines `— <name> <base64>`"))
    }
}

/// An Ed25519 key that verifies notes, in the form others exchange it: `<name>+<key id in hex>+<base64(1 ‖ key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    public: [u8; 32],
}

impl NoteKey {
    /// The key of that name.
    ///
    /// # Errors
    /// A name that is empty, longer than 255 bytes, or has a space or a `+`.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, Invalid> {
        if is_name(name) {
            return Ok(Self { name: name.to_owned(), public });
        }
        Err(Invalid::new("key", name, "a name of 1 to 255 visible characters, no space and no `+`"))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The four bytes that tell it from other keys of that name: `SHA-256(name ‖ "\n" ‖ 1 ‖ key)`, the beginning.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let hash = Digest::of_parts(&[self.name.as_bytes(), b"\n", &[ED25519_KEY], &self.public]);
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// Whether it made this signature over this text.
    #[must_use]
    pub fn verifies(&self, text: &str, signature: &NoteSignature) -> bool {
        self.is_named_by(signature)
            && UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(text.as_bytes(), &signature.signature)
                .is_ok()
    }

    /// Whether the signature says that it was made by this key.
    #[must_use]
    pub fn is_named_by(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.id()
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [[ED25519_KEY].as_slice(), &self.public].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64_STANDARD.encode(bytes))
    }
}

impl FromStr for NoteKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused =
            || Invalid::new("key", text, "an Ed25519 key in the form `<name>+<8 hex digits>+<base64>`");
        let (name, rest) = text.split_once('+').ok_or_else(refused)?;
        let (id, encoded) = rest.split_once('+').ok_or_else(refused)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| refused())?;
        let Some((&ED25519_KEY, public)) = bytes.split_first() else { return Err(refused()) };
        let key = Self::new(name, public.try_into().map_err(|_| refused())?)?;
        if id == hex::encode(key.id()) { Ok(key) } else { Err(refused()) }
    }
}
