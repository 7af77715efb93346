//! Kind `Credential`: the bearer one agent presents to one MCP server (rows P63–P68).
//!
//! The bearer is minted here, kept sealed beside the record, and never part of it.

use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::agent::Agent;
use crate::resource::field::{Field, Form};
use crate::resource::kind::{Declared, Home, KindPermissions, ProjectError, Projection, Reference, Related};
use crate::resource::mcp_server::McpServer;
use crate::resource::vault::Vault;
use crate::runtime::{CredentialPayload, Payload};
use serde::{Deserialize, Serialize};

/// A credential. Its governing OU is its agent's.
#[derive(Debug)]
pub struct Credential;

/// The binding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialSpec {
    /// The agent.
    pub agent: ResourceId,
    /// The MCP server.
    pub mcp_server: ResourceId,
}

/// What this side adds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CredentialStatus {
    /// The agent's vault.
    #[cfg_attr(feature = "schema", schema(required))]
    pub vault: Option<ResourceId>,
    /// SHA-256 of the bearer.
    pub fingerprint: String,
}

impl Schema for Credential {
    const KIND: KindName = KindName::known("Credential");
    type Spec = CredentialSpec;
    type Status = CredentialStatus;
}

impl Declared for Credential {
    const FIELDS: &'static [Field] = &[
        Field::new("agent_path", Form::Reference(Agent::KIND))
            .as_spec("agent")
            .in_metadata()
            .required()
            .immutable(),
        Field::new("mcp_registration_path", Form::Reference(McpServer::KIND))
            .as_spec("mcp_server")
            .in_metadata()
            .required()
            .immutable(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CREDENTIAL_READ,
        create: Permission::CREDENTIAL_CREATE,
        update: Permission::CREDENTIAL_CREATE,
        archive: Permission::CREDENTIAL_DELETE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 60;
    const ABOUT: &'static str =
        "Lets an agent in at an MCP server. The bearer is minted, never written down.";
    const CASCADES: bool = true;
    const ON_RUNTIME: bool = true;
    const HIDDEN_STATUS: &'static [&'static str] = &["fingerprint"];

    fn references(spec: &CredentialSpec) -> Vec<Reference> {
        vec![
            Reference::new("agent", ResourceKey::of::<Agent>(spec.agent)),
            Reference::new("mcp_server", ResourceKey::of::<McpServer>(spec.mcp_server))
                .needing(Permission::MCP_USE),
        ]
    }

    fn derived_name(spec: &CredentialSpec) -> Option<String> {
        Some(format!("{}+{}", spec.agent, spec.mcp_server))
    }

    fn project(record: &Record<Self>, related: &Related) -> Result<Option<Projection>, ProjectError> {
        let server: Record<McpServer> = related.record(record.spec.mcp_server)?;
        let url = server.spec.url.ok_or_else(|| ProjectError::NotReady {
            on: format!("MCP server `{}` is not served yet", server.meta.name),
        })?;
        let vault =
            record.status.vault.ok_or_else(|| ProjectError::NotReady { on: "it has no vault".to_owned() })?;
        let payload = CredentialPayload {
            vault,
            mcp_server_url: url,
            display_name: server.status.server_name,
            fingerprint: record.status.fingerprint.clone(),
        };
        Ok(Some(Projection {
            payload: Payload::Credential(payload),
            depends_on: vec![ResourceKey::of::<Vault>(vault)],
        }))
    }
}
