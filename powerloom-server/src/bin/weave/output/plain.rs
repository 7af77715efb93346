//! Text of others, made harmless for a terminal.
//!
//! A name or a message may hold anything: a sequence that clears the screen, renames the window, or turns the order of the
//! letters around it. None of that reaches the terminal; what stands in its place shows what it was.

use std::borrow::Cow;

/// A text on one line: everything that is not to be printed is written as `\u{…}`, and line breaks as `\n`.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines: as [`line`], but line breaks and tabs stay.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// JSON text: what JSON lets stand unescaped and a terminal may obey is escaped as JSON does it.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_unfit(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c != '\n' && is_unfit(c) {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a text of several lines can be printed as it is.
pub(crate) fn is_fit(text: &str) -> bool {
    !text.chars().any(|c| !matches!(c, '\n' | '\t') && is_unfit(c))
}

/// At most so many characters of a text on one line, with `…` where something was cut.
pub(crate) fn brief(text: &str, most: usize) -> String {
    let text = line(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| !stays(c) && is_unfit(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if stays(c) || !is_unfit(c) => out.push(c),
            '\n' | '\t' | '\r' => out.extend(c.escape_default()),
            _ => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Control characters (C0, DEL, C1), marks that turn the order of text around, and separators of lines that look like none.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_obeys_is_left() {
        assert_eq!(line("\u{1b}[2J\u{7}x\r\n"), "\\u{1b}[2J\\u{7}x\\r\\n");
        assert_eq!(line("\u{9b}2J \u{202e}gnp.exe"), "\\u{9b}2J \\u{202e}gnp.exe");
        assert_eq!(block("one\n\ttwo\u{1b}]0;x\u{7}"), "one\n\ttwo\\u{1b}]0;x\\u{7}");
        assert!(!is_fit("\u{1b}c") && is_fit("Grüße, 世界\n"));
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        assert!(matches!(line("Grüße, 世界 🙂"), Cow::Borrowed("Grüße, 世界 🙂")));
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let text = serde_json::to_string("a\u{9b}b\u{202e}c\u{7f}").unwrap();
        let shown = json(&text);
        assert!(shown.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "a\u{9b}b\u{202e}c\u{7f}");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert_eq!(brief("abcdef", 4), "abc…");
        assert_eq!(brief("abcd", 4), "abcd");
    }
}
