//! How it was: what the chain says about an earlier moment is what was decided then.

use crate::world::{World, kind, world};
use powerloom_core::answers::Turn;
use powerloom_core::audit::{AuditDecision, AuditDraft, Change};
use powerloom_core::authz::{AuthzSnapshot, Resolution};
use powerloom_core::clock::Timestamp;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::error::{Error, Result};
use powerloom_core::id::ResourceId;
use powerloom_core::labels::Labels;
use powerloom_core::permission::Permission;
use powerloom_core::principal::{Principal, PrincipalRef};
use powerloom_core::record::{RecordRow, ResourceKey, Stage};
use powerloom_core::store::{AuditWrite, Commit, Write};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The permissions that are asked about.
const ASKED: [Permission; 4] =
    [Permission::AGENT_READ, Permission::SKILL_USE, Permission::BINDING_CREATE, Permission::TOOL_READ];

/// What was decided right after an entry.
struct Memory {
    seq: u64,
    at: Timestamp,
    snapshot: Arc<AuthzSnapshot>,
}

struct Run {
    w: World,
    made: Vec<RecordRow>,
    memories: Vec<Memory>,
}

impl Run {
    async fn new() -> Self {
        let w = world().await;
        let root = ResourceKey { kind: kind("OU"), id: w.root() };
        let made = vec![w.row(&root).await];
        let mut run = Self { w, made, memories: Vec::new() };
        run.remember().await;
        run
    }

    fn of(&self, kind: &str, pick: &Index) -> Option<RecordRow> {
        let all: Vec<_> = self.made.iter().filter(|row| row.kind.as_str() == kind).collect();
        (!all.is_empty()).then(|| (*pick.get(&all)).clone())
    }

    fn principal(&self, pick: &Index) -> String {
        let all: Vec<String> = self
            .made
            .iter()
            .filter_map(|row| match row.kind.as_str() {
                "User" => Some(format!("user:{}", row.meta.id)),
                "Group" => Some(format!("group:{}", row.meta.id)),
                "Agent" => Some(format!("agent:{}", row.meta.id)),
                "OU" => Some(format!("ou:{}", row.meta.id)),
                _ => None,
            })
            .chain(["service:ci".to_owned()])
            .collect();
        pick.get(&all).clone()
    }

    async fn create(
        &mut self,
        of: &str,
        ou: Option<ResourceId>,
        name: Option<String>,
        spec: Value,
    ) -> Result<()> {
        let made = self.w.try_create(&self.w.admin, of, ou, name.as_deref(), spec).await?;
        self.made.extend(made.record().cloned());
        Ok(())
    }

