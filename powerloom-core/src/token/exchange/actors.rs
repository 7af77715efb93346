//! The port to where instances of agents are known.

use crate::id::{OrgId, ResourceId};
use crate::name::Name;
use crate::store::StoreError;
use crate::token::exchange::scope::ScopeSet;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a further status must break whoever decides on one")]
pub enum ActorStatus {
    /// It works.
    Active,
    /// It was stopped, and may go on one day.
    Revoked,
    /// It has ended for good.
    Completed,
}

/// What an actor may hand on to those it starts; its template says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the three things sem. 2.10 names")]
pub struct DelegationPolicy {
    /// The kinds of children it may have; none unless named.
    #[serde(default)]
    pub children: BTreeSet<Name>,
    /// The scopes it may hand on; none unless named.
    #[serde(default)]
    pub grantable: ScopeSet,
    /// How deep the tree below a top-level actor may be, counted from that one, which has depth 1; no limit of its own
    /// without one.
    #[serde(default)]
    pub max_depth: Option<u32>,
}

/// An actor as the registry has it: one running instance of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data from a registry to the rules")]
pub struct RegisteredActor {
    /// Its id; in tokens `instance:<id>`.
    pub id: ResourceId,
    /// The key of its template: what kind of agent it is.
    pub kind: Name,
    /// Who started it; none for a top-level one.
    pub parent: Option<ResourceId>,
    /// For whom it works.
    pub user: ResourceId,
    /// In which tenant, if in one.
    pub tenant: Option<Name>,
    /// Where it is in its life.
    pub status: ActorStatus,
    /// The scopes it may have by its own identity; none unless named.
    pub own: ScopeSet,
    /// What it may hand on.
    pub policy: DelegationPolicy,
}

impl RegisteredActor {
    /// Its name in tokens.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self.id)
    }
}

/// The name of an actor in tokens: `instance:<id>`.
pub(super) fn subject(id: ResourceId) -> String {
    format!("instance:{id}")
}

/// The actor of a name in a token, in the one spelling we write.
pub(super) fn actor_id(sub: &str) -> Option<ResourceId> {
    let id = sub.strip_prefix("instance:")?.parse().ok()?;
    (subject(id) == sub).then_some(id)
}

/// Knows the instances.
///
/// # Guarantees every implementation gives
/// 1. **Current**: what a revocation that has returned took away is seen by the next call.
/// 2. **Isolated**: an actor of another organization reads as absent.
/// 3. **Fixed**: `kind`, `parent`, `user` and `tenant` of an id never change.
#[async_trait]
pub trait Actors: fmt::Debug + Send + Sync + 'static {
    /// The actor of an id, whatever its status.
    ///
    /// # Errors
    /// Those of its store.
    async fn actor(&self, org: OrgId, id: ResourceId) -> Result<Option<RegisteredActor>, StoreError>;
}
