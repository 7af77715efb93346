//! The hashed row as it stands in its bytes: read without an allocation, and refused unless it is canonical.

use crate::canonical_json::{MAX_INTEGER, string};
use crate::digest::Digest;
use crate::id::OrgId;

/// What a verifier needs of a row. That it could be read at all means that the bytes are exactly those
/// [`AuditRow::to_canonical`](super::AuditRow::to_canonical) writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowView {
    pub(super) seq: u64,
    pub(super) org_id: OrgId,
    pub(super) v: u32,
    pub(super) change_hash: Digest,
}

impl RowView {
    /// Reads canonical row bytes of any version; `None` if they are not canonical.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?;
        Self::read_first(bytes).filter(|(_, rest)| rest.is_empty()).map(|(row, _)| row)
    }

    /// The same for a row at the beginning of what is known to be UTF-8; also what follows it.
    pub(super) fn read_first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let rest = text(bytes.strip_prefix(b"{\"actor\":")?)?;
        let rest = text_or_null(rest.strip_prefix(b",\"approval_request_id\":")?)?;
        let (change_hash, rest) = rest.strip_prefix(b",\"change_hash\":\"")?.split_at_checked(64)?;
        let rest = rest.strip_prefix(b"\",\"decision\":")?;
        let rest = rest.strip_prefix(b"\"allow\"").or_else(|| rest.strip_prefix(b"\"deny\""))?;
        let rest = text_or_null(rest.strip_prefix(b",\"delegated_from_session\":")?)?;
        let (org, rest) = rest.strip_prefix(b",\"org_id\":\"")?.split_at_checked(36)?;
        let rest = text(rest.strip_prefix(b"\",\"resource_id\":")?)?;
        let rest = text(rest.strip_prefix(b",\"resource_kind\":")?)?;
        let (seq, rest) = integer(rest.strip_prefix(b",\"seq\":")?)?;
        let (ts, rest) = rest.strip_prefix(b",\"ts\":\"")?.split_at_checked(27)?;
        let (v, rest) = integer(rest.strip_prefix(b"\",\"v\":")?)?;
        let rest = text(rest.strip_prefix(b",\"verb\":")?)?;
        let rest = rest.strip_prefix(b"}")?;
        // An id in capitals is the same id in other bytes.
        if !is_moment(ts) || org.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let row = Self {
            seq,
            org_id: std::str::from_utf8(org).ok()?.parse().ok()?,
            v: u32::try_from(v).ok()?,
            change_hash: digest(change_hash)?,
        };
        Some((row, rest))
    }
}

/// What follows the string at the beginning.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    string(bytes).map(|(_, rest)| rest)
}

fn text_or_null(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"null").or_else(|| text(bytes))
}

/// An integer in its one form, and what follows it.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at_checked(end)?;
    let odd = digits.is_empty() || digits.len() > 16 || (digits.len() > 1 && digits.starts_with(b"0"));
    let value = digits.iter().fold(0, |value: u64, digit| value * 10 + u64::from(digit - b'0'));
    (!odd && value <= MAX_INTEGER).then_some((value, rest))
}

/// 64 lower-case hexadecimal digits.
pub(super) fn digest(hex: &[u8]) -> Option<Digest> {
    let (mut bytes, mut odd) = ([0; 32], 0);
    for (byte, pair) in bytes.iter_mut().zip(hex.as_chunks::<2>().0) {
        let [high, low] = pair.map(nibble);
        *byte = high << 4 | low & 0xf;
        odd |= high | low;
    }
    (hex.len() == 64 && odd & ODD == 0).then(|| Digest::from_bytes(bytes))
}

/// What is no lower-case hexadecimal digit.
const ODD: u8 = 0x80;

/// Written so that no branch is taken: the digits of a hash cannot be foretold.
fn nibble(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    let if_letter = if letter < 6 { letter + 10 } else { ODD };
    if number < 10 { number } else { if_letter }
}

/// `2025-01-01T00:00:01.000000Z`, of a day that exists, in the years a row can hold.
fn is_moment(ts: &[u8]) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = ts.len() == shape.len()
        && ts.iter().zip(shape).all(|(byte, place)| match place {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        });
    let field = |from: usize, length: usize| {
        let digits = ts.iter().skip(from).take(length);
        digits.fold(0, |value: u32, digit| value * 10 + u32::from(digit.wrapping_sub(b'0')))
    };
    let (year, month, day) = (field(0, 4), field(5, 2), field(8, 2));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // The calendar library ends a little before the year does.
    let last =
        (year, month, day) < (9999, 12, 30) || ((year, month, day) == (9999, 12, 30) && field(11, 2) < 22);
    fits && last
        && year >= 1970
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && field(11, 2) < 24
        && field(14, 2) < 60
        && field(17, 2) < 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::row::tests::any_row;
    use crate::audit::{AUDIT_VERSION, AuditRow};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(row in any_row()) {
            let view = RowView::read(&row.to_canonical()).unwrap();
            prop_assert_eq!((view.seq, view.org_id, view.v, view.change_hash), (row.seq, row.org_id, row.v, row.change_hash));
        }

        /// What is read from bytes is what the slower reader, which writes the row anew, makes of them.
        #[test]
        fn other_bytes_are_read_as_canonical_only_if_they_are(
            row in any_row(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), prop::sample::select(b"\"\\0192,:{}nulbtf".to_vec())],
            how in 0..3u8,
        ) {
            let mut bytes = row.to_canonical();
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
            // A place beyond 2^53 − 1 is none a row is ever sealed at.
            let slow = AuditRow::from_canonical(&bytes).ok().filter(|row| row.seq <= MAX_INTEGER);
            let quick = RowView::read(&bytes).filter(|view| view.v == AUDIT_VERSION);
            prop_assert_eq!(quick.map(|view| (view.seq, view.change_hash)), slow.map(|row| (row.seq, row.change_hash)));
        }
    }
}