    /// One random step; what is refused or denied is part of a history too.
    async fn step(&mut self, number: usize, (what, a, b, c): &(u8, Index, Index, Index)) -> Result<()> {
        let ou = self.of("OU", a).map(|row| row.meta.id);
        let name = Some(format!("n{number}"));
        let nothing = json!({});
        let existing = |of: &str| self.of(of, a);
        match what {
            0 => {
                let email = json!({ "email": format!("u{number}@acme.com") });
                self.create("User", ou, None, email).await
            }
            1 => self.create("Group", ou, name, nothing).await,
            2 => self.create("OU", ou, name, nothing).await,
            3 | 4 => {
                let Some(group) = existing("Group") else { return Ok(()) };
                let seat = json!({ "group": group.meta.id, "member": self.principal(b) });
                self.create("GroupMembership", None, None, seat).await
            }
            5..=9 => {
                let role = match (b.index(4), self.of("Role", c)) {
                    (0, _) => "OUAdmin".to_owned(),
                    (1, _) => "AgentViewer".to_owned(),
                    (_, Some(role)) => format!("role:{}", role.meta.id),
                    (_, None) => "SkillUser".to_owned(),
                };
                let mut spec = json!({ "principal": self.principal(c), "role": role });
                if b.index(5) == 0 {
                    spec["effect"] = "deny".into();
                }
                if b.index(3) == 0 {
                    let at = self.w.clock_now() + Duration::from_secs(30);
                    spec["expires_at"] = at.to_string().into();
                }
                self.create("RoleBinding", ou, None, spec).await
            }
            10 => {
                let spec = json!({ "permissions": ["tool:read", "skill:use"] });
                self.create("Role", ou, name, spec).await
            }
            11 => {
                let Some(role) = existing("Role") else { return Ok(()) };
                let some = [json!(["tool:*"]), json!(["agent:read"]), json!(["skill:*", "binding:*"])];
                let patch = json!({ "permissions": b.get(&some), "display_name": format!("N {number}") });
                self.w.update(&self.w.admin, &role, patch).await.map(drop)
            }
            12 => {
                let Some(user) = existing("User") else { return Ok(()) };
                let patch = json!({ "disabled": b.index(2) == 0 });
                self.w.update(&self.w.admin, &user, patch).await.map(drop)
            }
            13 | 14 => {
                let Some(to) = self.of("OU", b) else { return Ok(()) };
                let Some(ou) = ou else { return Ok(()) };
                self.w
                    .cp
                    .submit(&self.w.admin, Action::MoveOu { ou, to: to.meta.id, expect: None })
                    .await
                    .map(drop)
            }
            15 => {
                let mut spec = self.w.agent_spec();
                if let Some(owner) = self.of(if c.index(2) == 0 { "User" } else { "Group" }, b) {
                    let prefix = if owner.kind.as_str() == "User" { "user" } else { "group" };
                    spec["owner"] = format!("{prefix}:{}", owner.meta.id).into();
                }
                spec["agent_kind"] = (*c.get(&["user", "service"])).into();
                self.create("Agent", ou, name, spec).await
            }
            16 => {
                let Some(agent) = existing("Agent") else { return Ok(()) };
                let boundary = [json!(["agent:*"]), Value::Null, json!(["skill:use"])];
                let patch =
                    json!({ "permission_boundary": b.get(&boundary), "description": format!("N {number}") });
                self.w.update(&self.w.admin, &agent, patch).await.map(drop)
            }
            17 => {
                // Somebody who may not: the denial is on the chain, and changes nothing.
                let Some(user) = existing("User") else { return Ok(()) };
                let caller = powerloom_core::door::caller::Caller::user(self.w.org.id, user.meta.id);
                let spec = json!({ "principal": self.principal(b), "role": "OrgAdmin" });
                self.w.try_create(&caller, "RoleBinding", ou, None, spec).await.map(drop)
            }
            18 => {
                self.w.clock.advance(Duration::from_secs(20));
                Ok(())
            }
            _ => {
                // What goes takes along what only existed for it.
                let of =
                    ["RoleBinding", "GroupMembership", "Group", "Role", "Agent", "User", "OU", "RoleBinding"];
                let Some(row) = self.of(of[b.index(of.len())], a) else { return Ok(()) };
                self.w.archive(&self.w.admin, &row.key()).await.map(drop)
            }
        }
    }

    /// Keeps what a replica that reads everything anew says.
    async fn remember(&mut self) {
        let head = self.w.cp.store().audit_head(self.w.org.id).await.unwrap();
        if self.memories.last().is_some_and(|last| last.seq == head.seq) {
            return;
        }
        let fresh = ControlPlane::builder(self.w.cp.store().clone()).clock(self.w.clock.clone()).build();
        let snapshot = fresh.authz(self.w.org.id).await.unwrap();
        self.memories.push(Memory { seq: head.seq, at: self.w.clock_now(), snapshot });
    }

