//! The text form of a list of master keys, the same in a file and in the environment.

use crate::secret::aead::KEY_LEN;
use crate::secret::keyring::KeyBytes;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Reads keys separated by white space or commas, the newest last; a line that begins with `#` is a comment.
///
/// # Errors
/// What is wrong, without showing any of it.
pub(super) fn read_keys(text: &str) -> Result<Vec<KeyBytes>, String> {
    let words = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = words.flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()));
    let mut keys = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let number = keys.len() + 1;
        keys.push(read_key(word).ok_or_else(|| {
            format!("key {number} is not 32 bytes: expected 64 hexadecimal digits or 43 of base64")
        })?);
    }
    if keys.is_empty() { Err("no key is there".into()) } else { Ok(keys) }
}

/// Writes keys as [`read_keys`] reads them, one in a line.
pub(super) fn write_keys(keys: &[KeyBytes]) -> Zeroizing<String> {
    const HEADER: &str = "# Master keys, 32 bytes each in base64url. The last one seals, all open.\n\
        # Without this file no sealed secret can be read again.\n";
    // The room is taken at once, so that no copy of a key stays behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + keys.len() * 48));
    text.push_str(HEADER);
    for key in keys {
        URL_SAFE_NO_PAD.encode_string(key.as_slice(), &mut text);
        text.push('\n');
    }
    text
}

fn read_key(word: &str) -> Option<KeyBytes> {
    let mut key = KeyBytes::default();
    if word.len() == KEY_LEN * 2 {
        hex::decode_to_slice(word, &mut *key).ok()?;
        return Some(key);
    }
    // 43 digits, or 44 with the padding; the decoder wants room for three bytes of every four digits.
    let word = word.strip_suffix('=').unwrap_or(word);
    let mut room = Zeroizing::new([0u8; KEY_LEN + 1]);
    if word.len() != 43 {
        return None;
    }
    let length = URL_SAFE_NO_PAD
        .decode_slice(word, &mut *room)
        .or_else(|_| STANDARD_NO_PAD.decode_slice(word, &mut *room))
        .ok()?;
    key.copy_from_slice(room.get(..length)?.first_chunk::<KEY_LEN>()?);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_key_is_read_in_every_usual_spelling() {
        let key = [0xfb; KEY_LEN];
        for word in
            [hex::encode(key), hex::encode_upper(key), STANDARD.encode(key), URL_SAFE_NO_PAD.encode(key)]
        {
            assert_eq!(*read_keys(&format!(" {word}\n")).unwrap()[0], key, "{word}");
        }
    }

    #[test]
    fn what_is_written_reads_back_in_its_order() {
        let keys = [KeyBytes::new([1; KEY_LEN]), KeyBytes::new([2; KEY_LEN])];
        let text = write_keys(&keys);
        assert_eq!(text.len(), text.trim_end().len() + 1);
        assert_eq!(read_keys(&text).unwrap(), keys);
        assert_eq!(read_keys(&format!("{},{}", hex::encode([1; 32]), hex::encode([2; 32]))).unwrap(), keys);
    }

    #[test]
    fn a_wrong_key_is_refused_without_being_shown() {
        for text in
            ["", "# only a comment", "hunter2-hunter2", &"ab".repeat(31), &"ab".repeat(33), &"g".repeat(64)]
        {
            let problem = read_keys(text).unwrap_err();
            assert!(!problem.contains("hunter2") && !problem.contains("abab"), "{problem}");
        }
    }
}
