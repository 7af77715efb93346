//! `cma-emulator`: the emulator of Claude Managed Agents as a program.

use clap::Parser;
use powerloom_runtime::emulator::Emulator;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// A local server that speaks the Claude Managed Agents protocol.
///
/// Its first line on stdout is `listening on http://…`; its log goes to stderr (RUST_LOG chooses how much).
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  cma-emulator --listen 127.0.0.1:8765 --state emulator.state\n  \
    ANTHROPIC_BASE_URL=http://127.0.0.1:8765 ANTHROPIC_API_KEY=any python my_agents.py\n\n\
    Exit codes: 0 stopped by a signal, 1 the address or the state file cannot be used, 2 bad arguments"
)]
struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The file to keep the state in; without it the state is lost at the end.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// An API key to accept, may be given several times; without any, every non-empty key is accepted.
    #[arg(long = "api-key", value_name = "KEY")]
    api_keys: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,powerloom_runtime=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            let _ = writeln!(std::io::stderr(), "cma-emulator: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let mut emulator = Emulator::builder().listen(arguments.listen);
    if let Some(path) = arguments.state {
        emulator = emulator.state(path);
    }
    for key in arguments.api_keys {
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
