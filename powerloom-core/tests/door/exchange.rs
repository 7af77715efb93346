//! Token exchange: every clause of vector 4.10 about tokens, with instances that are records of the store.

use crate::world::{World, build, kind};
use async_trait::async_trait;
use powerloom_core::entropy::SeededEntropy;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::Permission;
use powerloom_core::record::{KindName, ResourceKey, Schema};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{Declared, Home, KindPermissions, Rules};
use powerloom_core::store::{Store, StoreError};
use powerloom_core::token::exchange::{
    ActorStatus, Actors, DELEGATION_AUDIENCE, ExchangeError, ExchangeRequest, GateError, HopProblem,
    RegisteredActor, ScopeSet, TokenExchange,
};
use powerloom_core::token::{
    Claims, Expected, KeySet, MemorySigningKeys, SigningKey, SigningKeys, TokenOptions, TokenService,
    TokenType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
struct Instance;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct InstanceSpec {
    actor: Value,
}

impl Schema for Instance {
    const KIND: KindName = KindName::known("Instance");
    type Spec = InstanceSpec;
    type Status = ();
}

impl Declared for Instance {
    const FIELDS: &'static [Field] = &[Field::new("actor", Form::Object).required()];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::CUSTOM_READ,
        create: Permission::CUSTOM_CREATE,
        update: Permission::CUSTOM_UPDATE,
        archive: Permission::CUSTOM_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 90;
}

#[derive(Debug)]
struct Registry(Arc<dyn Store>);

#[async_trait]
impl Actors for Registry {
    async fn actor(&self, org: OrgId, id: ResourceId) -> Result<Option<RegisteredActor>, StoreError> {
        let row = self.0.record(org, &ResourceKey::of::<Instance>(id)).await?;
        Ok(row.map(|row| {
            let mut actor = row.spec["actor"].clone();
            actor["id"] = json!(id);
            serde_json::from_value(actor).unwrap()
        }))
    }
}

struct Stage {
    world: World,
    keys: Arc<MemorySigningKeys>,
    exchange: TokenExchange,
    tokens: TokenService,
    user: ResourceId,
}

fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

/// What P is in vector 4.10: it holds a and b, may hand on a, to children of kind c, down to depth 2.
fn p() -> Value {
    json!({
        "kind": "p", "own": ["a", "b"],
        "policy": { "children": ["c"], "grantable": ["a"], "max_depth": 2 },
    })
}

/// What C is: it lists its own kind as child, without a limit of its own.
fn c(parent: ResourceId) -> Value {
    json!({
        "kind": "c", "parent": parent, "own": ["own"],
        "policy": { "children": ["c"], "grantable": ["a", "b"] },
    })
}

async fn stage() -> Stage {
    let world = build(|builder| builder.kind(Arc::new(Rules::<Instance>::default())).unwrap()).await;
    let (user, _) = world.user(world.root(), "ada@acme.com").await;
    let signing = SigningKey::generate_ed25519(&SeededEntropy::new(9)).unwrap();
    let keys = Arc::new(MemorySigningKeys::new(KeySet::new(signing)));
    let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
    let tokens = TokenService::new(&world.cp, keys.clone(), options).unwrap();
    let registry = Arc::new(Registry(world.cp.store().clone()));
    let resources = ["crm".to_owned(), "mail".to_owned()];
    let exchange = TokenExchange::new(tokens.clone(), registry, resources).unwrap();
    Stage { world, keys, exchange, tokens, user }
}

impl Stage {
    async fn start(&self, name: &str, mut actor: Value) -> ResourceId {
        for (field, default) in [
            ("user", json!(self.user)),
            ("tenant", Value::Null),
            ("parent", Value::Null),
            ("status", json!("active")),
        ] {
            if actor.get(field).is_none() {
                actor[field] = default;
            }
        }
        self.world.create("Instance", self.world.root(), name, json!({ "actor": actor })).await.meta.id
    }

    async fn set(&self, id: ResourceId, status: ActorStatus) {
        let key = ResourceKey { kind: kind("Instance"), id };
        let row = self.world.row(&key).await;
        let mut actor = row.spec["actor"].clone();
        actor["status"] = json!(status);
        self.world.update(&self.world.admin, &row, json!({ "actor": actor })).await.unwrap();
    }

    /// P and its C.
    async fn family(&self) -> (ResourceId, ResourceId) {
        let parent = self.start("p-1", p()).await;
        (parent, self.start("c-1", c(parent)).await)
    }

    async fn delegation(&self, actor: ResourceId, scope: &str) -> String {
        let token = self
            .exchange
            .mint_workload(self.world.org.id, actor, DELEGATION_AUDIENCE, &scopes(scope))
            .await
            .unwrap();
        token.token.reveal().to_owned()
    }

    async fn assertion(&self, actor: ResourceId) -> String {
        self.exchange.mint_assertion(self.world.org.id, actor).await.unwrap().token.reveal().to_owned()
    }

    async fn redeem(
        &self,
        subject: &str,
        actor: ResourceId,
        audience: &str,
        scope: &str,
    ) -> Result<String, ExchangeError> {
        let request = ExchangeRequest::new(subject, self.assertion(actor).await, audience, scope);
        self.exchange.exchange(&request).await.map(|given| given.token.reveal().to_owned())
    }

    async fn code(&self, subject: &str, actor: ResourceId, audience: &str, scope: &str) -> &'static str {
        self.redeem(subject, actor, audience, scope).await.unwrap_err().code()
    }

    fn claims(&self, token: &str, token_type: TokenType, audience: &str) -> Claims {
        let expected = Expected::new(token_type, "https://loom.acme.com", audience);
        self.keys.key_set().verify(token, &expected, self.world.cp.clock().now()).unwrap()
    }

    async fn failed_hop(&self, token: &str) -> Option<(usize, HopProblem)> {
        match self.exchange.check(token, "crm", &scopes("a")).await {
            Ok(_) => None,
            Err(GateError::Hop { hop, problem, .. }) => Some((hop, problem)),
            Err(other) => panic!("it failed otherwise: {other}"),
        }
    }
}

