//! Kind `Environment`: the sandbox an organization's sessions run in (row P37).

use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::{KindName, Record, Schema};
use crate::resource::field::{DESCRIPTION, Field, Form};
use crate::resource::kind::{Declared, Home, KindPermissions, ProjectError, Projection, Related};
use crate::runtime::{EnvironmentPayload, Payload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the one environment every agent of an organization shares.
pub const SHARED_ENVIRONMENT: &str = "default";

/// The package managers an environment can use.
const PACKAGE_MANAGERS: [&str; 6] = ["apt", "cargo", "gem", "go", "npm", "pip"];

/// An environment.
#[derive(Debug)]
pub struct Environment;

/// What sessions may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a runtime that does not know a network must not compile")]
pub enum Networking {
    /// Everything.
    #[default]
    Unrestricted,
    /// Only what is listed.
    Limited,
}

/// What an environment's author wants.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentSpec {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
    /// What sessions may reach.
    pub networking: Networking,
    /// With a limited network: these hosts, bare names or `*.` wildcards.
    #[cfg_attr(feature = "schema", schema(max_items = 64, min_length = 1, max_length = 255))]
    pub allowed_hosts: Vec<String>,
    /// With a limited network: MCP servers too.
    pub allow_mcp_servers: bool,
    /// With a limited network: package registries too. Needed if packages are listed.
    pub allow_package_managers: bool,
    /// Packages to install, by package manager.
    pub packages: BTreeMap<String, Vec<String>>,
}

impl Schema for Environment {
    const KIND: KindName = KindName::known("Environment");
    type Spec = EnvironmentSpec;
    type Status = ();
}

impl Declared for Environment {
    const FIELDS: &'static [Field] = &[
        Field::new("description", DESCRIPTION),
        Field::new("networking", Form::Choice(&["unrestricted", "limited"])),
        Field::new("allowed_hosts", Form::Texts),
        Field::new("allow_mcp_servers", Form::Flag),
        Field::new("allow_package_managers", Form::Flag),
        Field::new("packages", Form::TextLists),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::ENVIRONMENT_READ,
        create: Permission::ENVIRONMENT_MANAGE,
        update: Permission::ENVIRONMENT_MANAGE,
        archive: Permission::ENVIRONMENT_MANAGE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 28;
    const ABOUT: &'static str = "The sandbox an organization's sessions run in.";
    const ON_RUNTIME: bool = true;

    fn validate(spec: &EnvironmentSpec) -> Result<(), Invalid> {
        let limited = spec.networking == Networking::Limited;
        if !limited
            && (!spec.allowed_hosts.is_empty() || spec.allow_mcp_servers || spec.allow_package_managers)
        {
            return Err(Invalid::new(
                "networking",
                "unrestricted",
                "`limited`, since the network is limited below",
            ));
        }
        if limited && !spec.packages.is_empty() && !spec.allow_package_managers {
            return Err(Invalid::new("allow_package_managers", false, "`true`, since packages are listed"));
        }
        if spec.allowed_hosts.len() > 64 {
            return Err(Invalid::new("allowed_hosts", spec.allowed_hosts.len(), "at most 64 hosts"));
        }
        for (index, host) in spec.allowed_hosts.iter().enumerate() {
            let bare = host.strip_prefix("*.").unwrap_or(host);
            if bare.is_empty() || bare.contains(['/', ':', '*']) || bare.chars().any(char::is_whitespace) {
                return Err(Invalid::new(
                    format!("allowed_hosts[{index}]"),
                    host,
                    "a host name, or `*.` and one",
                ));
            }
        }
        match spec.packages.keys().find(|manager| !PACKAGE_MANAGERS.contains(&manager.as_str())) {
            Some(unknown) => {
                Err(Invalid::new("packages", unknown, format!("one of {}", PACKAGE_MANAGERS.join(", "))))
            }
            None => Ok(()),
        }
    }

    fn project(record: &Record<Self>, _related: &Related) -> Result<Option<Projection>, ProjectError> {
        let spec = &record.spec;
        let limited = spec.networking == Networking::Limited;
        let packages = spec.packages.iter().filter(|(_, list)| !list.is_empty());
        let payload = EnvironmentPayload {
            // Names may have to be unique per workspace: two organizations can share one.
            name: format!("{}-{}", record.meta.name, record.meta.org),
            allowed_hosts: limited.then(|| spec.allowed_hosts.clone()),
            allow_mcp_servers: spec.allow_mcp_servers,
            allow_package_managers: spec.allow_package_managers,
            packages: packages.map(|(manager, list)| (manager.clone(), list.clone())).collect(),
        };
        Ok(Some(Projection { payload: Payload::Environment(payload), depends_on: Vec::new() }))
    }
}
