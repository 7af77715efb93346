//! Doc comments as descriptions for people who read an API and not its source.

use serde_json::Value;

/// What holds values, not schemas.
const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Makes every description of an OpenAPI document or a schema plain: derived ones are doc comments.
///
/// Examples and tables go, as do links to Rust items (their text stays) and what refers to the rows of a specification;
/// wrapped lines become one.
///
/// # Examples
/// ```
/// let mut schema = serde_json::json!({ "description": "Its hash (row M41);\n[`ZERO`](Self::ZERO) at first.\n\n# Examples" });
/// powerloom_core::schema::plain(&mut schema);
/// assert_eq!(schema["description"], "Its hash; `ZERO` at first.");
/// ```
pub fn plain(document: &mut Value) {
    match document {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => *text = plain_text(text),
                    _ if VALUES.contains(&name.as_str()) => {}
                    _ => plain(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

fn plain_text(text: &str) -> String {
    let prose = text.lines().take_while(|line| !line.starts_with("# ") && !line.starts_with("```"));
    let mut joined = String::new();
    for line in prose.filter(|line| !line.starts_with('|')) {
        let apart = line.is_empty() || line.starts_with("- ") || line.starts_with("* ");
        match joined.chars().last() {
            None | Some('\n') => {}
            Some(_) if apart => joined.push('\n'),
            Some(_) => joined.push(' '),
        }
        joined.push_str(line);
        if line.is_empty() {
            joined.push('\n');
        }
    }
    without_rows(&without_links(joined.trim_end()))
}

/// `[text](target)` and `` [`text`] `` without the brackets; links into the web stay.
fn without_links(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let Some((label, behind)) = after.split_once(']') else {
            out.push('[');
            rest = after;
            continue;
        };
        let target = behind.strip_prefix('(').and_then(|inside| inside.split_once(')'));
        match target {
            Some((target, behind)) if !target.contains("://") => {
                out.push_str(label);
                rest = behind;
            }
            None if label.starts_with('`') => {
                out.push_str(label);
                rest = behind;
            }
            _ => {
                out.push('[');
                rest = after;
            }
        }
    }
    out + rest
}

/// Without what is in brackets to point at a row, a rule or a section.
fn without_rows(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('(') {
        let Some((inside, behind)) = after.split_once(')') else { break };
        let kept: Vec<&str> = inside.split(';').map(str::trim).filter(|part| !is_row(part)).collect();
        if kept.is_empty() {
            out.push_str(before.trim_end());
        } else {
            out.push_str(&format!("{before}({})", kept.join("; ")));
        }
        rest = behind;
    }
    out + rest
}

fn is_row(part: &str) -> bool {
    let mut letters = part.chars();
    let numbered = letters.next().is_some_and(|c| c.is_ascii_uppercase())
        && !letters.as_str().is_empty()
        && letters.all(|c| c.is_ascii_digit());
    numbered || ["row ", "rows ", "rule ", "rules ", "sem. "].iter().any(|word| part.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: &str) {
        assert_eq!(plain_text(text), expected);
    }

    #[test]
    fn a_description_reads_as_prose() {
        check("It was\nso (202; row P97).", "It was so (202).");
        check("One (rows P1, P2; sem. 2.8), two (C34).", "One, two.");
        check("A.\n\nB\nc.\n- d\n- e\n\n| x |\n|---|", "A.\n\nB c.\n- d\n- e");
        check(
            "See [`A`](crate::A), [b](B) and [`C`]; [1] stays (at `x[0]`).",
            "See `A`, b and `C`; [1] stays (at `x[0]`).",
        );
        check("See [RFC](https://rfc.example/1).", "See [RFC](https://rfc.example/1).");
        check("Open [ and (", "Open [ and (");
    }

    #[test]
    fn a_property_called_description_is_left_alone() {
        let mut schema = json!({
            "properties": { "description": { "description": "What (row P1).", "default": { "description": "(row P1)" } } },
        });
        plain(&mut schema);
        assert_eq!(schema["properties"]["description"]["description"], "What.");
        assert_eq!(schema["properties"]["description"]["default"]["description"], "(row P1)");
    }

    #[test]
    fn nothing_of_rust_is_left() {
        let mut document = serde_json::to_value(crate::schema::components()).unwrap();
        plain(&mut document);
        let text = document.to_string();
        for trace in ["[`", "](", "```", "# Examples", "(row", "(sem."] {
            let found = text.find(trace).map(|at| &text[at.saturating_sub(80)..at + 20]);
            assert_eq!(found, None, "{trace}");
        }
    }
}