fn chain(claims: &Claims) -> Vec<String> {
    let mut subs = Vec::new();
    let mut next = claims.act.as_ref();
    while let Some(actor) = next {
        subs.push(actor.sub.clone());
        next = actor.act.as_deref();
    }
    subs
}

/// Vector 4.10: C exchanges for {a}.
#[tokio::test]
async fn a_child_gets_what_it_asks_for_in_the_name_of_the_user_with_both_in_the_chain() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let token = s.redeem(&s.delegation(parent, "a b").await, child, "crm", "a").await.unwrap();
    let claims = s.claims(&token, TokenType::Exchanged, "crm");
    assert_eq!((claims.scope.as_deref(), claims.sub.as_str()), (Some("a"), s.user.to_string().as_str()));
    assert_eq!(chain(&claims), [format!("instance:{child}"), format!("instance:{parent}")]);
    assert_eq!(claims.exp - claims.iat, 120);
    let pass = s.exchange.check(&token, "crm", &scopes("a")).await.unwrap();
    assert_eq!((pass.user, pass.chain, pass.scope), (s.user, vec![child, parent], scopes("a")));
}

/// Vector 4.10: {b}, {a,b}, none → error, never silently narrowed.
#[tokio::test]
async fn a_scope_that_is_too_much_or_none_is_refused_and_never_narrowed() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let both = s.delegation(parent, "a b").await;
    for scope in ["b", "a b", "c", "", " ", "a\u{e9}", "a\"", &"a ".repeat(5000)] {
        let expect = if scope.starts_with("a a") { None } else { Some("invalid_scope") };
        let given = s.redeem(&both, child, "crm", scope).await;
        assert_eq!(given.err().map(|error| error.code()), expect, "{scope:.20}");
    }
    let only_b = s.delegation(parent, "b").await;
    assert_eq!(s.code(&only_b, child, "crm", "a").await, "invalid_scope", "the subject does not hold it");
}

/// Vector 4.10: C at depth 2 ok; C's child at depth 3 refused by P's limit.
#[tokio::test]
async fn the_limit_of_the_topmost_ancestor_holds_for_grandchildren() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let grandchild = s.start("c-2", c(child)).await;
    let handed = s.redeem(&s.delegation(parent, "a").await, child, DELEGATION_AUDIENCE, "a").await.unwrap();
    assert_eq!(chain(&s.claims(&handed, TokenType::Delegation, "delegation")).len(), 2);
    let refused = s.redeem(&handed, grandchild, "crm", "a").await.unwrap_err();
    assert!(matches!(refused, ExchangeError::Depth { depth: 3, limit: 2 }), "{refused:?}");
    assert_eq!(refused.code(), "invalid_grant");
}

