//! Environments: where sessions run. Not versioned; a change reaches only sandboxes made after it.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::page::{Page, all, push};
use crate::cma::patch::Patch;
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

impl CmaClient {
    /// The environments of the key's workspace.
    #[must_use]
    pub const fn environments(&self) -> Environments<'_> {
        Environments(self)
    }
}

/// Calls on environments; from [`CmaClient::environments`].
#[derive(Debug, Clone, Copy)]
pub struct Environments<'a>(&'a CmaClient);

impl Environments<'_> {
    /// Creates an environment. Not idempotent: see [`CmaError::maybe_applied`].
    ///
    /// # Errors
    /// 409, where names are unique, if the name is taken; 400 for packages in a limited network without package
    /// managers.
    pub async fn create(&self, environment: &CreateEnvironment) -> Result<Environment, CmaError> {
        self.0.json(Call::post("environments").json(environment)?, "the environment").await
    }

    /// Reads an environment.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn retrieve(&self, id: &str) -> Result<Environment, CmaError> {
        self.0.json(Call::get("environments").id("environment", id)?, "the environment").await
    }

    /// Changes what `update` names.
    ///
    /// # Errors
    /// 400 with the code `environment_archived` or `invalid_config_type_change`.
    pub async fn update(&self, id: &str, update: &UpdateEnvironment) -> Result<Environment, CmaError> {
        self.0.json(Call::post("environments").id("environment", id)?.json(update)?, "the environment").await
    }

    /// Makes the environment read-only, for ever; new sessions are refused.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn archive(&self, id: &str) -> Result<Environment, CmaError> {
        self.0
            .json(Call::post("environments").id("environment", id)?.then("archive"), "the environment")
            .await
    }

    /// Deletes an environment no session refers to.
    ///
    /// # Errors
    /// 409 while sessions refer to it; 404 if there is none of that id.
    pub async fn delete(&self, id: &str) -> Result<(), CmaError> {
        self.0.bytes(Call::delete("environments").id("environment", id)?, "the deletion").await.map(drop)
    }

    /// One page of environments.
    ///
    /// # Errors
    /// 400 for a cursor that is not of this list.
    pub async fn list(&self, list: &ListEnvironments) -> Result<Page<Environment>, CmaError> {
        let call = Call::get("environments").query(list.query(list.page.as_deref()));
        self.0.json(call, "the environments").await
    }

    /// Every environment, page after page.
    #[must_use]
    pub fn all(&self, list: ListEnvironments) -> BoxStream<'static, Result<Environment, CmaError>> {
        all(self.0.clone(), "the environments", move |page| {
            Ok(Call::get("environments").query(list.query(page.or(list.page.as_deref()))))
        })
    }
}

/// A new environment.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CreateEnvironment {
    /// What it is called.
    pub name: String,
    /// What it is made of; the service's default is a cloud sandbox with an open network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<EnvironmentConfig>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The caller's own words about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl CreateEnvironment {
    /// An environment with a name and the service's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), config: None, description: None, metadata: BTreeMap::new() }
    }
}

/// A partial change of an environment.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateEnvironment {
    /// Cannot be cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The type cannot change; inner fields that are left out stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<EnvironmentConfig>,
    /// What it is for.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    /// A value sets the key, `None` (or an empty text) deletes it, other keys stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Option<String>>,
}

/// What an environment is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnvironmentConfig {
    /// A sandbox of the service.
    Cloud {
        /// What it may reach.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        networking: Option<Networking>,
        /// What is installed in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        packages: Option<Packages>,
    },
    /// Machines of the caller.
    SelfHosted,
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

/// What a sandbox may reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Networking {
    /// Everything.
    Unrestricted,
    /// What is named here and nothing else.
    Limited {
        /// Bare host names, or `*.` and a name. In an update `None` keeps them and an empty list clears them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed_hosts: Option<Vec<String>>,
        /// The MCP servers of the agent too; `None` is the service's `false`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_mcp_servers: Option<bool>,
        /// The registries of package managers too; must be `true` if there are packages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_package_managers: Option<bool>,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

/// What is installed in a sandbox, by package manager. In an update `None` keeps a list and an empty one clears it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Packages {
    /// Debian packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apt: Option<Vec<String>>,
    /// Rust programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo: Option<Vec<String>>,
    /// Ruby gems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gem: Option<Vec<String>>,
    /// Go programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<Vec<String>>,
    /// Node packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npm: Option<Vec<String>>,
    /// Python packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pip: Option<Vec<String>>,
}

/// An environment as the service holds it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Environment {
    /// `env_…`
    pub id: String,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What it is made of.
    #[serde(default)]
    pub config: Option<EnvironmentConfig>,
    /// The caller's own words about it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// When it was archived, if it was.
    #[serde(default)]
    pub archived_at: Option<Timestamp>,
}

/// Which environments to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListEnvironments {
    /// How many a page.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
}

impl ListEnvironments {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "include_archived", self.include_archived);
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resolved_environment_is_read() {
        let environment: Environment = serde_json::from_value(json!({
            "type": "environment", "id": "env_1", "name": "n", "description": null, "scope": "organization",
            "config": {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": [], "allow_mcp_servers": true,
                "allow_package_managers": false}, "packages": {"apt": [], "pip": ["pandas"], "brew": ["x"]}},
            "metadata": null, "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z",
        }))
        .unwrap();
        let Some(EnvironmentConfig::Cloud {
            networking: Some(Networking::Limited { .. }),
            packages: Some(packages),
        }) = environment.config
        else {
            panic!("not as sent: {environment:?}");
        };
        assert_eq!(packages.pip.as_deref(), Some(&["pandas".to_owned()][..]));
    }

    #[test]
    fn unknown_kinds_are_kept_whole() {
        let unknown = json!({"type": "orbital", "height": 7});
        let config: EnvironmentConfig = serde_json::from_value(unknown.clone()).unwrap();
        assert_eq!(config, EnvironmentConfig::Other(unknown.clone()));
        assert_eq!(
            serde_json::from_value::<Networking>(unknown.clone()).unwrap(),
            Networking::Other(unknown)
        );
    }
}
