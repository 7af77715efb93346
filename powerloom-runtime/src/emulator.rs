//! A local server that speaks the Claude Managed Agents protocol, for development and tests without an account.
//!
//! [`Emulator::builder`] starts one inside a program; the program `cma-emulator` is the same on its own. Clients,
//! the official SDKs among them, need only its URL and any API key.
//!
//! What it is: agents with versions, environments, vaults and credentials, skills, files, sessions with events,
//! streams, tool confirmations and **real calls to MCP servers**; all of it kept in memory or in a file, with
//! [faults](Fault) and [edits](Edit) on demand. What it is *not*: a language model ([`ScriptedModel`] does what the
//! prompt says, line by line), a sandbox (built-in tools are made up), or a measure of the real service's speed.
//!
#![doc = include_str!("../docs/emulator.md")]

mod admin;
mod agents;
mod builder;
mod bundle;
mod call;
mod connection;
mod credentials;
mod definition;
mod disk;
mod edit;
mod environments;
mod error;
mod events;
mod faults;
mod fields;
mod files;
mod headers;
mod hub;
mod ids;
mod incoming;
mod journal;
mod links;
mod mcp;
mod model;
mod oauth;
mod page;
mod pending;
mod program;
mod query;
mod refusal;
mod reply;
mod requests;
mod resources;
mod router;
mod scripted;
mod server;
mod sessions;
mod skills;
mod state;
mod stream;
mod threads;
mod tools;
mod turn;
mod upload;
mod validate;
mod vaults;
mod world;

pub use builder::{Emulator, RunningEmulator};
pub use edit::Edit;
pub use error::EmulatorError;
pub use faults::{Fault, FaultRule, Faults};
pub use model::{Block, Conversation, Model, Reply, Stop, Tool, ToolSource};
pub use program::Program;
pub use requests::{Request, RequestLog};
pub use scripted::ScriptedModel;
