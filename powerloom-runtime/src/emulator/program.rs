//! The emulator as a program: its arguments, and its life between its first line and the signal that ends it.
//!
//! `cma-emulator` is it alone; a larger program takes it as one of its subcommands.

use crate::emulator::builder::Emulator;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A local server that speaks the Claude Managed Agents protocol.
///
/// Its first line on stdout is `listening on http://…`; its log goes to stderr.
#[derive(Debug, Clone, clap::Args)]
#[non_exhaustive]
pub struct Program {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The file to keep the state in; without it the state is lost at the end.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// An API key to accept, may be given several times; without any, every non-empty key is accepted.
    #[arg(long = "api-key", value_name = "KEY")]
    pub api_keys: Vec<String>,
}

impl Program {
    /// Runs until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// [`EmulatorError`](crate::emulator::EmulatorError) if it cannot start; those of stdout and of the signals.
    ///
    /// # Cancel safety
    /// Dropped, the emulator stops.
    pub async fn run(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut emulator = Emulator::builder().listen(self.listen);
        if let Some(path) = self.state {
            emulator = emulator.state(path);
        }
        for key in self.api_keys {
            emulator = emulator.api_key(key);
        }
        let running = emulator.start().await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on {}", running.url())?;
        stdout.flush()?;
        stopped().await?;
        running.shutdown().await;
        Ok(())
    }
}

/// Waits for SIGINT or SIGTERM.
async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            signal = tokio::signal::ctrl_c() => signal,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
