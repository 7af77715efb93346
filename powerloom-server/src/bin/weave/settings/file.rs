//! The file of settings: TOML, read strictly.

use crate::settings::Settings;
use std::fmt;

/// What is wrong with a file, and where. It shows no value but a word that is none of a few allowed ones: somebody may have put
/// a secret where none belongs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    line: usize,
    key: String,
    problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

/// Reads the text of a file.
pub(crate) fn parse(text: &str) -> Result<Settings, Fault> {
    let broken = |error: &toml::de::Error, key: String| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Fault { line, key, problem: without_values(error.message()) }
    };
    let reader = toml::Deserializer::parse(text).map_err(|error| broken(&error, String::new()))?;
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let key = error.path().to_string();
        broken(error.inner(), if key == "." { String::new() } else { key })
    })
}

/// `invalid type: string "hush", expected …` without what was found; a key that is not known is named.
fn without_values(message: &str) -> String {
    if message.starts_with("unknown ") {
        return message.to_owned();
    }
    match message.find(", expected ") {
        Some(at) if message.starts_with("invalid ") => {
            let what = message.get(..at).and_then(|found| found.split(':').next()).unwrap_or("invalid value");
            format!("{what}{}", message.get(at..).unwrap_or_default())
        }
        _ => message.lines().next().unwrap_or_default().to_owned(),
    }
}
