//! At a resource: whether a token is good for it at this moment, hop by hop (sem. 2.10, Resource check).

use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::id::{OrgId, ResourceId};
use crate::token::claims::TokenType;
use crate::token::error::TokenError;
use crate::token::exchange::actors::ActorStatus;
use crate::token::exchange::lineage::named;
use crate::token::exchange::rules::check_scope;
use crate::token::exchange::scope::ScopeSet;
use crate::token::exchange::service::TokenExchange;

/// Who passes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatePass {
    /// The organization.
    pub org: OrgId,
    /// For whom it is done.
    pub user: ResourceId,
    /// By whom: the present actor first, then its ancestors.
    pub chain: Vec<ResourceId>,
    /// What the token is good for.
    pub scope: ScopeSet,
}

/// What is wrong with a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HopProblem {
    /// It is not registered.
    Unknown,
    /// It is not active.
    Inactive(ActorStatus),
    /// It works for another user than the token is of.
    OtherUser,
    /// It was not started by the hop the token says.
    OtherParent,
}

/// Why a token does not pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// It is no good token for this resource.
    #[error("the token is not valid")]
    Token(#[from] TokenError),
    /// It is not good for what is wanted.
    #[error("the token is not good for that")]
    Scope,
    /// A hop of its chain does not hold any more: the present actor is hop 0, its parent hop 1.
    #[error("hop {hop} of the token's chain, `{actor}`, does not hold")]
    Hop {
        /// Which.
        hop: usize,
        /// Who.
        actor: ResourceId,
        /// Why.
        problem: HopProblem,
    },
    /// Something this needs failed.
    #[error(transparent)]
    Failed(Box<Error>),
}

impl GateError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Token(_) => ErrorKind::Unauthenticated,
            Self::Scope | Self::Hop { .. } => ErrorKind::Denied,
            Self::Failed(error) => error.kind(),
        }
    }
}

impl TokenExchange {
    /// Whether `token` is good for all of `scope` at the resource called `audience`, now: every hop of its chain is
    /// registered, active, of its user, and the child of the next; its user is enabled. Revoking an ancestor so cuts
    /// whoever acts below it, also with tokens that have not expired.
    ///
    /// # Errors
    /// [`GateError`] names the first hop that fails, from the present actor up. A delegation token is none for a resource.
    pub async fn check(&self, token: &str, audience: &str, scope: &ScopeSet) -> Result<GatePass, GateError> {
        if !self.audiences().contains(audience) {
            return Err(TokenError::WrongAudience.into());
        }
        let claims = self.tokens().verify(token, TokenType::Exchanged, audience)?;
        let chain = claims.act.as_ref().and_then(named).ok_or(TokenError::Claim { claim: "act" })?;
        let held: ScopeSet = claims
            .scope
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|_| TokenError::Claim { claim: "scope" })?;
        check_scope(scope, &[&held]).map_err(|_| GateError::Scope)?;
        let user: ResourceId = claims.sub.parse().map_err(|_| TokenError::Claim { claim: "sub" })?;
        for (hop, actor) in chain.iter().copied().enumerate() {
            let parent = chain.get(hop + 1).copied();
            if let Some(problem) = self.problem(claims.org, actor, user, parent).await? {
                return Err(GateError::Hop { hop, actor, problem });
            }
        }
        match self.tokens().live_user(claims.org, user).await {
            Ok(_) => Ok(GatePass { org: claims.org, user, chain, scope: held }),
            Err(Error::Unauthenticated(reason)) => Err(reason.into()),
            Err(error) => Err(GateError::Failed(Box::new(error))),
        }
    }

    async fn problem(
        &self,
        org: OrgId,
        actor: ResourceId,
        user: ResourceId,
        parent: Option<ResourceId>,
    ) -> Result<Option<HopProblem>, GateError> {
        let found = self.actors().actor(org, actor).await;
        let found = found.map_err(|error| GateError::Failed(Box::new(error.into())))?;
        Ok(match found {
            None => Some(HopProblem::Unknown),
            Some(found) if found.status != ActorStatus::Active => Some(HopProblem::Inactive(found.status)),
            Some(found) if found.user != user => Some(HopProblem::OtherUser),
            Some(found) if found.parent != parent => Some(HopProblem::OtherParent),
            Some(_) => None,
        })
    }
}
