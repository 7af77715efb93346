//! The log, to stderr; and traces, if they are sent anywhere.

use crate::serve::traces::Traces;
use crate::settings::{LogFormat, Settings};
use anyhow::Context;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The crates that are ours: a level is theirs, other crates only warn.
pub(crate) const OURS: [&str; 6] =
    ["powerloom_core", "powerloom_runtime", "powerloom_server", "powerloom_store", "powerloom_web", "weave"];

/// Sets up the log of the whole process.
pub(crate) fn begin(settings: &Settings) -> anyhow::Result<Option<Traces>> {
    let level = settings.log.level.as_deref().unwrap_or("info");
    let filter = EnvFilter::builder().parse(directives(level)).with_context(|| {
        format!(
            "`log.level` is `{level}`, which is not allowed: expected a level such as `info`, or directives"
        )
    })?;
    let traces = settings.otlp.endpoint.as_deref().map(Traces::to).transpose()?;
    let written = match settings.log.format {
        Some(LogFormat::Json) => {
            let lines =
                layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr);
            lines.with_filter(filter).boxed()
        }
        _ => {
            let colours = std::io::stderr().is_terminal();
            layer().with_ansi(colours).with_writer(std::io::stderr).with_filter(filter).boxed()
        }
    };
    let sent = traces.as_ref().map(Traces::layer);
    tracing_subscriber::registry().with(sent).with(written).try_init()?;
    std::panic::set_hook(Box::new(panicked));
    Ok(traces)
}

/// A panic is a line of the log like any other.
fn panicked(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, panic = panic.payload_as_str().unwrap_or("no text"), "a thread panicked");
}

fn directives(level: &str) -> String {
    if level.contains(['=', ',']) {
        return level.to_owned();
    }
    let ours = OURS.map(|name| format!("{name}={level}")).join(",");
    format!("warn,{ours}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_that_of_our_own_crates() {
        let said = directives("debug");
        assert!(said.starts_with("warn,") && said.contains("powerloom_core=debug"), "{said}");
        assert_eq!(directives("info,h2=trace"), "info,h2=trace");
        assert!(EnvFilter::builder().parse(directives("loud")).is_err());
    }
}
