//! What the demo shows: headings, lines with a mark, colour where a terminal can show it.

use std::fmt::Display;
use std::io::IsTerminal;

/// Where the demo writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    colour: bool,
}

/// The colour of a word.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    Good,
    Bad,
    Busy,
    Dim,
    Strong,
}

impl Screen {
    pub(crate) fn new(no_colour: bool) -> Self {
        let colour = !no_colour && std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal();
        Self { colour }
    }

    /// The start of a step.
    pub(crate) fn step(self, number: usize, title: &str, what: &str) {
        println!("\n{} {}", self.ink(Ink::Strong, format!("{number}. {title}")), self.ink(Ink::Dim, what));
    }

    /// A line of a step.
    pub(crate) fn line(self, ink: Ink, mark: &str, text: impl Display) {
        println!("   {} {text}", self.ink(ink, mark));
    }

    /// A text of several lines.
    pub(crate) fn block(self, text: impl Display) {
        for line in text.to_string().lines() {
            println!("   {line}");
        }
    }

    pub(crate) fn ink(self, ink: Ink, text: impl Display) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "31",
            Ink::Busy => "33",
            Ink::Dim => "2",
            Ink::Strong => "1",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
