//! Manifests: what people write to declare resources (rows P20–P29; sem. 2.3).
//!
//! Four steps, each usable alone, none of which changes anything but the last:
//!
//! 1. [`parse()`]: text to checked documents, each field with its place. All faults at once.
//! 2. [`resolve()`]: names, paths and addresses to what they mean, among the documents and in the store.
//! 3. [`plan()`]: what has to be done, in order. Pure data.
//! 4. [`apply()`]: does it through the one door, resource by resource.
//!
//! How a document names its resource depends on the kind: `metadata.name` and `metadata.ou_path` for most; of an OU
//! `ou_path` is the OU above, and `metadata.path` may give its whole path instead (exports write `name` and
//! `ou_path`, except for the root); others are known by what they bind, such as a credential by agent and server.
//! A partial document (row P27) leaves alone what it does not carry, and several documents of one resource add up.

pub mod apply;
mod asks;
mod diff;
pub mod document;
mod envelope;
mod export;
pub mod fault;
mod filled;
mod forecast;
mod form;
pub mod governance;
mod graph;
mod hint;
mod hole;
mod link;
pub(crate) mod live;
mod lookup;
mod merge;
mod node;
mod ownership;
mod parse;
pub mod plan;
mod prune;
mod readable;
mod redact;
pub mod report;
mod resolve;
mod saved;
mod schema;
mod set;
mod sight;
mod target;
mod through;
mod tree;
mod wanted;
mod written;

pub use self::apply::{ApplyOptions, Submit, apply};
pub use self::diff::plan;
pub use self::document::{API_VERSION, Document};
pub use self::envelope::ParseMode;
pub use self::export::{export, to_yaml};
pub use self::fault::{Fault, Location, ManifestErrors, Problem, Warning};
pub use self::filled::Unready;
pub use self::governance::{Ask, Governance, Ruling};
pub use self::parse::{Parsed, parse, parse_all};
pub use self::plan::{Clash, MAX_STEPS, Plan, Step, Verb};
pub use self::report::{Report, StepResult};
pub use self::resolve::resolve;
pub use self::schema::schema;
pub use self::set::{SetOptions, Take};
pub use self::target::Target;
pub use self::through::{PlanError, Through};
pub use self::tree::{MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS};
pub use self::wanted::{ResolveError, Resolved};
pub use self::written::{Names, to_manifest, written};
