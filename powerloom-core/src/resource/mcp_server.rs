//! Kind `MCPServerRegistration`: an MCP endpoint agents can use (rows P39, P61).

use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::{KindName, Schema};
use crate::resource::field::{DESCRIPTION, DISPLAY_NAME, Field, Form};
use crate::resource::kind::{Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};

/// A registered MCP server.
#[derive(Debug)]
pub struct McpServer;

/// What a registration's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct McpServerSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
    /// Where it is. `None` only while the deployment that owns it is not serving yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub url: Option<String>,
    /// It acts on the control plane for whoever started the session that calls it (sem. 2.15): in place of the agent's
    /// credential it gets a handle of that session, to be exchanged for tokens.
    ///
    /// Whoever writes an agent that has such a server decides what is done with the rights of those who start it. So
    /// switching this on needs `role:escalate` beside the permission to write the registration, and `mcp:use` of it
    /// should be given with the same care. A session keeps what it was started with.
    #[serde(default)]
    pub delegating: bool,
}

/// What this side adds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct McpServerStatus {
    /// The name agents know it by: the slug it was registered under, frozen then (row P39).
    pub server_name: String,
    /// The deployment that owns it, if it is a managed one (row P65).
    #[cfg_attr(feature = "schema", schema(required))]
    pub deployment: Option<ResourceId>,
}

impl Schema for McpServer {
    const KIND: KindName = KindName::known("MCPServerRegistration");
    type Spec = McpServerSpec;
    type Status = McpServerStatus;
}

impl Declared for McpServer {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("description", DESCRIPTION),
        Field::new("url", Form::Url).required().immutable(),
        Field::new("delegating", Form::Flag),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::MCP_READ,
        create: Permission::MCP_REGISTER,
        update: Permission::MCP_UPDATE,
        archive: Permission::MCP_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 36;
    const ABOUT: &'static str = "An MCP server that agents can use.";
    const FOLLOWED: bool = true;

    fn validate(_spec: &McpServerSpec) -> Result<(), Invalid> {
        Ok(())
    }
}
