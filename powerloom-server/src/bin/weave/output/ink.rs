//! Colour, where it is wanted.

use std::fmt::Display;

/// Whether what is written has colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ink(bool);

impl Ink {
    /// With colour, or without.
    pub(crate) const fn new(colour: bool) -> Self {
        Self(colour)
    }

    /// Done, allowed, new.
    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// Refused, failed, gone.
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    /// Changed, waiting, worth a look.
    pub(crate) fn busy(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    /// Somebody's words or names.
    pub(crate) fn name(self, text: impl Display) -> String {
        self.paint("36", text)
    }

    /// What can be passed over.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// What must be seen.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
