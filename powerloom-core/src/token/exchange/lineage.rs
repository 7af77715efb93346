//! The chain of an actor and its ancestors, as the registry has it and as a token says.

use crate::error::Result;
use crate::id::{OrgId, ResourceId};
use crate::token::claims::Actor;
use crate::token::exchange::MAX_DEPTH;
use crate::token::exchange::actors::{ActorStatus, Actors, RegisteredActor, actor_id};

/// An actor and its ancestors, the actor first, the top-level one last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lineage(pub(super) Vec<RegisteredActor>);

/// Why a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) actor: ResourceId,
}

impl Lineage {
    /// Walks up from `actor`; `Err` inside for one that is not registered, is its own ancestor, or is too deep.
    pub(super) async fn load(
        actors: &dyn Actors,
        org: OrgId,
        actor: ResourceId,
    ) -> Result<std::result::Result<Self, Broken>> {
        let mut members: Vec<RegisteredActor> = Vec::new();
        let mut next = Some(actor);
        while let Some(id) = next {
            let too_deep = members.len() >= usize::try_from(MAX_DEPTH).unwrap_or(usize::MAX);
            if too_deep || members.iter().any(|member| member.id == id) {
                return Ok(Err(Broken { actor: id }));
            }
            let Some(member) = actors.actor(org, id).await? else { return Ok(Err(Broken { actor: id })) };
            next = member.parent;
            members.push(member);
        }
        Ok(Ok(Self(members)))
    }

    pub(super) fn actor(&self) -> Option<&RegisteredActor> {
        self.0.first()
    }

    /// How deep the actor is; a top-level one has 1.
    pub(super) fn depth(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The first member that is not active, the actor first.
    pub(super) fn inactive(&self) -> Option<&RegisteredActor> {
        self.0.iter().find(|member| member.status != ActorStatus::Active)
    }

    /// The first member that works for somebody else, or elsewhere, than the actor.
    pub(super) fn stranger(&self) -> Option<&RegisteredActor> {
        let actor = self.actor()?;
        self.0.iter().find(|member| member.user != actor.user || member.tenant != actor.tenant)
    }

    /// The deepest that a member of this chain lets a child of the actor be: the smallest limit of all.
    pub(super) fn depth_limit(&self) -> u32 {
        self.0.iter().filter_map(|member| member.policy.max_depth).min().unwrap_or(MAX_DEPTH).min(MAX_DEPTH)
    }

    /// The `act` claim of the actor: itself, its ancestors nested.
    pub(super) fn act(&self) -> Option<Actor> {
        self.0
            .iter()
            .rev()
            .fold(None, |inner, member| Some(Actor { sub: member.subject(), act: inner.map(Box::new) }))
    }
}

/// The actors an `act` claim names, the present one first; `None` if one is no name of ours, or they are too many.
pub(super) fn named(act: &Actor) -> Option<Vec<ResourceId>> {
    let mut ids = Vec::new();
    let mut next = Some(act);
    while let Some(actor) = next {
        if ids.len() >= usize::try_from(MAX_DEPTH).unwrap_or(usize::MAX) {
            return None;
        }
        ids.push(actor_id(&actor.sub)?);
        next = actor.act.as_deref();
    }
    Some(ids)
}
