//! `cma-emulator`: the emulator of Claude Managed Agents as a program.

use clap::Parser;
use powerloom_runtime::emulator::Program;
use std::io::Write as _;
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
    #[command(flatten)]
    program: Program,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,powerloom_runtime=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match arguments.program.run().await {
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
