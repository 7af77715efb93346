//! The kinds: what can be declared, one file each, and the rules written once over all of them.

pub mod agent;
pub mod api_token;
pub mod approval_policy;
pub mod bounds;
pub mod catalogue;
pub mod clear_secret;
pub mod credential;
pub mod environment;
pub mod field;
pub mod group;
pub mod kind;
pub mod mcp_deployment;
pub mod mcp_server;
pub mod ou;
pub mod role;
pub mod role_binding;
pub mod skill;
pub mod skill_grant;
pub mod skill_version;
pub mod user;
pub mod vault;
