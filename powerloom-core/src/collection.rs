//! The records of one kind, typed, as one caller: each call builds a [`Mutation`](crate::door::mutation::Mutation) and
//! goes through the door, or reads what the caller may read.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::mutation::{Action, UploadedFile};
use crate::door::outcome::Outcome;
use crate::error::Result;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::name::Name;
use crate::reconcile::state::{SyncState, SyncStatus};
use crate::record::{Record, ResourceKey};
use crate::resource::agent::Agent;
use crate::resource::credential::Credential;
use crate::resource::kind::Declared;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::role_binding::RoleBinding;
use crate::resource::skill::Skill;
use crate::resource::user::User;
use crate::store::{RecordCursor, RecordQuery};
use serde_json::{Map, Value};
use std::marker::PhantomData;

/// The records of kind `K`, as one caller.
///
/// # Examples
/// ```
/// use powerloom_core::authz::AgentKind;
/// use powerloom_core::control_plane::ControlPlane;
/// use powerloom_core::resource::agent::AgentSpec;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
/// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
/// let admin = acme.admin_caller();
///
/// let spec = AgentSpec::new("claude-sonnet-4-6", AgentKind::User, admin.principal.clone());
/// loom.agents(&admin).create(acme.root_ou, &"code-reviewer".parse()?, &spec).await?;
/// let agents = loom.agents(&admin).list(None).await?;
/// assert_eq!(agents[0].spec, spec);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Collection<'a, K> {
    loom: &'a ControlPlane,
    caller: &'a Caller,
    kind: PhantomData<K>,
}

impl ControlPlane {
    /// The records of any kind, a kind of the embedder's own included.
    #[must_use]
    pub const fn records<'a, K: Declared>(&'a self, caller: &'a Caller) -> Collection<'a, K> {
        Collection { loom: self, caller, kind: PhantomData }
    }

    /// The organization's agents.
    #[must_use]
    pub const fn agents<'a>(&'a self, caller: &'a Caller) -> Collection<'a, Agent> {
        self.records(caller)
    }

    /// The organization's skills.
    #[must_use]
    pub const fn skills<'a>(&'a self, caller: &'a Caller) -> Collection<'a, Skill> {
        self.records(caller)
    }

    /// The organization's MCP servers.
    #[must_use]
    pub const fn mcp_servers<'a>(&'a self, caller: &'a Caller) -> Collection<'a, McpServer> {
        self.records(caller)
    }

    /// The organization's credentials; their bearers are nowhere to be read.
    #[must_use]
    pub const fn credentials<'a>(&'a self, caller: &'a Caller) -> Collection<'a, Credential> {
        self.records(caller)
    }

    /// The organization's OUs.
    #[must_use]
    pub const fn ous<'a>(&'a self, caller: &'a Caller) -> Collection<'a, Ou> {
        self.records(caller)
    }

    /// The organization's users.
    #[must_use]
    pub const fn users<'a>(&'a self, caller: &'a Caller) -> Collection<'a, User> {
        self.records(caller)
    }

    /// The organization's role bindings.
    #[must_use]
    pub const fn role_bindings<'a>(&'a self, caller: &'a Caller) -> Collection<'a, RoleBinding> {
        self.records(caller)
    }
}

impl<K: Declared> Collection<'_, K> {
    /// Declares one whose author chooses OU and name.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn create(&self, ou: ResourceId, name: &Name, spec: &K::Spec) -> Result<Outcome> {
        self.declare(Some(ou), Some(name.to_string()), spec).await
    }

    /// Declares one whose author chooses the OU, its name following from the spec: a user, a role binding.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn create_in(&self, ou: ResourceId, spec: &K::Spec) -> Result<Outcome> {
        self.declare(Some(ou), None, spec).await
    }

    /// Declares one whose OU and name follow from the spec: a credential, a membership.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn create_derived(&self, spec: &K::Spec) -> Result<Outcome> {
        self.declare(None, None, spec).await
    }

    async fn declare(&self, ou: Option<ResourceId>, name: Option<String>, spec: &K::Spec) -> Result<Outcome> {
        let spec = match serde_json::to_value(spec) {
            Ok(Value::Object(spec)) => spec,
            _ => return Err(Invalid::hidden("spec", "what a JSON object can hold").into()),
        };
        self.loom.submit(self.caller, Action::Create { kind: K::KIND, ou, name, spec }).await
    }

    /// Changes fields of one: absent ones stay, `null` clears. With `expect`, only if it has this version.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn update(
        &self,
        id: ResourceId,
        expect: Option<u64>,
        patch: Map<String, Value>,
    ) -> Result<Outcome> {
        self.loom
            .submit(self.caller, Action::Update { target: ResourceKey::of::<K>(id), expect, patch })
            .await
    }

    /// Takes one out of use, for good.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn archive(&self, id: ResourceId) -> Result<Outcome> {
        self.loom
            .submit(self.caller, Action::Archive { target: ResourceKey::of::<K>(id), expect: None })
            .await
    }

    /// Reads one.
    ///
    /// # Errors
    /// `not_found`, `denied`.
    pub async fn get(&self, id: ResourceId) -> Result<Record<K>> {
        Ok(Record::read(&self.loom.get(self.caller, &ResourceKey::of::<K>(id)).await?)?)
    }

    /// Reads all the caller may read, by name; with `ou`, only those it governs itself.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, ou: Option<ResourceId>) -> Result<Vec<Record<K>>> {
        let mut query = RecordQuery { kind: Some(K::KIND), ou, ..RecordQuery::default() };
        let mut records = Vec::new();
        loop {
            let page = self.loom.list(self.caller, &query).await?;
            let Some(last) = page.last() else { return Ok(records) };
            query.after =
                Some(RecordCursor { kind: K::KIND, name: last.meta.name.clone(), id: last.meta.id });
            for row in &page {
                records.push(Record::read(row)?);
            }
        }
    }

    /// Where one stands on the runtime.
    ///
    /// # Errors
    /// `not_found`, `denied`.
    pub async fn sync_state(&self, id: ResourceId) -> Result<(SyncState, SyncStatus)> {
        self.loom.sync_state(self.caller, &ResourceKey::of::<K>(id)).await
    }
}

impl Collection<'_, Agent> {
    /// Gives an agent a skill: the current version as it changes, or one version for good.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn attach_skill(
        &self,
        agent: ResourceId,
        skill: ResourceId,
        version: Option<ResourceId>,
    ) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::AttachSkill { agent, skill, version, expect: None }).await
    }

    /// Takes a skill from an agent.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`]; `not_found` if the agent does not have it.
    pub async fn detach_skill(&self, agent: ResourceId, skill: ResourceId) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::DetachSkill { agent, skill, expect: None }).await
    }

    /// Gives an agent an MCP server.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn attach_mcp_server(&self, agent: ResourceId, mcp_server: ResourceId) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::AttachMcpServer { agent, mcp_server, expect: None }).await
    }

    /// Takes an MCP server from an agent.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`]; `not_found` if the agent does not have it.
    pub async fn detach_mcp_server(&self, agent: ResourceId, mcp_server: ResourceId) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::DetachMcpServer { agent, mcp_server, expect: None }).await
    }
}

impl Collection<'_, Skill> {
    /// Uploads a version of a skill.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`].
    pub async fn publish(&self, skill: ResourceId, files: Vec<UploadedFile>) -> Result<Outcome> {
        self.loom.submit(self.caller, Action::PublishSkillVersion { skill, files }).await
    }
}