/// Sem. 2.10: `act` is kept, nested and bounded.
#[tokio::test]
async fn each_hop_adds_itself_outermost_and_the_chain_is_bounded() {
    let s = stage().await;
    let unbounded = json!({ "kind": "c", "own": ["a"], "policy": { "children": ["c"], "grantable": ["a"] } });
    let mut last = s.start("c-1", unbounded.clone()).await;
    let mut token = s.delegation(last, "a").await;
    for depth in 2..=8usize {
        let mut next = unbounded.clone();
        next["parent"] = json!(last);
        last = s.start(&format!("c-{depth}"), next).await;
        token = s.redeem(&token, last, DELEGATION_AUDIENCE, "a").await.unwrap();
        let named = chain(&s.claims(&token, TokenType::Delegation, "delegation"));
        assert_eq!((named.len(), named.first()), (depth, Some(&format!("instance:{last}"))));
    }
    let mut ninth = unbounded;
    ninth["parent"] = json!(last);
    let ninth = s.start("c-9", ninth).await;
    let refused = s.exchange.mint_assertion(s.world.org.id, ninth).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_grant");
}

/// Vector 4.10: type D refused.
#[tokio::test]
async fn a_kind_that_is_not_on_the_parents_list_is_refused() {
    let s = stage().await;
    let (parent, _) = s.family().await;
    let other = s.start("d-1", json!({ "kind": "d", "parent": parent, "own": [], "policy": {} })).await;
    assert_eq!(s.code(&s.delegation(parent, "a").await, other, "crm", "a").await, "unauthorized_client");
}

/// Vector 4.10: an instance of type C spawned by someone else redeeming P's token → refused.
#[tokio::test]
async fn a_child_of_somebody_else_cannot_redeem_the_token() {
    let s = stage().await;
    let (parent, _) = s.family().await;
    let other_parent = s.start("p-2", p()).await;
    let theirs = s.start("c-2", c(other_parent)).await;
    let nobodys = s.start("c-3", json!({ "kind": "c", "own": [], "policy": {} })).await;
    let token = s.delegation(parent, "a").await;
    assert_eq!(s.code(&token, theirs, "crm", "a").await, "unauthorized_client");
    assert_eq!(s.code(&token, nobodys, "crm", "a").await, "unauthorized_client");
    assert_eq!(s.code(&token, parent, "crm", "a").await, "unauthorized_client", "nor its own bearer");
}

/// Sem. 2.10: the actor's record carries the same user and tenant.
#[tokio::test]
async fn a_child_that_works_for_another_user_or_tenant_is_refused() {
    let s = stage().await;
    let parent = s.start("p-1", p()).await;
    let (grace, _) = s.world.user(s.world.root(), "grace@acme.com").await;
    let mut for_grace = c(parent);
    for_grace["user"] = json!(grace);
    let mut elsewhere = c(parent);
    elsewhere["tenant"] = json!("other");
    for (name, actor) in [("c-1", for_grace), ("c-2", elsewhere)] {
        let actor = s.start(name, actor).await;
        let refused = s.exchange.mint_assertion(s.world.org.id, actor).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_grant", "{name}");
    }
}

/// Vector 4.10: C minting directly → `act` still names P.
#[tokio::test]
async fn a_child_that_asks_by_its_own_identity_keeps_its_ancestors() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let own = s.exchange.mint_workload(s.world.org.id, child, "crm", &scopes("own")).await.unwrap();
    let claims = s.claims(own.token.reveal(), TokenType::Exchanged, "crm");
    assert_eq!(chain(&claims), [format!("instance:{child}"), format!("instance:{parent}")]);
    for (scope, code) in [("a", "invalid_scope"), ("own a", "invalid_scope"), ("", "invalid_scope")] {
        let refused = s.exchange.mint_workload(s.world.org.id, child, "crm", &scopes(scope)).await;
        assert_eq!(refused.unwrap_err().code(), code, "{scope}");
    }
    s.set(parent, ActorStatus::Revoked).await;
    let refused = s.exchange.mint_workload(s.world.org.id, child, "crm", &scopes("own")).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_grant");
}

