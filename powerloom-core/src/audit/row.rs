//! The hashed row: its fields, its canonical bytes, and the comparison of the two.

use crate::audit::draft::AuditDecision;
use crate::canonical_json::{self, Sink, write_integer, write_text};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::OrgId;
use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};

/// The version of the row this crate writes.
pub const AUDIT_VERSION: u32 = 1;

/// The moments a row can hold, in microseconds since 1970; the end is that of the calendar library.
const HASHED_TIMES: std::ops::Range<i64> = 0..253_402_207_200_000_000;

/// The fields that are hashed; what a backend indexes and filters by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// The version of the row's form: [`AUDIT_VERSION`].
    pub v: u32,
    /// The place in the chain, from 1, without gaps.
    pub seq: u64,
    /// The organization whose chain this is.
    pub org_id: OrgId,
    /// When the door decided.
    pub ts: Timestamp,
    /// Who is answerable.
    pub actor: String,
    /// What was done.
    pub verb: String,
    /// The kind of what it was done to.
    pub resource_kind: String,
    /// The id of what it was done to.
    pub resource_id: String,
    /// Whether it was done or refused.
    pub decision: AuditDecision,
    /// The session whose token was used.
    #[cfg_attr(feature = "schema", schema(required))]
    pub delegated_from_session: Option<String>,
    /// The approval under which it was done.
    #[cfg_attr(feature = "schema", schema(required))]
    pub approval_request_id: Option<String>,
    /// Commits to the payload.
    pub change_hash: Digest,
}

impl AuditRow {
    /// Reads stored row bytes, for a backend that keeps no column beside them.
    ///
    /// # Errors
    /// Anything but the canonical bytes of a row of this version.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, Invalid> {
        let refused = || Invalid::hidden("row", "the canonical bytes of an audit row, version 1");
        let row: Self = serde_json::from_slice(bytes).map_err(|_| refused())?;
        if row.v == AUDIT_VERSION && row.is_written_as(bytes) { Ok(row) } else { Err(refused()) }
    }

    /// The bytes that are hashed and kept: RFC 8785, keys in their order, nothing allocated but the result.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        // What is the same in every row takes 310 bytes; quotes of optional ids and long numbers a few more.
        let texts = [&self.actor, &self.verb, &self.resource_kind, &self.resource_id];
        let ids = [&self.delegated_from_session, &self.approval_request_id];
        let length = texts.iter().map(|text| text.len()).sum::<usize>()
            + ids.iter().map(|id| id.as_ref().map_or(0, String::len)).sum::<usize>();
        let mut out = Vec::with_capacity(length + 330);
        self.write(&mut out);
        out
    }

    /// Whether `bytes` are exactly [`to_canonical`](Self::to_canonical), found without writing them.
    #[must_use]
    pub fn is_written_as(&self, bytes: &[u8]) -> bool {
        let mut comparison = Comparison { rest: bytes, same: true };
        self.write(&mut comparison);
        comparison.same && comparison.rest.is_empty()
    }

    /// Few pieces, each as long as can be: the time goes by their number.
    fn write(&self, out: &mut impl Sink) {
        out.put(b"{\"actor\":\"");
        write_text(&self.actor, out);
        match &self.approval_request_id {
            Some(id) => {
                out.put(b"\",\"approval_request_id\":\"");
                write_text(id, out);
                out.put(b"\",\"change_hash\":\"");
            }
            None => out.put(b"\",\"approval_request_id\":null,\"change_hash\":\""),
        }
        out.put(&self.change_hash.to_hex());
        out.put(match self.decision {
            AuditDecision::Allow => b"\",\"decision\":\"allow\",\"delegated_from_session\":",
            AuditDecision::Deny => b"\",\"decision\":\"deny\",\"delegated_from_session\":".as_slice(),
        });
        match &self.delegated_from_session {
            Some(id) => {
                out.put(b"\"");
                write_text(id, out);
                out.put(b"\",\"org_id\":\"");
            }
            None => out.put(b"null,\"org_id\":\""),
        }
        out.put(self.org_id.as_uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
        out.put(b"\",\"resource_id\":\"");
        write_text(&self.resource_id, out);
        out.put(b"\",\"resource_kind\":\"");
        write_text(&self.resource_kind, out);
        out.put(b"\",\"seq\":");
        write_integer(self.seq, out);
        out.put(b",\"ts\":\"");
        write_timestamp(self.ts, out);
        out.put(b"\",\"v\":");
        write_integer(u64::from(self.v), out);
        out.put(b",\"verb\":\"");
        write_text(&self.verb, out);
        out.put(b"\"}");
    }

    /// Refuses a place that JSON readers would round, and a moment without an RFC 3339 form of four year digits.
    pub(super) fn check(seq: u64, ts: Timestamp) -> Result<(), Invalid> {
        if seq > canonical_json::MAX_INTEGER {
            return Err(Invalid::new("seq", seq, "at most 2^53 − 1"));
        }
        if !HASHED_TIMES.contains(&ts.as_micros()) {
            return Err(Invalid::new("ts", ts, "a moment in the years 1970 to 9999"));
        }
        Ok(())
    }
}

