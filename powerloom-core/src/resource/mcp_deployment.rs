//! Kind `MCPDeployment`: an MCP server that is run for the organization (rows P55–P60, P65).
//!
//! A deployment owns a registration of its own name in its own OU, made with it. Until something serves it, that
//! registration has no URL, and whatever attaches it waits.

use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::{KindName, Schema};
use crate::resource::clear_secret::{holds_password, is_secret_name, is_suspect, names_one};
use crate::resource::field::{DISPLAY_NAME, Field, Form};
use crate::resource::kind::{Declared, Home, KindPermissions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The templates that exist (row P55; sem. 2.6).
pub const TEMPLATES: &[&str] = &["files", "postgres", "slack", "echo", "powerloom_meta"];

/// A managed MCP server.
#[derive(Debug)]
pub struct McpDeployment;

/// Whether the server is shared with other deployments of its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a deployer must know every isolation")]
pub enum Isolation {
    /// One process serves many deployments.
    #[default]
    Shared,
    /// A process of its own.
    Dedicated,
}

/// What a deployment's author wants. All of it is immutable: destroy and create anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct McpDeploymentSpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// Which template it is made from.
    #[cfg_attr(feature = "schema", schema(schema_with = crate::schema::templates))]
    pub template_kind: String,
    /// Settings of the template. A setting whose name ends in `_secret` names a secret, never the value (row P57).
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What its tools may do (rows P58–P60).
    #[serde(default)]
    pub policy: Map<String, Value>,
    /// Whether it shares its process.
    #[serde(default)]
    pub isolation: Isolation,
}

impl Schema for McpDeployment {
    const KIND: KindName = KindName::known("MCPDeployment");
    type Spec = McpDeploymentSpec;
    type Status = ();
}

impl Declared for McpDeployment {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("template_kind", Form::Choice(TEMPLATES)).required().immutable(),
        Field::new("config", Form::Object).immutable(),
        Field::new("policy", Form::Object).immutable(),
        Field::new("isolation", Form::Choice(&["shared", "dedicated"])).immutable(),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::MCP_READ,
        create: Permission::MCP_DEPLOY,
        update: Permission::MCP_UPDATE,
        archive: Permission::MCP_DESTROY,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 35;
    const ABOUT: &'static str = "An MCP server that is run for the organization.";

    fn validate(spec: &McpDeploymentSpec) -> Result<(), Invalid> {
        check_secrets(&spec.config).map_err(|invalid| invalid.within("config"))
    }
}

/// Wherever a setting's name ends in `_secret`, it names one; nowhere is one given in the clear.
fn check_secrets(settings: &Map<String, Value>) -> Result<(), Invalid> {
    for (name, value) in settings {
        let text = value.as_str();
        if names_one(name) && !text.is_some_and(is_secret_name) {
            let allowed = "the name of a secret (letters, digits, `-`, `_`, `.`, `/`), not the secret itself";
            return Err(Invalid::hidden(name, allowed));
        }
        let below = match value {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        let given = |text: &str| is_suspect(name) || holds_password(text);
        if below.iter().filter_map(Value::as_str).any(given) {
            let allowed = format!("no secret in the clear: keep it elsewhere and name it in `{name}_secret`");
            return Err(Invalid::hidden(name, allowed));
        }
        for settings in below.iter().filter_map(Value::as_object) {
            check_secrets(settings).map_err(|invalid| invalid.within(name))?;
        }
    }
    Ok(())
}