/// Vector 4.10: P revoked → C's token fails at the gate on hop 1 although C is active; resume P → works again; C revoked
/// separately stays so.
#[tokio::test]
async fn revoking_the_parent_cuts_the_child_at_the_gate_and_resuming_it_does_not_revive_a_revoked_child() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let token = s.redeem(&s.delegation(parent, "a").await, child, "crm", "a").await.unwrap();
    assert_eq!(s.failed_hop(&token).await, None);
    s.set(parent, ActorStatus::Revoked).await;
    assert_eq!(s.failed_hop(&token).await, Some((1, HopProblem::Inactive(ActorStatus::Revoked))));
    s.set(parent, ActorStatus::Active).await;
    assert_eq!(s.failed_hop(&token).await, None);
    s.set(child, ActorStatus::Revoked).await;
    s.set(parent, ActorStatus::Revoked).await;
    s.set(parent, ActorStatus::Active).await;
    assert_eq!(s.failed_hop(&token).await, Some((0, HopProblem::Inactive(ActorStatus::Revoked))));
    s.set(child, ActorStatus::Completed).await;
    assert_eq!(s.failed_hop(&token).await, Some((0, HopProblem::Inactive(ActorStatus::Completed))));
}

/// Sem. 2.10: every chain member is active when a token is exchanged, too.
#[tokio::test]
async fn a_chain_with_an_inactive_member_gives_nothing() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let (token, assertion) = (s.delegation(parent, "a").await, s.assertion(child).await);
    let request = ExchangeRequest::new(&token, &assertion, "crm", "a");
    for (actor, status) in [(parent, ActorStatus::Revoked), (child, ActorStatus::Completed)] {
        s.set(actor, status).await;
        assert_eq!(s.exchange.exchange(&request).await.unwrap_err().code(), "invalid_grant");
        s.set(actor, ActorStatus::Active).await;
    }
    assert!(s.exchange.exchange(&request).await.is_ok(), "what was refused did not use the assertion up");
}

/// The user is judged live, like the actors.
#[tokio::test]
async fn a_user_who_is_disabled_has_nobody_who_acts_for_them() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let subject = s.delegation(parent, "a").await;
    let assertion = s.assertion(child).await;
    let token = s.redeem(&subject, child, "crm", "a").await.unwrap();
    let row = s.world.row(&ResourceKey { kind: kind("User"), id: s.user }).await;
    s.world.update(&s.world.admin, &row, json!({ "disabled": true })).await.unwrap();
    assert!(matches!(s.exchange.check(&token, "crm", &scopes("a")).await, Err(GateError::Token(_))));
    let request = ExchangeRequest::new(subject, assertion, "crm", "a");
    assert_eq!(s.exchange.exchange(&request).await.unwrap_err().code(), "invalid_grant");
}

/// Vector 4.10: a delegation token at a resource → refused; and as an access token, and as an assertion.
#[tokio::test]
async fn a_delegation_token_is_good_for_nothing_but_to_be_exchanged() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let delegation = s.delegation(parent, "a").await;
    for audience in ["crm", "mail", DELEGATION_AUDIENCE] {
        let refused = s.exchange.check(&delegation, audience, &scopes("a")).await;
        assert!(matches!(refused, Err(GateError::Token(_))), "{audience}");
    }
    assert_eq!(s.tokens.authenticate(&delegation).await.unwrap_err().code(), "unauthenticated");
    assert!(s.tokens.verify_access(&delegation).await.is_err());
    let as_assertion = ExchangeRequest::new(&delegation, &delegation, "crm", "a");
    assert_eq!(s.exchange.exchange(&as_assertion).await.unwrap_err().code(), "invalid_request");

    // And nothing else is a delegation token, or an assertion.
    let resource = s.redeem(&delegation, child, "crm", "a").await.unwrap();
    let access = s.tokens.mint_access(s.world.org.id, s.user, Duration::from_secs(60)).await.unwrap();
    let assertion = s.assertion(child).await;
    for subject in [&*resource, access.reveal(), &*assertion, "x.y.z", ""] {
        assert_eq!(s.code(subject, child, "crm", "a").await, "invalid_request");
    }
    for actor in [&*resource, access.reveal(), "x.y.z", ""] {
        let request = ExchangeRequest::new(&delegation, actor, "crm", "a");
        assert_eq!(s.exchange.exchange(&request).await.unwrap_err().code(), "invalid_request");
    }
    assert!(s.tokens.authenticate(&resource).await.is_err(), "a resource's token is none of ours");
    assert!(s.exchange.check(&assertion, "crm", &scopes("a")).await.is_err());
}