/// Compares what is written with what is kept.
struct Comparison<'a> {
    rest: &'a [u8],
    same: bool,
}

impl Sink for Comparison<'_> {
    #[inline(always)]
    fn put(&mut self, piece: &[u8]) {
        match self.rest.strip_prefix(piece) {
            Some(rest) => self.rest = rest,
            None => self.same = false,
        }
    }
}

/// Writes what [`Timestamp`]'s `Display` writes, several times faster for [`HASHED_TIMES`].
fn write_timestamp(ts: Timestamp, out: &mut impl Sink) {
    const DAY: u64 = 86_400_000_000;
    let micros = match u64::try_from(ts.as_micros()) {
        Ok(micros) if HASHED_TIMES.contains(&ts.as_micros()) => micros,
        _ => return out.put(ts.to_string().as_bytes()),
    };
    // All of it fits 32 bits, whose divisions are the cheaper ones.
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let days = narrow(micros / DAY);
    let (seconds, fraction) = (narrow(micros % DAY / 1_000_000), narrow(micros % 1_000_000));
    // Howard Hinnant's `civil_from_days`: eras of 400 years that begin on 1 March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2);

    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let (year_digits, rest) = text.split_at_mut(5);
    let (month_digits, rest) = rest.split_at_mut(3);
    let (day_digits, rest) = rest.split_at_mut(3);
    let (hour_digits, rest) = rest.split_at_mut(3);
    let (minute_digits, rest) = rest.split_at_mut(3);
    let (second_digits, fraction_digits) = rest.split_at_mut(3);
    for (field, value) in [
        (year_digits, year),
        (month_digits, month),
        (day_digits, day),
        (hour_digits, seconds / 3600),
        (minute_digits, seconds / 60 % 60),
        (second_digits, seconds % 60),
        (fraction_digits, fraction),
    ] {
        let mut rest = value;
        // The last byte of each field is the mark that follows its digits.
        for digit in field.iter_mut().rev().skip(1) {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
    }
    out.put(&text);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::audit) fn any_row() -> impl Strategy<Value = AuditRow> {
        let texts = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
        let optional = (any::<Option<String>>(), any::<Option<String>>());
        (
            texts,
            optional,
            0..=canonical_json::MAX_INTEGER,
            any::<u128>(),
            0..253_402_300_800_000_000_i64,
            any::<bool>(),
        )
            .prop_map(
                |((actor, verb, resource_kind, resource_id), (session, approval), seq, org, ts, allow)| {
                    AuditRow {
                        v: AUDIT_VERSION,
                        seq,
                        org_id: OrgId::from_uuid(uuid::Uuid::from_u128(org)),
                        ts: Timestamp::from_micros(ts),
                        actor,
                        verb,
                        resource_kind,
                        resource_id,
                        decision: if allow { AuditDecision::Allow } else { AuditDecision::Deny },
                        delegated_from_session: session,
                        approval_request_id: approval,
                        change_hash: Digest::of(&seq.to_be_bytes()),
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn the_hand_written_row_is_its_canonical_json(row in any_row()) {
            let bytes = row.to_canonical();
            prop_assert_eq!(&bytes, &canonical_json::to_vec_strict(&row).unwrap());
            prop_assert!(row.is_written_as(&bytes));
            prop_assert_eq!(AuditRow::from_canonical(&bytes).unwrap(), row);
        }

        #[test]
        fn a_changed_byte_is_no_longer_the_row(row in any_row(), at in any::<prop::sample::Index>(), flip in 1..=255u8) {
            let mut bytes = row.to_canonical();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(!row.is_written_as(&bytes));
        }

        #[test]
        fn the_quick_timestamp_is_the_displayed_one(micros in any::<i64>()) {
            for micros in [micros, micros.rem_euclid(HASHED_TIMES.end)] {
                let ts = Timestamp::from_micros(micros);
                let mut out = Vec::new();
                write_timestamp(ts, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), ts.to_string());
            }
        }
    }

    #[test]
    fn the_ends_of_months_and_years_are_written_right() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "1999-12-31T23:59:59.999999Z",
            "2000-02-29T12:00:00.000001Z",
            "2024-02-29T00:00:00.000000Z",
            "2100-03-01T00:00:00.000000Z",
            "9999-12-30T21:59:59.999999Z",
        ] {
            let mut out = Vec::new();
            write_timestamp(text.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
