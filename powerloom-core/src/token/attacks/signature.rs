//! Signatures that nearly fit.

use super::{b64, targets};
use crate::token::algorithm::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// The order of the curve's base point, little end first.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn only_the_signature_of_these_very_bytes_fits() {
    for target in targets() {
        let good = target.good();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let (r, s) = raw.split_at(32);
        let join = |r: &[u8], s: &[u8]| [r, s].concat();
        let (zero, one) = ([0u8; 32], [&[0u8; 31][..], &[1]].concat());
        let mut bad = vec![
            [&raw[..], &[0]].concat(),
            [&[0], &raw[..]].concat(),
            vec![0; 64],
            vec![0xff; 64],
            join(s, r),
            join(&zero, s),
            join(r, &zero),
            join(&one, &one),
            join(&[1; 32], &zero),
        ];
        bad.extend((1..64).map(|length| raw[..length].to_vec()));
        match target.key.verifying_key().algorithm() {
            Algorithm::EdDsa => {
                // The same signature with S + L, which a lax verifier also takes.
                let mut carry = 0u16;
                let higher: Vec<u8> = s
                    .iter()
                    .zip(ED25519_ORDER)
                    .map(|(a, b)| {
                        carry += u16::from(*a) + u16::from(b);
                        let low = carry.to_le_bytes()[0];
                        carry >>= 8;
                        low
                    })
                    .collect();
                bad.push(join(r, &higher));
                // R of small order, S zero: the identity, and a point of order eight.
                bad.push(join(&[&[1u8][..], &[0; 31]].concat(), &zero));
                let order_eight =
                    hex::decode("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05").unwrap();
                bad.push(join(&order_eight, &zero));
            }
            _ => {
                bad.push(join(&P256_ORDER, s));
                bad.push(join(r, &P256_ORDER));
                bad.push(join(&P256_ORDER, &P256_ORDER));
                let integer = |bytes: &[u8]| {
                    let bytes = &bytes[bytes.iter().position(|b| *b != 0).unwrap()..];
                    let sign: &[u8] = if bytes[0] > 127 { &[0] } else { &[] };
                    [&[2, u8::try_from(sign.len() + bytes.len()).unwrap()], sign, bytes].concat()
                };
                let body = [integer(r), integer(s)].concat();
                bad.push([&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat());
            }
        }
        for other in bad {
            target.refuses(&hex::encode(&other), &format!("{signed}.{}", b64(&other)), "token_bad_signature");
        }
        let another = target.with_claims(json!({ "jti": "two" }));
        let swapped = format!("{signed}.{}", another.rsplit_once('.').unwrap().1);
        target.refuses("another token's signature", &swapped, "token_bad_signature");
        let (header, rest) = another.split_once('.').unwrap();
        let mixed = format!("{header}.{}.{signature}", rest.split_once('.').unwrap().0);
        target.refuses("another token's payload", &mixed, "token_bad_signature");
    }
}
