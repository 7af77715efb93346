//! The exchange itself.

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::Error;
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::store::{Commit, IdempotencyRow, Precondition, Refused, StoreError, Write};
use crate::token::claims::{Claims, TokenType};
use crate::token::error::TokenError;
use crate::token::exchange::actors::{Actors, RegisteredActor, subject};
use crate::token::exchange::error::ExchangeError;
use crate::token::exchange::lineage::{Lineage, named};
use crate::token::exchange::mint::Grant;
use crate::token::exchange::request::ExchangeRequest;
use crate::token::exchange::rules::Redemption;
use crate::token::exchange::scope::ScopeSet;
use crate::token::service::TokenService;
use crate::token::signed::SignedToken;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The audience of tokens that are good for nothing but to be exchanged.
pub const DELEGATION_AUDIENCE: &str = "delegation";

/// Most resources tokens are given for.
const MAX_AUDIENCES: usize = 256;

/// Exchanges tokens, mints those actors have by their own identity, and judges them at a resource
/// ([`check`](Self::check)). Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenExchange {
    tokens: TokenService,
    actors: Arc<dyn Actors>,
    audiences: Arc<BTreeSet<String>>,
}

/// A token that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchanged {
    /// The token.
    pub token: SignedToken,
    /// Its kind: [`TokenType::Exchanged`] is a bearer, [`TokenType::Delegation`] is none (`N_A`, RFC 8693, 2.2.1).
    pub token_type: TokenType,
    /// What it is good for.
    pub scope: ScopeSet,
    /// How long it is good.
    pub expires_in: Duration,
}

impl TokenExchange {
    /// Exchanges tokens of `tokens` among `actors`, for the resources called `audiences`.
    ///
    /// # Errors
    /// [`Invalid`] for a name that is empty, longer than 255 bytes, not visible ASCII, one of the control plane's own, or
    /// [`DELEGATION_AUDIENCE`]; and for more than 256 of them.
    pub fn new(
        tokens: TokenService,
        actors: Arc<dyn Actors>,
        audiences: impl IntoIterator<Item = String>,
    ) -> Result<Self, Invalid> {
        let audiences: BTreeSet<String> = audiences.into_iter().collect();
        if audiences.len() > MAX_AUDIENCES {
            return Err(Invalid::new("audiences", audiences.len(), format!("at most {MAX_AUDIENCES}")));
        }
        let exchange = Self { tokens, actors, audiences: Arc::new(audiences) };
        let ours = TokenType::ALL.map(|token_type| exchange.tokens.audience(token_type).into_owned());
        for name in exchange.audiences.iter() {
            let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
            let own = ours.contains(name) || *name == exchange.endpoint() || name == DELEGATION_AUDIENCE;
            if name.is_empty() || name.len() > 255 || !visible || own {
                let allowed = "1 to 255 visible ASCII characters, and no name of the control plane's own";
                return Err(Invalid::new("audience", name, allowed));
            }
        }
        Ok(exchange)
    }

