//! Tokens an actor has by its own identity.

use crate::error::Error;
use crate::id::{OrgId, ResourceId};
use crate::token::claims::{Actor, Claims, TokenType};
use crate::token::exchange::actors::subject;
use crate::token::exchange::error::ExchangeError;
use crate::token::exchange::lineage::Lineage;
use crate::token::exchange::rules::check_scope;
use crate::token::exchange::scope::ScopeSet;
use crate::token::exchange::service::{DELEGATION_AUDIENCE, Exchanged, TokenExchange};
use std::time::Duration;

/// How long a delegation token that an actor has by its own identity is good for.
const DELEGATION_LIFETIME: Duration = Duration::from_secs(300);

/// What a token is to be good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant<'a> {
    pub(super) token_type: TokenType,
    pub(super) audience: &'a str,
    pub(super) scope: &'a ScopeSet,
}

impl TokenExchange {
    /// Mints a token for `audience` by the actor's own identity, which whoever calls this has verified: for a resource,
    /// good for 120 seconds, or, for [`DELEGATION_AUDIENCE`], one to be exchanged by its children, good for 300.
    ///
    /// The scope is within what its template lets it have of its own, which need not be within its parent's
    /// (sem. 2.12). User and lineage are those of the registry.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn mint_workload(
        &self,
        org: OrgId,
        actor: ResourceId,
        audience: &str,
        scope: &ScopeSet,
    ) -> Result<Exchanged, ExchangeError> {
        let (token_type, lifetime) = self.target(audience)?;
        let lifetime = if token_type == TokenType::Delegation { DELEGATION_LIFETIME } else { lifetime };
        let lineage = self.registered(org, actor).await?;
        check_scope(scope, &[&own(&lineage)])?;
        self.issue(org, &lineage, &Grant { token_type, audience, scope }, lifetime, None)
    }

    /// Mints a delegation token that nobody but `child` can redeem (`may_act`), good for 300 seconds; else as
    /// [`mint_workload`](Self::mint_workload).
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn mint_delegation_for(
        &self,
        org: OrgId,
        actor: ResourceId,
        child: ResourceId,
        scope: &ScopeSet,
    ) -> Result<Exchanged, ExchangeError> {
        let lineage = self.registered(org, actor).await?;
        check_scope(scope, &[&own(&lineage)])?;
        let grant = Grant { token_type: TokenType::Delegation, audience: DELEGATION_AUDIENCE, scope };
        self.issue(org, &lineage, &grant, DELEGATION_LIFETIME, Some(child))
    }

    /// Mints the assertion by which the actor names itself in one exchange, good for 120 seconds; whoever calls this has
    /// verified its identity.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn mint_assertion(&self, org: OrgId, actor: ResourceId) -> Result<Exchanged, ExchangeError> {
        let lineage = self.registered(org, actor).await?;
        let lifetime = TokenType::Exchanged.max_lifetime();
        let (audience, scope) = (&*self.endpoint(), &ScopeSet::default());
        let grant = Grant { token_type: TokenType::Exchanged, audience, scope };
        self.issue(org, &lineage, &grant, lifetime, None)
    }

    /// The actor with its ancestors, all active, of one user and tenant; the user is enabled.
    async fn registered(&self, org: OrgId, actor: ResourceId) -> Result<Lineage, ExchangeError> {
        let lineage = self.lineage(org, actor).await?;
        if let Some(stranger) = lineage.stranger() {
            return Err(ExchangeError::Chain { actor: stranger.subject() });
        }
        Ok(lineage)
    }

    pub(super) fn target(&self, audience: &str) -> Result<(TokenType, Duration), ExchangeError> {
        let token_type = if audience == DELEGATION_AUDIENCE {
            TokenType::Delegation
        } else if self.audiences().contains(audience) {
            TokenType::Exchanged
        } else {
            return Err(ExchangeError::Target);
        };
        Ok((token_type, TokenType::Exchanged.max_lifetime()))
    }

    pub(super) fn issue(
        &self,
        org: OrgId,
        lineage: &Lineage,
        grant: &Grant<'_>,
        lifetime: Duration,
        only: Option<ResourceId>,
    ) -> Result<Exchanged, ExchangeError> {
        let Grant { token_type, audience, scope } = *grant;
        let internal = |message: &str| ExchangeError::from(Error::Internal { message: message.to_owned() });
        let user = lineage.actor().map(|actor| actor.user).ok_or_else(|| internal("a chain has no actor"))?;
        let claims = Claims {
            aud: audience.to_owned(),
            act: lineage.act(),
            may_act: only.map(|child| Actor { sub: subject(child), act: None }),
            scope: (!scope.is_empty()).then(|| scope.to_string()),
            ..self.tokens().new_claims(token_type, org, user.to_string(), lifetime)
        };
        let token = self.tokens().sign(&claims)?;
        Ok(Exchanged { token, token_type, scope: scope.clone(), expires_in: lifetime })
    }
}

/// The scopes an actor may have by its own identity.
fn own(lineage: &Lineage) -> ScopeSet {
    lineage.actor().map(|actor| actor.own.clone()).unwrap_or_default()
}
