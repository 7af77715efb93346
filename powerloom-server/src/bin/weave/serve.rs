//! `weave serve`: the control plane as a service.

mod dev;
mod house;
mod keys;
mod logs;
mod signals;
mod story;
mod traces;

use crate::output::{Format, Output};
use crate::serve::dev::Dev;
use crate::serve::house::House;
use crate::serve::signals::{Asked, Signals};
use crate::settings::Settings;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::time::Duration;

/// How often certificates and signing keys are read again.
const REREAD: Duration = Duration::from_secs(60);

/// What `weave serve` can be told.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
A flag counts before the variable of the environment, that before the file of --config.\n\
Secrets come from the environment or from files of their own: ANTHROPIC_API_KEY, POWERLOOM_MASTER_KEY, \
POWERLOOM_WEBHOOK_SECRET.\n\n\
SIGTERM and SIGINT end it in order: /readyz says no, streams are closed so that they can go on elsewhere, requests under way \
are answered, the loops give back what they hold. SIGHUP reads certificates and signing keys again.\n\n\
Exit codes: 0 ended by a signal, 1 it cannot start or something in it broke, 2 bad arguments")]
pub(crate) struct Args {
    /// A file of settings, in TOML
    #[arg(long, value_name = "FILE", env = "POWERLOOM_CONFIG")]
    config: Option<PathBuf>,

    /// Print the settings that count, with secrets hidden, and end
    #[arg(long)]
    print_config: bool,

    #[command(flatten)]
    dev: Dev,

    #[command(flatten)]
    settings: Settings,
}

/// Serves until a signal.
///
/// # Errors
/// What it cannot start by; a loop that ended by itself; a second signal, which does not wait for an orderly end.
pub(crate) async fn run(mut args: Args, out: Output) -> anyhow::Result<()> {
    args.dev.json |= out.format == Format::Json;
    let settings = args.effective()?;
    if args.print_config {
        out.text(&settings.shown()?)?;
        return Ok(());
    }
    settings.check()?;
    let traces = logs::begin(&settings)?;
    let served = serve(&args.dev, &settings).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    served
}

impl Args {
    /// What counts of flags, environment, file and usual values.
    fn effective(&self) -> anyhow::Result<Settings> {
        let file = self.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        let said = self.settings.over(&file)?;
        if self.dev.dev { said.over(&self.dev.settings())?.complete() } else { said.complete() }
    }
}

async fn serve(dev: &Dev, settings: &Settings) -> anyhow::Result<()> {
    // Before anything is told to be ready: a signal that comes early counts too.
    let mut signals = Signals::listen().context("signals cannot be listened for")?;
    let house = tokio::select! {
        house = House::open(dev, settings) => house?,
        () = signals.end() => return Ok(()),
    };
    let ended = loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::End => break Ok(()),
                Asked::Reload => house.reload(true).await,
            },
            () = house.server.broken() => break Err("something in it ended by itself; the log says what"),
            () = tokio::time::sleep(REREAD) => house.reload(false).await,
        }
    };
    tokio::select! {
        () = house.close() => {}
        () = signals.end() => bail!("ended by a second signal, without waiting"),
    }
    ended.map_err(anyhow::Error::msg)
}
