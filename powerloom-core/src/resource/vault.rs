//! Kind `Vault`: the runtime's container for one agent's credentials (sem. 2.4, C34).

use crate::id::ResourceId;
use crate::permission::Permission;
use crate::record::{KindName, Record, ResourceKey, Schema};
use crate::resource::agent::Agent;
use crate::resource::field::Field;
use crate::resource::kind::{Declared, Home, KindPermissions, ProjectError, Projection, Reference, Related};
use crate::runtime::{Payload, VaultPayload};
use serde::{Deserialize, Serialize};

/// A vault. It is made with the first credential of its agent.
#[derive(Debug)]
pub struct Vault;

/// Whose vault it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultSpec {
    /// The agent.
    pub agent: ResourceId,
}

impl Schema for Vault {
    const KIND: KindName = KindName::known("Vault");
    type Spec = VaultSpec;
    type Status = ();
}

impl Declared for Vault {
    const FIELDS: &'static [Field] = &[];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CREDENTIAL_READ,
        create: Permission::CREDENTIAL_CREATE,
        update: Permission::CREDENTIAL_CREATE,
        archive: Permission::CREDENTIAL_DELETE,
    };
    const HOME: Home = Home::Derived;
    const RANK: u8 = 59;
    const ABOUT: &'static str = "Where an agent's credentials are kept on the runtime.";
    const CASCADES: bool = true;
    const ON_RUNTIME: bool = true;
    const MANIFEST: bool = false;

    fn references(spec: &VaultSpec) -> Vec<Reference> {
        vec![Reference::new("agent", ResourceKey::of::<Agent>(spec.agent))]
    }

    fn derived_name(spec: &VaultSpec) -> Option<String> {
        Some(spec.agent.to_string())
    }

    fn project(record: &Record<Self>, related: &Related) -> Result<Option<Projection>, ProjectError> {
        let agent: Record<Agent> = related.record(record.spec.agent)?;
        let payload = VaultPayload { display_name: format!("{} ({})", agent.meta.name, agent.meta.id) };
        Ok(Some(Projection { payload: Payload::Vault(payload), depends_on: Vec::new() }))
    }
}
