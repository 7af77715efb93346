//! How long and how deep the text of a condition may be, looked at before anybody parses it.
//!
//! The parser is recursive: what is nested too deeply, or chained too long, would overflow its stack, which nothing can
//! catch. So brackets and operators are counted first.

use crate::approval::condition::{MAX_CHARS, MAX_NESTING, MAX_OPERATORS};
use crate::invalid::Invalid;

/// Refuses a text that is too long, nested too deeply, or made of too many operators.
pub(crate) fn check(text: &str) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length > MAX_CHARS {
        return Err(Invalid::new(
            "",
            format!("{length} characters"),
            format!("at most {MAX_CHARS} characters"),
        ));
    }
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut rest = text;
    let mut word_before = false;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        let mut word = false;
        match first {
            '\'' | '"' if word_before => {
                return Err(Invalid::new("", text, "no bytes and no raw text"));
            }
            '\'' | '"' => {
                let allowed = "text that ends as it begins, on the same line unless it is in three quotes";
                taken = quoted(rest, first).ok_or_else(|| Invalid::new("", text, allowed))?;
            }
            '/' if rest.starts_with("//") => taken = rest.find('\n').unwrap_or(rest.len()),
            '(' | '[' | '{' => {
                depth += 1;
                operators += 1;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '.' | '!' | '-' | '+' | '*' | '/' | '%' | '?' | '&' | '|' | '=' | '<' | '>' => {
                operators += 1;
                // Two of them are one operator.
                if rest
                    .chars()
                    .nth(1)
                    .is_some_and(|second| second == '=' || second == first && "&|".contains(first))
                {
                    taken += 1;
                }
            }
            _ if first == '_' || first.is_ascii_alphanumeric() => {
                taken = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                word = true;
                if rest.get(..taken) == Some("in") {
                    operators += 1;
                }
            }
            ',' | ':' | ' ' | '\t' | '\n' | '\r' => {}
            // The parser recovers from each one by itself, which is what it does worst.
            _ => return Err(Invalid::new("", first, "a character that CEL uses outside of texts")),
        }
        if depth > MAX_NESTING {
            return Err(Invalid::new("", text, format!("at most {MAX_NESTING} brackets within one another")));
        }
        if operators > MAX_OPERATORS {
            let allowed = format!("at most {MAX_OPERATORS} operators, points and brackets");
            return Err(Invalid::new("", text, allowed));
        }
        word_before = word;
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}

/// The length of the quoted text at the beginning of `rest`, quotes included; `None` if it does not end.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let three: String = std::iter::repeat_n(quote, 3).collect();
    let mark = if rest.starts_with(&three) { three.len() } else { 1 };
    let mut escaped = false;
    for (place, c) in rest.char_indices().skip(mark) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if mark == 3 {
            if rest.get(place..).is_some_and(|rest| rest.starts_with(&three)) {
                return Some(place + 3);
            }
        } else if c == quote {
            return Some(place + 1);
        }
        if mark == 1 && matches!(c, '\n' | '\r') {
            return None;
        }
    }
    None
}
