//! `weave`: Powerloom at the command line.

mod age;
mod api;
mod bootstrap;
mod command;
mod common_ou;
mod context;
mod duration;
mod failure;
mod kinds;
mod manifests;
mod mint;
mod new_file;
mod options;
mod output;
mod plan_text;
mod reference;
mod serve;
mod settings;
mod weave;

use crate::command::{
    apply, approvals, audit, authz, completion, context as contexts, delete, describe, diff, doctor, export,
    get, invoke, login, plan, schema, sessions, skill, sync, token,
};
use crate::failure::{EXIT_CODES, Exit};
use crate::options::Options;
use crate::weave::Weave;
use clap::{Parser, Subcommand};
use powerloom_runtime::emulator::Program as Emulator;
use serde_json::json;
use std::process::ExitCode;

/// A governed control plane for AI agents, at the command line
///
/// Declare agents, skills and the rules around them in files; see what a change would do and whom it asks; make it; ask agents
/// and watch them work; approve, audit, prove.
#[derive(Debug, Parser)]
#[command(name = "weave", version, after_help = EXIT_CODES, after_long_help = format!("{FIRST_LOOK}\n\n{EXIT_CODES}"), propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Command,
}

/// How to begin, above the exit codes.
const FIRST_LOOK: &str = "\
A first look, without a server:
  weave --store memory: plan manifests/

With one:
  weave login --server https://loom.acme.com
  weave apply manifests/
  weave invoke code-reviewer 'Review the last change.'";

/// What it can do.
#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::PlanCommand),
    Apply(apply::Apply),
    Diff(diff::Diff),
    Export(export::Export),
    Get(get::Get),
    Describe(describe::Describe),
    Delete(delete::Delete),
    Invoke(invoke::Invoke),
    Sessions(sessions::Sessions),
    Skill(skill::Skill),
    Sync(sync::Sync),
    Approvals(approvals::Approvals),
    Audit(audit::Audit),
    CanI(authz::CanI),
    Explain(authz::Explain),
    WhoCan(authz::WhoCan),
    WhatCan(authz::WhatCan),
    Token(token::Token),
    Login(login::Login),
    Context(contexts::ContextCommand),
    Doctor(doctor::Doctor),
    /// Serves the REST API, reconciles what is declared, runs sessions
    Serve(Box<serve::Args>),
    /// Makes an organization with its first administrator, in a store
    Bootstrap(bootstrap::Args),
    /// Runs a local server that speaks the Claude Managed Agents protocol
    CmaEmulator(Emulator),
    Schema(schema::Schema),
    #[command(name = "openapi")]
    OpenApi(schema::OpenApi),
    Completion(completion::Completion),
    /// Prints the version
    Version,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = cli.options.printer();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into(), &output).into(),
    };
    let exit = match runtime.block_on(run(cli)) {
        Ok(exit) => exit,
        Err(error) => failure::report(&error, &output),
    };
    // A stream or a reader of the keyboard may still be waiting; nobody waits for them.
    runtime.shutdown_background();
    exit.into()
}

async fn run(Cli { options, command }: Cli) -> anyhow::Result<Exit> {
    let out = options.printer();
    // What needs no server.
    let command = match command {
        Command::Version => {
            if !out.value(&json!({ "version": env!("CARGO_PKG_VERSION") }))? {
                out.line(concat!("weave ", env!("CARGO_PKG_VERSION")))?;
            }
            return Ok(Exit::Done);
        }
        Command::Completion(command) => return command.run(out),
        Command::Context(command) => return command.run(out),
        Command::Serve(args) => return serve::run(*args, out).await.map(|()| Exit::Done),
        Command::Bootstrap(args) => return bootstrap::run(args, out).await.map(|()| Exit::Done),
        Command::CmaEmulator(emulator) => {
            return emulator.run().await.map(|()| Exit::Done).map_err(anyhow::Error::from_boxed);
        }
        Command::Token(token::Token { command: token::Command::Mint(args) }) => {
            return mint::run(args, out).await.map(|()| Exit::Done);
        }
        Command::Login(command) => return command.run(&options).await,
        Command::Doctor(command) => return command.run(&options).await,
        Command::Audit(audit::Audit { command: audit::Command::Verify(verify) }) if verify.is_offline() => {
            return verify.offline(out);
        }
        other => other,
    };
    let weave = Weave::open(&options).await?;
    match command {
        Command::Plan(command) => command.run(&weave).await,
        Command::Apply(command) => command.run(&weave).await,
        Command::Diff(command) => command.run(&weave).await,
        Command::Export(command) => command.run(&weave).await,
        Command::Get(command) => command.run(&weave).await,
        Command::Describe(command) => command.run(&weave).await,
        Command::Delete(command) => command.run(&weave).await,
        Command::Invoke(command) => command.run(&weave).await,
        Command::Sessions(command) => command.run(&weave).await,
        Command::Skill(command) => command.run(&weave).await,
        Command::Sync(command) => command.run(&weave).await,
        Command::Approvals(command) => command.run(&weave).await,
        Command::Audit(command) => command.run(&weave).await,
        Command::CanI(command) => command.run(&weave).await,
        Command::Explain(command) => command.run(&weave).await,
        Command::WhoCan(command) => command.run(&weave).await,
        Command::WhatCan(command) => command.run(&weave).await,
        Command::Token(command) => command.run(&weave).await,
        Command::Schema(command) => command.run(&weave).await,
        Command::OpenApi(command) => command.run(&weave).await,
        Command::Version
        | Command::Completion(_)
        | Command::Context(_)
        | Command::Login(_)
        | Command::Serve(_)
        | Command::Bootstrap(_)
        | Command::CmaEmulator(_)
        | Command::Doctor(_) => Ok(Exit::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Every command, option and argument below one that says nothing of itself.
    fn mute(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_about().is_none_or(|about| about.to_string().trim().is_empty()) {
            found.push(path.clone());
        }
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if argument.get_help().is_none_or(|help| help.to_string().trim().is_empty()) {
                found.push(format!("{path}: {}", argument.get_id()));
            }
        }
        command.get_subcommands().for_each(|below| mute(below, &path, found));
    }

    #[test]
    fn every_command_and_every_option_of_it_is_explained() {
        let mut found = Vec::new();
        mute(&Cli::command(), "", &mut found);
        assert!(found.is_empty(), "without a word of help: {found:#?}");
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
