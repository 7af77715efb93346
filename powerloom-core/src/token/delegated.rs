//! Session-delegated tokens: one tool call of a session, in the name of whoever started it (rows M5–M12).

use crate::clock::Timestamp;
use crate::door::caller::{Caller, TokenKind};
use crate::error::Result;
use crate::id::ResourceId;
use crate::principal::Principal;
use crate::session::record::SessionRecord;
use crate::token::access::user_of;
use crate::token::claims::{Actor, Claims, TokenType};
use crate::token::error::TokenError;
use crate::token::meta_tool::MetaTool;
use crate::token::service::TokenService;
use crate::token::signed::SignedToken;

impl TokenService {
    /// Mints the token of one call of `tool` out of `session`, good for 300 seconds: the subject is whoever started the
    /// session, as its row says and as nobody can ask for (row M9).
    ///
    /// `session` must just have been read, and whoever calls this vouches that the call comes out of it: a face takes the
    /// session's own handle for that, never an id somebody sent (sem. 2.15).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated) unless the session runs and was started by a user.
    pub fn mint_delegated_claims(&self, session: &SessionRecord, tool: MetaTool) -> Result<SignedToken> {
        let user = runs_for(session, self.plane().now())?;
        let lifetime = TokenType::Delegated.max_lifetime();
        let claims = Claims {
            sid: Some(session.id),
            act: Some(actor(session)),
            tools: vec![tool],
            permissions: Some(tool.permissions()),
            ..self.new_claims(TokenType::Delegated, session.org, user.to_string(), lifetime)
        };
        self.sign(&claims)
    }

    /// Verifies a delegated token. Live, on every use: its session runs, was started by its subject, who is enabled; so
    /// the end of the session ends its tokens at once (row M10). What it may do at most follows from its tool, whatever
    /// it says of permissions.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated); the store's.
    pub async fn verify_delegated(&self, token: &str) -> Result<Caller> {
        let claims = self.verify(token, TokenType::Delegated, &self.audience(TokenType::Delegated))?;
        let user = user_of(&claims)?;
        let sid = claims.sid.ok_or(TokenError::Claim { claim: "sid" })?;
        let [tool] = claims.tools.as_slice() else {
            return Err(TokenError::Claim { claim: "tools" }.into());
        };
        let session = self.plane().store.session(claims.org, sid).await?.ok_or(TokenError::SessionGone)?;
        if runs_for(&session, self.plane().now())? != user {
            return Err(TokenError::SessionGone.into());
        }
        if claims.act.as_ref() != Some(&actor(&session)) {
            return Err(TokenError::Claim { claim: "act" }.into());
        }
        self.live_user(claims.org, user).await?;
        Ok(Caller::user(claims.org, user).by(TokenKind::Access).delegated(sid, tool.permissions()))
    }
}

/// The user for whom the session runs, if it does: one that is being stopped or is overdue does not any more, and one
/// that an agent started has nobody to act for but that agent.
fn runs_for(session: &SessionRecord, now: Timestamp) -> std::result::Result<ResourceId, TokenError> {
    match session.started_by.parse() {
        Ok(Principal::User(user)) if session.is_acting(now) => Ok(user),
        _ => Err(TokenError::SessionGone),
    }
}

/// The agent that acts for the subject (RFC 8693, 4.1).
fn actor(session: &SessionRecord) -> Actor {
    Actor { sub: format!("agent:{}", session.agent_id), act: None }
}
