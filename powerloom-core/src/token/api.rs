//! API tokens: long-lived, of a person's or the organization's programs (sem. 2.10, "Personal tokens").

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::caller::{Caller, TokenKind};
use crate::door::mutation::Action;
use crate::door::outcome::Outcome;
use crate::door::submit::{Answer, SubmitOptions};
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::PermissionPattern;
use crate::principal::Principal;
use crate::record::{Record, RecordRow, ResourceKey};
use crate::resource::api_token::{ApiToken, ApiTokenStatus};
use crate::store::{Commit, Precondition, StoreError, Write};
use crate::token::api_secret::{ApiSecret, ApiTokenText};
use crate::token::error::TokenError;
use crate::token::service::TokenService;
use serde_json::json;
use std::time::Duration;

/// How long a use of an API token is not written down again.
const USE_NOTED: Duration = Duration::from_secs(60);

/// How long a new API token is good unless its maker says otherwise: 30 days, or less where
/// [`Limits::api_token_lifetime`](crate::limits::Limits::api_token_lifetime) is shorter.
pub const USUAL_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longer than any token may be good for, and still a moment that can be written.
const TOO_LONG: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// Until when a new API token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a token ends at a moment, and this is how one is named")]
pub enum Expiry {
    /// The first moment at which it is no longer good.
    At(Timestamp),
    /// So long from its creation on.
    After(Duration),
    /// [`USUAL_LIFETIME`] from its creation on.
    #[default]
    Usual,
}

impl From<Timestamp> for Expiry {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}

/// What is asked of a new API token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain input")]
pub struct ApiTokenRequest {
    /// Whose it is: a user or a service.
    pub principal: Principal,
    /// What people know it by: 1 to 63 characters, unique among the principal's tokens that are not revoked.
    pub name: String,
    /// What it may do at most; of that, the principal's own permissions decide.
    pub scopes: Vec<PermissionPattern>,
    /// Until when it is good.
    pub expires: Expiry,
}

impl ApiTokenRequest {
    /// By what the same request is known.
    fn fingerprint(&self) -> Result<Digest> {
        let Self { principal, name, scopes, expires } = self;
        let expires = match expires {
            Expiry::At(moment) => json!({ "at": moment }),
            Expiry::After(lifetime) => json!({ "after_us": lifetime.as_micros().to_string() }),
            Expiry::Usual => json!("usual"),
        };
        let asked = json!({ "principal": principal, "name": name, "scopes": scopes, "expires": expires });
        Ok(Digest::of_json(&asked)?)
    }
}

/// A new API token, on its way to its bearer.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewApiToken {
    /// The text. It cannot be shown again.
    pub text: ApiTokenText,
    /// What creating it came to: while somebody's approval is awaited, the text is not good yet.
    pub outcome: Outcome,
}

/// What a creation that may have been asked for before came to.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it is the first time or it is not")]
pub enum ApiTokenCreation {
    /// A new token.
    New(NewApiToken),
    /// The same request, with the same idempotency key, was answered so before. The text it was given then is kept
    /// nowhere: whoever has lost it revokes that token and creates another.
    Repeated(Outcome),
}

impl TokenService {
    /// Creates an API token. The secret is drawn here and never passes the door, whose answers and audit rows are kept:
    /// only its digest does.
    ///
    /// One's own needs only oneself, in person; that of others needs `token:create` at their home OU (a service's is the
    /// root) and that the scopes are the caller's to give at the root: whoever knows the text can act with it.
    ///
    /// # Errors
    /// As [`ControlPlane::submit`](crate::control_plane::ControlPlane::submit); `name_taken` for a name the principal has
    /// a token of. If an answer was lost, revoke the token of that name.
    ///
    /// # Cancel safety
    /// Dropped, a token whose text nobody knows may exist.
    pub async fn create_api_token(&self, caller: &Caller, request: ApiTokenRequest) -> Result<NewApiToken> {
        let (text, answer) = self.create(caller, request, &SubmitOptions::default()).await?;
        Ok(NewApiToken { text, outcome: answer.outcome })
    }

