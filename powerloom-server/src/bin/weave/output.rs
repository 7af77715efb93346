//! What a command prints: to standard output what was asked for, to standard error everything else.

pub(crate) mod ink;
pub(crate) mod plain;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod unwritten;
pub(crate) mod yaml;

use crate::output::ink::Ink;
use crate::output::table::Table;
use crate::output::unwritten::Unwritten;
use clap::ValueEnum;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// The columns people look at first, within the width of the terminal
    #[default]
    Table,
    /// All columns, at full length
    Wide,
    /// JSON, as the server answers
    Json,
    /// The same as YAML
    Yaml,
    /// Names alone, one in a line: for scripts
    Name,
}

/// When there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// How results are written.
    pub(crate) format: Format,
    /// The colour of standard output.
    pub(crate) ink: Ink,
    /// The colour of standard error.
    pub(crate) err_ink: Ink,
    /// The columns of the terminal, if standard output is one.
    width: Option<u16>,
}

impl Output {
    /// As asked for.
    pub(crate) fn new(format: Format, colour: Colour) -> Self {
        let wanted = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !refused && !dumb
            }
        };
        let width = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
        Self {
            format,
            ink: Ink::new(wanted(io::stdout().is_terminal())),
            err_ink: Ink::new(wanted(io::stderr().is_terminal())),
            // A terminal that does not say how wide it is gets whole lines.
            width: width.map(|(width, _)| width.0).filter(|width| *width >= 20),
        }
    }

    /// Whether the result is for people.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    /// Writes text that is harmless already.
    pub(crate) fn text(&self, text: &str) -> Result<(), Unwritten> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Unwritten> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Writes a line that is harmless already.
    pub(crate) fn line(&self, line: &str) -> Result<(), Unwritten> {
        self.text(&format!("{line}\n"))
    }

    /// Tells people something beside the result, on standard error.
    pub(crate) fn note(&self, note: &str) -> io::Result<()> {
        writeln!(io::stderr().lock(), "{note}")
    }

    /// Writes one value, in a form for programs if one was asked for; `Ok(false)` if not.
    pub(crate) fn value(&self, value: &Value) -> Result<bool, Unwritten> {
        match self.format {
            Format::Json => self.text(&format!("{}\n", plain::json(&format!("{value:#}"))))?,
            Format::Yaml => self.text(&yaml::text(value))?,
            Format::Table | Format::Wide | Format::Name => return Ok(false),
        }
        Ok(true)
    }

    /// Writes one value of a command that has a `--json` of its own, which is the same as `-o json`: one line of JSON; or YAML.
    pub(crate) fn record(&self, value: &Value, json: bool) -> Result<bool, Unwritten> {
        match self.format {
            Format::Yaml if !json => self.text(&yaml::text(value))?,
            Format::Json => self.line(&plain::json(&value.to_string()))?,
            _ if json => self.line(&plain::json(&value.to_string()))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Writes names alone, one in a line, if that was asked for; `Ok(false)` if not.
    pub(crate) fn names(&self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<bool, Unwritten> {
        if self.format != Format::Name {
            return Ok(false);
        }
        self.text(
            &names.into_iter().fold(String::new(), |text, name| text + &plain::line(name.as_ref()) + "\n"),
        )?;
        Ok(true)
    }

    /// Writes a table, within the width of the terminal unless all of it was asked for.
    pub(crate) fn table(&self, table: &Table) -> anyhow::Result<()> {
        if table.is_empty() {
            return Ok(self.note("none that you may see")?);
        }
        let width = self.width.filter(|_| self.format != Format::Wide);
        Ok(self.text(&table.text(width, self.ink))?)
    }
}