    async fn compare(&self) {
        let mut principals = vec![self.w.admin.principal.clone(), Principal::Service("ci".parse().unwrap())];
        let mut ous = vec![self.w.root()];
        for row in &self.made {
            match row.kind.as_str() {
                "User" => principals.push(Principal::User(row.meta.id)),
                "Group" => principals.push(Principal::Group(row.meta.id)),
                "Agent" => principals.push(Principal::Agent(row.meta.id)),
                "OU" => {
                    ous.push(row.meta.id);
                    principals.push(Principal::Ou(row.meta.id));
                }
                _ => {}
            }
        }
        for memory in &self.memories {
            let then = self.w.cp.answers(&self.w.admin).as_of(memory.seq).await.unwrap();
            assert_eq!((then.seq, then.at), (memory.seq, memory.at));
            for who in &principals {
                for &ou in &ous {
                    for what in ASKED {
                        let was = memory.snapshot.decide(who, what, ou, memory.at);
                        assert_eq!(then.decide(who, what, ou), was, "after entry {}", memory.seq);
                    }
                }
            }
        }
    }
}

impl World {
    fn clock_now(&self) -> Timestamp {
        self.cp.clock().now()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Sem. 2.9: at every position of any history, the chain tells what was decided there.
    #[test]
    fn the_chain_tells_what_was_decided_at_every_position(
        steps in prop::collection::vec((0u8..26, any::<Index>(), any::<Index>(), any::<Index>()), 10..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for (number, step) in steps.iter().enumerate() {
                match run.step(number, step).await {
                    Ok(()) => {}
                    Err(Error::Invalid(_) | Error::Denied(_) | Error::Conflict(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                run.remember().await;
            }
            run.compare().await;
        });
    }
}

async fn head(w: &World) -> u64 {
    w.cp.store().audit_head(w.org.id).await.unwrap().seq
}

/// Who let this agent do that, and when.
#[tokio::test]
async fn an_earlier_decision_names_who_had_given_it() {
    let w = world().await;
    let (ada, as_ada) = w.user(w.root(), "ada@acme.com").await;
    let first = head(&w).await;
    w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    let mut spec = w.agent_spec();
    spec["owner"] = format!("user:{ada}").into();
    w.create("Agent", w.root(), "bot", spec).await;
    let given = w.try_bind(&as_ada, "service:ci", "AgentOperator", w.root(), "allow").await.unwrap();
    let position = head(&w).await;
    w.archive(&w.admin, &given.key()).await.unwrap();
    let named = |text: &str| text.parse::<PrincipalRef>().unwrap();
    let (agent, ci) = (named("agent:/acme/bot"), named("service:ci"));
    let answers = w.cp.answers(&w.admin);
    let then = answers.decide_as_of(position, &agent, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert!(
        then.decision.is_allowed() && then.decision.reason().contains("user:ada@acme.com"),
        "{}",
        then.decision
    );
    assert_eq!((then.given_by[0].actor.as_str(), then.given_by[0].seq), ("user:admin@acme.com", first + 1));
    let then = answers.decide_as_of(position, &ci, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert_eq!((then.given_by[0].actor.as_str(), then.given_by[0].seq), ("user:ada@acme.com", position));
    let now = answers.decide_as_of(head(&w).await, &ci, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert!(!now.decision.is_allowed() && now.given_by.is_empty());
    // The very first binding was made with the organization.
    let me = named("user:admin@acme.com");
    let then = answers.decide_as_of(1, &me, Permission::AGENT_INVOKE, w.root()).await.unwrap();
    assert_eq!((then.given_by[0].actor.as_str(), then.given_by[0].seq), ("user:admin@acme.com", 1));
    assert!(matches!(
        answers.decide_as_of(1, &named("user:ada@acme.com"), Permission::OU_READ, w.root()).await,
        Err(Error::NotFound { .. })
    ));
    for beyond in [0, head(&w).await + 1] {
        assert!(matches!(answers.as_of(beyond).await, Err(Error::NotFound { .. })));
    }
}

/// What a record says beside its spec decides nothing, and does not stand in the way of what was before.
#[tokio::test]
async fn labels_and_managed_fields_do_not_stand_in_the_way() {
    let w = world().await;
    let first = head(&w).await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let role = w.create("Role", w.root(), "reader", json!({ "permissions": ["agent:read"] })).await;
    let bot = w.create("Agent", w.root(), "bot", w.agent_spec()).await;
    w.bind(format!("user:{ada}"), &format!("role:{}", role.meta.id), w.root()).await;
    let user = w.row(&ResourceKey { kind: kind("User"), id: ada }).await;
    let root = w.row(&ResourceKey { kind: kind("OU"), id: w.root() }).await;
    for row in [role, bot, user, root] {
        for (team, field) in [("search", "display_name"), ("ads", "description")] {
            let known = w.cp.catalogue().kind(&row.kind).unwrap().fields().iter().any(|it| it.spec == field);
            let update = Action::Update { target: row.key(), expect: None, patch: serde_json::Map::new() };
            let update = Mutation {
                // What is managed is so by the owner's documents.
                labels: Some(Labels::default().with("owner", "one").unwrap().with("team", team).unwrap()),
                managed: known.then(|| [field.to_owned()].into()),
                ..update.into()
            };
            w.cp.submit(&w.admin, update).await.unwrap();
        }
    }
    let answers = w.cp.answers(&w.admin);
    for seq in first..=head(&w).await {
        answers.as_of(seq).await.unwrap();
    }
    let who = Principal::User(ada);
    let history = answers.history_of(&who, Permission::AGENT_READ, w.root(), first).await.unwrap();
    assert_eq!(history.intervals.len(), 2, "{history:?}");
}

/// The chain itself is not for everybody, and neither are the bindings.
#[tokio::test]
async fn the_past_needs_both_permissions_at_the_root() {
    let w = world().await;
    let (_, one) = w.holder(w.root(), "ada", &["audit:read"]).await;
    let (_, other) = w.holder(w.root(), "grace", &["binding:read"]).await;
    let (_, both) = w.holder(w.root(), "alan", &["audit:read", "binding:read"]).await;
    for caller in [one, other] {
        assert!(matches!(w.cp.answers(&caller).as_of(1).await, Err(Error::Denied(_))));
    }
    w.cp.answers(&both).as_of(1).await.unwrap();
}

/// Sem. 2.9: erased details in the way are an error that says from where on it can be told, never a guess.
#[tokio::test]
async fn erased_details_are_named_where_they_stand_in_the_way() {
    let w = world().await;
    let (ada, _) = w.user(w.root(), "ada@acme.com").await;
    let user = head(&w).await;
    let binding = w.bind(format!("user:{ada}"), "OUAdmin", w.root()).await;
    let bound = head(&w).await;
    w.archive(&w.admin, &binding.key()).await.unwrap();
    let archived = head(&w).await;
    w.ou(w.root(), "eng").await;
    let answers = w.cp.answers(&w.admin);
    let who = Principal::User(ada);
    let may =
        |then: powerloom_core::answers::AsOf| then.decide(&who, Permission::OU_CREATE, w.root()).is_allowed();

    // Of a declaration the chain says nothing that is not there.
    w.cp.submit(&w.admin, Action::EraseAuditPayload { seq: bound }).await.unwrap();
    assert!(!may(answers.as_of(user).await.unwrap()));
    assert!(may(answers.as_of(bound).await.unwrap()));
    w.cp.submit(&w.admin, Action::EraseAuditPayload { seq: archived }).await.unwrap();
    assert!(!may(answers.as_of(archived).await.unwrap()));
    let error = answers.as_of(bound).await.unwrap_err();
    assert_eq!(error.code(), "history_lost");
    assert!(error.to_string().contains(&format!("entry {archived} ")), "{error}");
}

/// What was changed behind the door's back is not believed.
#[tokio::test]
async fn records_that_contradict_the_chain_are_not_believed() {
    let w = world().await;
    let position = head(&w).await;
    let mut binding = w.bind("service:ci", "AgentViewer", w.root()).await;
    binding.spec["role"] = "OrgAdmin".into();
    let mut commit = Commit::new(w.org.id, w.clock_now());
    commit.write.push(Write::PutRecord(Box::new(binding)));
    w.cp.store().commit(commit).await.unwrap();
    let error = w.cp.answers(&w.admin).as_of(position).await.unwrap_err();
    assert!(matches!(&error, Error::Store(_)), "{error}");
    assert!(error.to_string().contains(&format!("audit entry {} ", position + 1)), "{error}");
}

/// An agent that is being removed exists, one that is gone does not: the reconciler's word on the chain parts the two.
#[tokio::test]
async fn an_agent_is_archived_first_and_unknown_only_once_it_is_gone() {
    let w = world().await;
    let agent = w.agent(w.root(), "bot").await;
    let live = head(&w).await;
    w.archive(&w.admin, &agent.key()).await.unwrap();
    let mut gone = w.row(&agent.key()).await;
    gone.meta.stage = Stage::Archived;
    let mut commit = Commit::new(w.org.id, w.clock_now());
    commit.write.push(Write::PutRecord(Box::new(gone)));
    let change = Change { before: json!({ "stage": "archiving" }), ..Change::default() };
    let draft = AuditDraft {
        ts: w.clock_now(),
        actor: "service:reconciler".to_owned(),
        verb: "agent.archived".to_owned(),
        resource_kind: "Agent".to_owned(),
        resource_id: agent.meta.id.to_string(),
        decision: AuditDecision::Allow,
        delegated_from_session: None,
        approval_request_id: None,
        change,
    };
    commit.audit.push(AuditWrite { draft, salt: None });
    w.cp.store().commit(commit).await.unwrap();
    let mut seen = Vec::new();
    for seq in live..=head(&w).await {
        let then = w.cp.answers(&w.admin).as_of(seq).await.unwrap();
        seen.push(then.decide(&Principal::Agent(agent.meta.id), Permission::AGENT_READ, w.root()).resolution);
    }
    assert_eq!(seen, [Resolution::Allowed, Resolution::ArchivedAgent, Resolution::UnknownPrincipal]);
}

/// Since when and until when, by whom or by the clock.
#[tokio::test]
async fn a_history_names_what_began_and_ended_each_stretch() {
    let w = world().await;
    let role = w.create("Role", w.root(), "tools", json!({ "permissions": ["tool:read"] })).await;
    let begin = head(&w).await;
    w.clock.advance(Duration::from_secs(1));
    let spec = json!({
        "principal": "service:ci", "role": format!("role:{}", role.meta.id), "expires_at": "2026-01-01T00:01:00Z",
    });
    let first = w.try_create(&w.admin, "RoleBinding", Some(w.root()), None, spec).await.unwrap();
    let first = first.record().unwrap().meta.id;
    let given = head(&w).await;
    w.clock.advance(Duration::from_secs(120));
    w.ou(w.root(), "eng").await;
    w.bind("service:ci", "AgentViewer", w.root()).await;
    w.archive(&w.admin, &ResourceKey { kind: kind("RoleBinding"), id: first }).await.unwrap();
    let again = w.bind("service:ci", &format!("role:{}", role.meta.id), w.root()).await;
    let regiven = head(&w).await;
    w.clock.advance(Duration::from_secs(5));
    w.update(&w.admin, &role, json!({ "permissions": ["skill:read"] })).await.unwrap();
    let narrowed = head(&w).await;

    let ci = Principal::Service("ci".parse().unwrap());
    let history =
        w.cp.answers(&w.admin)
            .history_of(&ci, Permission::TOOL_READ, w.root(), begin)
            .await
            .unwrap()
            .intervals;
    let expiry: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
    let turns: Vec<(bool, Turn)> = history.iter().map(|it| (it.decision.is_allowed(), it.from)).collect();
    let seq = |turn: &Turn| match turn {
        Turn::Change { seq, .. } => *seq,
        Turn::Expiry { .. } => 0,
    };
    assert_eq!(
        turns.iter().map(|(allowed, turn)| (*allowed, seq(turn))).collect::<Vec<_>>(),
        [(false, begin), (true, given), (false, 0), (true, regiven), (false, narrowed)]
    );
    assert_eq!(turns[2].1, Turn::Expiry { binding: first, at: expiry });
    assert_eq!(history[3].decision.bindings[0].binding, Some(again.meta.id));
    assert!(history.windows(2).all(|pair| pair[0].until == Some(pair[1].from)) && history[4].until.is_none());
}
