//! JSON as YAML.

use crate::output::plain;
use serde_json::Value;

/// The YAML of a value, with its end.
///
/// Where the YAML would hold a character that a terminal obeys, it is written as JSON, which is YAML too and can escape it.
pub(crate) fn text(value: &Value) -> String {
    match serde_saphyr::to_string(value) {
        Ok(mut yaml) if plain::is_fit(&yaml) => {
            if !yaml.ends_with('\n') {
                yaml.push('\n');
            }
            yaml
        }
        _ => format!("{}\n", plain::json(&format!("{value:#}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_reads_back_whatever_it_holds() {
        for value in [
            json!({ "name": "lint", "empty": {}, "none": null, "list": [1, "two", { "three": true }], "on": "yes" }),
            json!({ "prompt": "first\nsecond\n\n  third: # not a comment\n", "zero": "0123" }),
            json!({ "evil": "\u{1b}[2J\u{9b}\u{202e}" }),
        ] {
            let yaml = text(&value);
            assert!(plain::is_fit(&yaml), "{yaml}");
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
        }
    }
}
