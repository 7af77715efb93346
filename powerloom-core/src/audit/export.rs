//! A part of a chain as JSON lines, for whoever keeps or verifies it elsewhere: the writer's lines, and their strict reader.
//!
//! [The audit module](super) has the form. Nothing here reads a store or a clock.

use crate::audit::chain::AuditHead;
use crate::audit::entry::{AuditEntry, SALT_LEN};
use crate::audit::row_view::{RowView, digest};
use crate::audit::verify::Link;
use crate::canonical_json::{self, after_value, is_canonical};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read as _};

/// The name of the form, in the header.
pub const EXPORT_FORMAT: &str = "powerloom/audit-export";

/// The version of the form this crate writes.
pub const EXPORT_VERSION: u32 = 1;

/// Longest line that is read, in bytes, with its end.
pub const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The first line: what the others are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuditExportHeader))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a published version")]
pub struct ExportHeader {
    /// The newest checkpoint known when it was written, as a signed note.
    #[cfg_attr(feature = "schema", schema(required))]
    pub checkpoint: Option<String>,
    /// When it was written.
    pub exported_at: Timestamp,
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// The place of the first entry.
    pub from: u64,
    /// The newest entry of the chain when it was written, in this export or beyond it.
    pub head: AuditHead,
    /// Whose chain it is.
    pub org_id: OrgId,
    /// What that organization is called.
    pub slug: String,
    /// The place of the last entry; one below `from` where there are none.
    pub to: u64,
    /// [`EXPORT_VERSION`].
    pub v: u32,
}

impl ExportHeader {
    /// The line, with its end.
    ///
    /// # Errors
    /// A place beyond 2^53 − 1.
    pub fn to_line(&self) -> Result<Vec<u8>, Invalid> {
        let mut line = canonical_json::to_vec_strict(self)?;
        line.push(b'\n');
        Ok(line)
    }

    fn read(line: &[u8]) -> Result<Self, LineFault> {
        let header: Self = serde_json::from_slice(line).map_err(|_| LineFault::Header)?;
        if header.format != EXPORT_FORMAT || header.v != EXPORT_VERSION {
            return Err(LineFault::Version { format: header.format, version: header.v });
        }
        let places = header.from >= 1 && header.to >= header.from - 1 && header.to <= header.head.seq;
        let canonical = canonical_json::to_vec_strict(&header).is_ok_and(|bytes| bytes == line);
        if places && canonical { Ok(header) } else { Err(LineFault::Header) }
    }
}

/// Appends the line of an entry: the bytes that were hashed, as they are kept.
///
/// # Errors
/// Kept bytes that would not be one line of the form; then what is kept was changed, and nothing was appended.
pub fn write_entry(entry: &AuditEntry, out: &mut Vec<u8>) -> Result<(), Invalid> {
    let payload = entry.payload.as_deref();
    if RowView::read(&entry.row_bytes).is_none() || !payload.is_none_or(is_payload) {
        return Err(Invalid::hidden("audit", "kept bytes in canonical form"));
    }
    out.extend_from_slice(b"{\"change\":");
    out.extend_from_slice(payload.unwrap_or(b"null"));
    out.extend_from_slice(b",\"hash\":\"");
    out.extend_from_slice(&entry.hash.to_hex());
    out.extend_from_slice(b"\",\"prev_hash\":\"");
    out.extend_from_slice(&entry.prev_hash.to_hex());
    out.extend_from_slice(b"\",\"row\":");
    out.extend_from_slice(&entry.row_bytes);
    match &entry.salt {
        Some(salt) => {
            out.extend_from_slice(b",\"salt\":\"");
            out.extend_from_slice(hex::encode(salt).as_bytes());
            out.extend_from_slice(b"\"}\n");
        }
        None => out.extend_from_slice(b",\"salt\":null}\n"),
    }
    Ok(())
}

/// Whether bytes can be a change: a canonical object.
fn is_payload(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{") && is_canonical(bytes)
}

/// What is wrong with a line, before anything is hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// There is no header.
    #[error("the export is empty")]
    Empty,
    /// It is longer than [`MAX_LINE`].
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// It does not end: the export was cut off inside it.
    #[error("the line has no end")]
    Unfinished,
    /// The first line is no header in canonical form, or its places contradict each other.
    #[error("this is no header of an audit export")]
    Header,
    /// It is another form, or another version of this one.
    #[error("the form `{format}` version {version} is not known here")]
    Version {
        /// Its form.
        format: String,
        /// Its version.
        version: u32,
    },
    /// It does not have exactly the members of an entry, once and in their order.
    #[error("the line is not written as an entry is")]
    Form,
    /// Its row is not the canonical form of one.
    #[error("the row is not in its canonical form")]
    Row,
    /// Its change is not in canonical form.
    #[error("the change is not in its canonical form")]
    Change,
}

/// An export that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A line is not what it should be.
    #[error("line {line}: {fault}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It cannot be read any further.
    #[error("the export cannot be read")]
    Io(#[from] io::Error),
}

/// One entry as it stands in a line: its parts are the bytes that were hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryLine<'a> {
    row: RowView,
    row_bytes: &'a [u8],
    prev_hash: Digest,
    hash: Digest,
    payload: Option<&'a [u8]>,
    salt: Option<[u8; SALT_LEN]>,
}