    /// The same with an idempotency key or a justification.
    ///
    /// A request is the same if it asks for the same: whose, called what, which scopes, until when, in the words it was
    /// asked in. Id and secret are drawn anew each time, so a repetition makes no second token and has no text to show.
    ///
    /// # Errors
    /// As [`create_api_token`](Self::create_api_token), and `idempotency_mismatch`.
    ///
    /// # Cancel safety
    /// As [`create_api_token`](Self::create_api_token); with an idempotency key, asking again tells which token it is.
    pub async fn create_api_token_with(
        &self,
        caller: &Caller,
        request: ApiTokenRequest,
        options: &SubmitOptions,
    ) -> Result<ApiTokenCreation> {
        let (text, Answer { outcome, repeated }) = self.create(caller, request, options).await?;
        Ok(if repeated {
            ApiTokenCreation::Repeated(outcome)
        } else {
            ApiTokenCreation::New(NewApiToken { text, outcome })
        })
    }

    async fn create(
        &self,
        caller: &Caller,
        request: ApiTokenRequest,
        options: &SubmitOptions,
    ) -> Result<(ApiTokenText, Answer)> {
        let plane = self.plane();
        let asked = request.fingerprint()?;
        let now = plane.now();
        let token = ResourceId::generate(now, plane.entropy.as_ref());
        let secret = ApiSecret::generate(plane.entropy.as_ref());
        let ApiTokenRequest { principal, name, scopes, expires } = request;
        let expires_at = match expires {
            Expiry::At(moment) => moment,
            Expiry::After(lifetime) => now + lifetime.min(TOO_LONG),
            Expiry::Usual => now + USUAL_LIFETIME.min(plane.limits.api_token_lifetime),
        };
        let digest = secret.digest(caller.org, token);
        let action = Action::CreateApiToken { token, principal, name, scopes, expires_at, digest };
        let answer = plane.answer(caller, &action.into(), options, Some(asked)).await?;
        Ok((ApiTokenText::new(caller.org, token, secret), answer))
    }

    /// Verifies an API token: it is not revoked, not expired, and its principal is still there.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated); the store's.
    pub async fn verify_api_token(&self, text: &str) -> Result<Caller> {
        let plane = self.plane();
        let now = plane.now();
        let presented = ApiTokenText::parse(text)?;
        let key = ResourceKey::of::<ApiToken>(presented.token);
        let row = plane.store.record(presented.org, &key).await?.ok_or(TokenError::UnknownToken)?;
        let token = Record::<ApiToken>::read(&row)?;
        // First: only who knows the secret learns, even from the time it takes, what became of the token.
        if !presented.secret().opens(presented.org, presented.token, &token.status.digest) {
            return Err(TokenError::UnknownToken.into());
        }
        if !row.is_live() {
            return Err(TokenError::Revoked.into());
        }
        if now >= token.spec.expires_at {
            return Err(TokenError::Expired.into());
        }
        let caller = match &token.spec.principal {
            Principal::User(user) => {
                self.live_user(presented.org, *user).await?;
                Caller::user(presented.org, *user)
            }
            Principal::Service(name) => Caller::service(presented.org, name.clone()),
            // The door makes none of others.
            _ => return Err(TokenError::NotAccepted.into()),
        };
        self.note_use(row, token.status, now).await;
        Ok(caller.by(TokenKind::Api).narrowed(token.spec.scopes.iter().copied().collect()))
    }

    /// Writes down when the token was used, at most once a minute. It is no change of the control plane, so it has no
    /// audit row; and a call never fails because of it.
    async fn note_use(&self, mut row: RecordRow, status: ApiTokenStatus, now: Timestamp) {
        if status.last_used_at.is_some_and(|last| now.since(last) < USE_NOTED) {
            return;
        }
        let mut commit = Commit::new(row.meta.org, now);
        // Whoever revokes it meanwhile is not overwritten.
        commit.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
        let Ok(status) = serde_json::to_value(ApiTokenStatus { last_used_at: Some(now), ..status }) else {
            return;
        };
        row.status = status;
        row.meta.version += 1;
        row.meta.updated_at = now;
        commit.write.push(Write::PutRecord(Box::new(row)));
        match self.plane().store.commit(commit).await {
            // Refused: somebody else wrote it at the same moment.
            Ok(_) | Err(StoreError::Refused(_)) => {}
            Err(error) => tracing::warn!(%error, "the use of an API token could not be written down"),
        }
    }
}
