//! A sign of life during long work, for people at a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Entries of the trail.
    Entries,
    /// Bytes on their way.
    Bytes,
}

/// A spinner, or a bar where the whole is known, with a message on standard error; nothing at all where that is no terminal. It is gone once dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins.
    pub(crate) fn start(message: impl Into<String>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(message.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Begins what has so many parts: a bar that fills.
    pub(crate) fn of(total: u64, message: impl Into<String>, unit: Unit) -> Self {
        let progress = Self::start(message);
        let template = match unit {
            Unit::Entries => "{spinner} {msg} [{bar:30}] {pos}/{len} entries {elapsed:.dim}",
            Unit::Bytes => "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {elapsed:.dim}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.0.set_style(style.progress_chars("=> "));
        }
        progress.0.set_length(total);
        progress.0.tick();
        progress
    }

    /// So many parts are done.
    pub(crate) fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// What is told how much is done, from wherever it is done.
    pub(crate) fn counter(&self) -> impl Fn(u64) + Send + Sync + 'static + use<> {
        let bar = self.0.clone();
        move |done| bar.set_position(done)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
