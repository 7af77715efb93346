//! The kinds that exist: the built-in ones, one line each, and those an embedder adds.

use crate::approval::{ApprovalRequest, StandingConsent};
use crate::invalid::Invalid;
use crate::record::KindName;
use crate::resource::agent::Agent;
use crate::resource::api_token::ApiToken;
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::credential::Credential;
use crate::resource::environment::Environment;
use crate::resource::group::{Group, GroupMembership};
use crate::resource::kind::{Declared, Kind, Rules};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::role::Role;
use crate::resource::role_binding::RoleBinding;
use crate::resource::skill::Skill;
use crate::resource::skill_grant::SkillAccessGrant;
use crate::resource::skill_version::SkillVersion;
use crate::resource::user::User;
use crate::resource::vault::Vault;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All kinds of a control plane.
#[derive(Debug, Clone)]
pub struct Catalogue {
    kinds: BTreeMap<KindName, Arc<dyn Kind>>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let mut catalogue = Self { kinds: BTreeMap::new() };
        catalogue.builtin::<Ou>();
        catalogue.builtin::<User>();
        catalogue.builtin::<Group>();
        catalogue.builtin::<GroupMembership>();
        catalogue.builtin::<Role>();
        catalogue.builtin::<RoleBinding>();
        catalogue.builtin::<ApprovalPolicy>();
        catalogue.builtin::<Environment>();
        catalogue.builtin::<Skill>();
        catalogue.builtin::<SkillVersion>();
        catalogue.builtin::<SkillAccessGrant>();
        catalogue.builtin::<McpServer>();
        catalogue.builtin::<McpDeployment>();
        catalogue.builtin::<Agent>();
        catalogue.builtin::<Vault>();
        catalogue.builtin::<Credential>();
        catalogue.builtin::<ApiToken>();
        catalogue.builtin::<ApprovalRequest>();
        catalogue.builtin::<StandingConsent>();
        catalogue
    }
}

impl Catalogue {
    fn builtin<K: Declared>(&mut self) {
        self.kinds.insert(K::KIND, Arc::new(Rules::<K>::default()));
    }

    /// Adds a kind of the embedder's own.
    ///
    /// # Errors
    /// [`Invalid`] if a kind of that name exists already.
    pub fn register(&mut self, kind: Arc<dyn Kind>) -> Result<(), Invalid> {
        let name = kind.name();
        if self.kinds.contains_key(&name) {
            return Err(Invalid::new("kind", name, "a name that no other kind has"));
        }
        self.kinds.insert(name, kind);
        Ok(())
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// [`Invalid`] names the nearest kind there is.
    pub fn kind(&self, name: &KindName) -> Result<&Arc<dyn Kind>, Invalid> {
        self.kinds.get(name).ok_or_else(|| {
            let nearest = self
                .kinds
                .keys()
                .max_by(|a, b| {
                    let near = |known: &KindName| strsim::jaro_winkler(known.as_str(), name.as_str());
                    near(a).total_cmp(&near(b))
                })
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            let known: Vec<&str> = self.kinds.keys().map(KindName::as_str).collect();
            Invalid::new("kind", name, format!("one of {}{nearest}", known.join(", ")))
        })
    }

    /// Every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.kinds.values()
    }
}
