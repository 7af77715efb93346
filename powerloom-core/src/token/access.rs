//! Access tokens: what a person has after the embedder's login.

use crate::door::caller::{Caller, TokenKind};
use crate::error::Result;
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::token::claims::{Claims, TokenType};
use crate::token::error::TokenError;
use crate::token::service::TokenService;
use crate::token::signed::SignedToken;
use std::time::Duration;

impl TokenService {
    /// Mints an access token for a user whom the embedder has just authenticated: good for `lifetime`, 1 second to one
    /// hour, in whole seconds.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) for a lifetime out of bounds;
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated) for a user who is unknown in the organization or
    /// disabled; the store's.
    pub async fn mint_access(&self, org: OrgId, user: ResourceId, lifetime: Duration) -> Result<SignedToken> {
        let most = TokenType::Access.max_lifetime();
        if lifetime.as_secs() == 0 || lifetime > most || lifetime.subsec_nanos() != 0 {
            let allowed = format!("1 to {} whole seconds", most.as_secs());
            return Err(Invalid::new("lifetime", format!("{lifetime:?}"), allowed).into());
        }
        let record = self.live_user(org, user).await?;
        let claims = Claims {
            email: Some(record.spec.email.to_string()),
            ..self.new_claims(TokenType::Access, org, user.to_string(), lifetime)
        };
        self.sign(&claims)
    }

    /// Verifies an access token: its user exists in its organization and is enabled at this moment.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated); the store's.
    pub async fn verify_access(&self, token: &str) -> Result<Caller> {
        let claims = self.verify(token, TokenType::Access, &self.audience(TokenType::Access))?;
        let user = user_of(&claims)?;
        self.live_user(claims.org, user).await?;
        Ok(Caller::user(claims.org, user).by(TokenKind::Access))
    }
}

/// The subject as a user's id, in the one spelling we write.
pub(super) fn user_of(claims: &Claims) -> std::result::Result<ResourceId, TokenError> {
    match claims.sub.parse::<ResourceId>() {
        Ok(user) if user.to_string() == claims.sub => Ok(user),
        _ => Err(TokenError::Claim { claim: "sub" }),
    }
}