/// Reliability T5: audience not ours, and a resource's token at another.
#[tokio::test]
async fn an_audience_nobody_knows_is_refused_and_a_token_is_for_one_only() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let delegation = s.delegation(parent, "a").await;
    for audience in ["", "other", "CRM", "https://loom.acme.com", "https://loom.acme.com#exchange"] {
        assert_eq!(s.code(&delegation, child, audience, "a").await, "invalid_target", "{audience}");
    }
    let token = s.redeem(&delegation, child, "crm", "a").await.unwrap();
    assert!(matches!(s.exchange.check(&token, "mail", &scopes("a")).await, Err(GateError::Token(_))));
    assert!(matches!(s.exchange.check(&token, "crm", &scopes("b")).await, Err(GateError::Scope)));
    assert!(matches!(s.exchange.check(&token, "crm", &scopes("")).await, Err(GateError::Scope)));
}

/// Reliability T5: lifetime min(120 s, remaining).
#[tokio::test]
async fn a_token_never_outlives_the_one_it_was_given_for() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let subject = s.delegation(parent, "a").await;
    let ends = s.claims(&subject, TokenType::Delegation, "delegation").exp;
    for (pass, expect) in [(100, 120), (100, 100), (90, 10)] {
        s.world.clock.advance(Duration::from_secs(pass));
        let token = s.redeem(&subject, child, "crm", "a").await.unwrap();
        let claims = s.claims(&token, TokenType::Exchanged, "crm");
        assert_eq!(claims.exp - claims.iat, expect);
        assert!(claims.exp <= ends);
    }
    s.world.clock.advance(Duration::from_secs(10));
    assert_eq!(s.code(&subject, child, "crm", "a").await, "invalid_request");
}

/// Reliability T5: replayed assertion, also at another replica and at the same moment.
#[tokio::test]
async fn an_assertion_is_good_for_one_exchange_whoever_takes_it() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let request = ExchangeRequest::new(s.delegation(parent, "a").await, s.assertion(child).await, "crm", "a");
    let replica = TokenExchange::new(
        s.tokens.clone(),
        Arc::new(Registry(s.world.cp.store().clone())),
        ["crm".to_owned()],
    )
    .unwrap();
    let (one, other) = tokio::join!(s.exchange.exchange(&request), replica.exchange(&request));
    let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1);
    assert!(matches!(refused[0], ExchangeError::Replayed), "{refused:?}");
    assert_eq!(refused[0].code(), "invalid_grant");
    for _ in 0..3 {
        s.world.clock.advance(Duration::from_secs(30));
        assert!(s.exchange.exchange(&request).await.is_err());
    }
}

/// Reliability T5: an actor `may_act` does not name.
#[tokio::test]
async fn a_token_that_names_who_may_redeem_it_is_redeemed_by_no_sibling() {
    let s = stage().await;
    let (parent, child) = s.family().await;
    let sibling = s.start("c-2", c(parent)).await;
    let token = s
        .exchange
        .mint_delegation_for(s.world.org.id, parent, child, &scopes("a"))
        .await
        .unwrap()
        .token
        .reveal()
        .to_owned();
    assert_eq!(s.code(&token, sibling, "crm", "a").await, "unauthorized_client");
    assert!(s.redeem(&token, child, "crm", "a").await.is_ok());
}

/// Sem. 2.10: only what the registry says counts, and only in its organization.
#[tokio::test]
async fn an_actor_nobody_knows_gets_nothing() {
    let s = stage().await;
    let (parent, _) = s.family().await;
    let other =
        s.world.cp.bootstrap(&"globex".parse().unwrap(), &"admin@globex.com".parse().unwrap()).await.unwrap();
    for (org, actor) in [(s.world.org.id, s.user), (other.id, parent)] {
        let refused = s.exchange.mint_assertion(org, actor).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_grant");
    }
}

#[tokio::test]
async fn a_resource_cannot_have_a_name_of_the_control_planes_own() {
    let s = stage().await;
    for name in [
        "",
        "a b",
        DELEGATION_AUDIENCE,
        "https://loom.acme.com",
        "https://loom.acme.com#exchange",
        "https://loom.acme.com#delegated",
    ] {
        let registry = Arc::new(Registry(s.world.cp.store().clone()));
        assert!(TokenExchange::new(s.tokens.clone(), registry, [name.to_owned()]).is_err(), "{name}");
    }
}