    /// The audience of the assertions by which actors name themselves here.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}#exchange", self.tokens.audience(TokenType::Access))
    }

    /// Gives the actor a token of its own for the delegation token of its parent, good for 120 seconds, and never for
    /// longer than that one.
    ///
    /// # Errors
    /// [`ExchangeError`]; nothing is narrowed in silence.
    ///
    /// # Cancel safety
    /// Dropped, the assertion may be used up: a new one is minted for the next try.
    pub async fn exchange(&self, request: &ExchangeRequest) -> Result<Exchanged, ExchangeError> {
        let given = self.redeem(request).await;
        if let Err(error) = &given {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            tracing::info!(code = error.code(), %error, reason, "a token exchange was refused");
        }
        given
    }

    async fn redeem(&self, request: &ExchangeRequest) -> Result<Exchanged, ExchangeError> {
        let (token_type, most) = self.target(&request.audience)?;
        let wanted: ScopeSet =
            request.scope.parse().map_err(|_| ExchangeError::Scope { problem: "it is malformed" })?;
        let subject = self
            .tokens
            .verify(&request.subject_token, TokenType::Delegation, DELEGATION_AUDIENCE)
            .map_err(|source| ExchangeError::Token { parameter: "subject_token", source })?;
        let assertion = self
            .tokens
            .verify(&request.actor_token, TokenType::Exchanged, &self.endpoint())
            .map_err(|source| ExchangeError::Token { parameter: "actor_token", source })?;
        if assertion.org != subject.org {
            return Err(ExchangeError::Actor { problem: "it is of another organization" });
        }
        let parent = self.present(&subject, "subject_token").await?;
        let lineage = self.present(&assertion, "actor_token").await?;
        let actor = lineage.actor().ok_or(ExchangeError::Actor { problem: "it is not registered" })?;
        may_act(&subject, actor)?;
        let held = subject.scope.as_deref().unwrap_or_default().parse::<ScopeSet>();
        let held = held.map_err(|_| bad_claim("subject_token", "scope"))?;
        Redemption { subject: &held, parent: &parent, actor, wanted: &wanted }.judge()?;

        let now = u64::try_from(self.now().as_micros().div_euclid(1_000_000)).unwrap_or(0);
        let remaining = Duration::from_secs(subject.exp.saturating_sub(now));
        if remaining.is_zero() {
            // Within the leeway it still verifies, and there is nothing left to give.
            return Err(ExchangeError::Token { parameter: "subject_token", source: TokenError::Expired });
        }
        self.use_up(&assertion).await?;
        let grant = Grant { token_type, audience: &request.audience, scope: &wanted };
        self.issue(subject.org, &lineage, &grant, most.min(remaining), None)
    }

    /// The chain a token of ours names, if the registry has just that, all of it active, and its user is enabled.
    async fn present(&self, claims: &Claims, parameter: &'static str) -> Result<Lineage, ExchangeError> {
        let chain = claims.act.as_ref().and_then(named).ok_or_else(|| bad_claim(parameter, "act"))?;
        let outermost = *chain.first().ok_or_else(|| bad_claim(parameter, "act"))?;
        let lineage = self.lineage(claims.org, outermost).await?;
        let same = lineage.0.len() == chain.len() && lineage.0.iter().zip(&chain).all(|(m, id)| m.id == *id);
        let user = lineage.actor().map(|actor| actor.user.to_string());
        if same && user.as_ref() == Some(&claims.sub) {
            Ok(lineage)
        } else {
            Err(ExchangeError::Chain { actor: subject(outermost) })
        }
    }

    /// The actor with its ancestors, all of them active; its user is enabled.
    pub(super) async fn lineage(&self, org: OrgId, actor: ResourceId) -> Result<Lineage, ExchangeError> {
        let lineage = Lineage::load(self.actors.as_ref(), org, actor).await?;
        let lineage = lineage.map_err(|broken| ExchangeError::Chain { actor: subject(broken.actor) })?;
        if let Some(member) = lineage.inactive() {
            return Err(ExchangeError::Chain { actor: member.subject() });
        }
        let present = lineage.actor().ok_or_else(|| ExchangeError::Chain { actor: subject(actor) })?;
        match self.tokens.live_user(org, present.user).await {
            Ok(_) => Ok(lineage),
            Err(Error::Unauthenticated(_)) => Err(ExchangeError::Chain { actor: present.subject() }),
            Err(error) => Err(error.into()),
        }
    }

    /// Uses an assertion up: once, also between replicas. The row that says so is an answer nobody asks for, kept until
    /// the assertion has expired on every clock.
    async fn use_up(&self, assertion: &Claims) -> Result<(), ExchangeError> {
        let key = format!("token-exchange/{}", assertion.jti);
        let seconds = i64::try_from(assertion.exp).unwrap_or(i64::MAX / 2_000_000);
        // Twice the leeway a verifier may have.
        let expires_at = Timestamp::from_micros(seconds.saturating_mul(1_000_000)) + Duration::from_secs(60);
        let row = IdempotencyRow {
            key: key.clone(),
            fingerprint: Digest::of(assertion.jti.as_bytes()),
            outcome: serde_json::Value::Null,
            expires_at,
        };
        let mut commit = Commit::new(assertion.org, self.now());
        commit.expect.push(Precondition::IdempotencyFree(key));
        commit.write.push(Write::PutIdempotency(row));
        match self.store().commit(commit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Refused(Refused::Precondition(_))) => Err(ExchangeError::Replayed),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn tokens(&self) -> &TokenService {
        &self.tokens
    }

    pub(super) fn actors(&self) -> &dyn Actors {
        self.actors.as_ref()
    }

    pub(super) fn audiences(&self) -> &BTreeSet<String> {
        &self.audiences
    }

    fn store(&self) -> &Arc<dyn crate::store::Store> {
        self.tokens.cp.store()
    }

    fn now(&self) -> Timestamp {
        self.tokens.cp.clock().now()
    }
}

/// A token may name who alone may act on it (RFC 8693, 4.4).
fn may_act(subject: &Claims, actor: &RegisteredActor) -> Result<(), ExchangeError> {
    match &subject.may_act {
        Some(only) if only.sub != actor.subject() => {
            Err(ExchangeError::Actor { problem: "the token names another" })
        }
        _ => Ok(()),
    }
}

fn bad_claim(parameter: &'static str, claim: &'static str) -> ExchangeError {
    ExchangeError::Token { parameter, source: TokenError::Claim { claim } }
}