impl<'a> EntryLine<'a> {
    /// Reads a line without its end, in one pass: nothing may stand between the parts.
    fn read(line: &'a [u8]) -> Result<Self, LineFault> {
        let form = || LineFault::Form;
        // After this every part that ends at a quote or brace is text of its own.
        std::str::from_utf8(line).map_err(|_| form())?;
        let rest = line.strip_prefix(b"{\"change\":").ok_or_else(form)?;
        let (payload, rest) = match rest.strip_prefix(b"null") {
            Some(rest) => (None, rest),
            None => {
                let after = rest.starts_with(b"{").then(|| after_value(rest)).flatten();
                let length = after.map(|after| rest.len() - after.len());
                let (payload, rest) =
                    length.and_then(|length| rest.split_at_checked(length)).ok_or(LineFault::Change)?;
                (Some(payload), rest)
            }
        };
        let (hash, rest) = split_digest(rest, b",\"hash\":\"").ok_or_else(form)?;
        let (prev_hash, rest) = split_digest(rest, b",\"prev_hash\":\"").ok_or_else(form)?;
        let rest = rest.strip_prefix(b",\"row\":").ok_or_else(form)?;
        let (row, after) = RowView::read_first(rest).ok_or(LineFault::Row)?;
        let (row_bytes, rest) = rest.split_at_checked(rest.len() - after.len()).ok_or_else(form)?;
        let salt = match rest.strip_prefix(b",\"salt\":").ok_or_else(form)? {
            b"null}" => None,
            quoted => {
                let hex = quoted.strip_prefix(b"\"").and_then(|hex| hex.strip_suffix(b"\"}"));
                Some(hex.and_then(|hex| salt(hex.try_into().ok()?)).ok_or_else(form)?)
            }
        };
        if payload.is_none() && salt.is_some() {
            return Err(LineFault::Change);
        }
        Ok(Self { row, row_bytes, prev_hash, hash, payload, salt })
    }

    pub(super) fn link(&self) -> Link<'_> {
        Link {
            seq: self.row.seq,
            org_id: self.row.org_id,
            v: self.row.v,
            change_hash: self.row.change_hash,
            prev_hash: self.prev_hash,
            hash: self.hash,
            row_bytes: self.row_bytes,
            payload: self.payload,
            salt: self.salt.as_ref(),
        }
    }
}

/// The digest in quotes after `key`, and what follows it.
fn split_digest<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(Digest, &'a [u8])> {
    let (hex, rest) = bytes.strip_prefix(key)?.split_first_chunk::<64>()?;
    Some((digest(hex)?, rest.strip_prefix(b"\"")?))
}

fn salt(hex: &[u8; 32]) -> Option<[u8; SALT_LEN]> {
    let mut salt = [0; SALT_LEN];
    let small = !hex.iter().any(u8::is_ascii_uppercase);
    (small && hex::decode_to_slice(hex, &mut salt).is_ok()).then_some(salt)
}

/// Reads an export line by line, holding one line at a time, and refuses whatever is not written as an export is: white
/// space, a member more, fewer, twice or elsewhere, a row or change in another than its canonical form, a line without
/// end.
#[derive(Debug)]
pub struct ExportReader<R> {
    input: R,
    header: ExportHeader,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn new(input: R) -> Result<Self, ExportError> {
        let header = ExportHeader {
            checkpoint: None,
            exported_at: Timestamp::default(),
            format: String::new(),
            from: 1,
            head: AuditHead::GENESIS,
            org_id: OrgId::from_uuid(uuid::Uuid::nil()),
            slug: String::new(),
            to: 0,
            v: 0,
        };
        let mut reader = Self { input, header, line: Vec::new(), number: 0 };
        if !reader.advance()? {
            return Err(ExportError::Line { line: 1, fault: LineFault::Empty });
        }
        reader.header =
            ExportHeader::read(&reader.line).map_err(|fault| ExportError::Line { line: 1, fault })?;
        Ok(reader)
    }

    /// The first line.
    pub const fn header(&self) -> &ExportHeader {
        &self.header
    }

    /// The next entry, as the store that wrote the export has it; `None` at the end. Its hashes are not verified.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn entry(&mut self) -> Result<Option<AuditEntry>, ExportError> {
        let number = self.number + 1;
        let Some(line) = self.next()? else { return Ok(None) };
        let row = crate::audit::AuditRow::from_canonical(line.row_bytes)
            .map_err(|_| ExportError::Line { line: number, fault: LineFault::Row })?;
        Ok(Some(AuditEntry {
            row,
            prev_hash: line.prev_hash,
            hash: line.hash,
            row_bytes: line.row_bytes.to_vec(),
            payload: line.payload.map(<[u8]>::to_vec),
            salt: line.salt,
        }))
    }

    pub(super) fn next(&mut self) -> Result<Option<EntryLine<'_>>, ExportError> {
        if !self.advance()? {
            return Ok(None);
        }
        let number = self.number;
        EntryLine::read(&self.line).map(Some).map_err(|fault| ExportError::Line { line: number, fault })
    }

    /// Reads a line without its end; `false` if there is none.
    fn advance(&mut self) -> Result<bool, ExportError> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        let fault = match self.line.pop() {
            None => return Ok(false),
            Some(b'\n') => return Ok(true),
            Some(_) if read as u64 == MAX_LINE => LineFault::TooLong,
            Some(_) => LineFault::Unfinished,
        };
        Err(ExportError::Line { line: self.number, fault })
    }
}
