//! What callers do, at random.

use powerloom_core::approval::{ApprovalRequest, Ballot, InboxFilter};
use powerloom_core::bootstrap::Organization;
use powerloom_core::clock::{Clock, ManualClock, Timestamp};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Result;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{KindName, Record, RecordRow};
use powerloom_core::store::RecordQuery;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// People beside the admin.
pub(crate) const PEOPLE: usize = 5;

/// One thing somebody does. Numbers choose among what is there.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    CreateAgent { by: usize, ou: usize, name: u8 },
    UpdateAgent { by: usize, which: usize, word: u8 },
    BreakGlass { by: usize, ou: usize, name: u8 },
    Vote { by: usize, which: usize, approve: bool },
    Cancel { by: usize, which: usize },
    Declare { ou: usize, quorum: u32, rejections: u32, approver: usize, exact: bool, updates: bool, mode: u8 },
    Toggle { which: usize, enabled: bool },
    DropPolicy { which: usize },
    Bind { who: usize, role: usize, ou: usize, deny: bool, lasts: Option<u32> },
    Unbind { which: usize },
    Disable { who: usize, disabled: bool },
    Wait { hours: u32 },
    Sweep,
}

pub(crate) fn deeds() -> impl Strategy<Value = Deed> {
    let (person, ou) = (0..PEOPLE + 1, 0..3usize);
    prop_oneof![
        8 => (person.clone(), prop_oneof![1 => Just(0usize), 5 => 1..3usize], 0..60u8).prop_map(|(by, ou, name)| Deed::CreateAgent { by, ou, name }),
        4 => (person.clone(), any::<usize>(), any::<u8>()).prop_map(|(by, which, word)| Deed::UpdateAgent { by, which, word }),
        1 => (person.clone(), ou.clone(), 0..12u8).prop_map(|(by, ou, name)| Deed::BreakGlass { by, ou, name }),
        24 => (2..PEOPLE, any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(by, which, approve)| Deed::Vote { by, which, approve }),
        1 => (person.clone(), any::<usize>()).prop_map(|(by, which)| Deed::Cancel { by, which }),
        2 => (ou.clone(), 1..3u32, 1..3u32, 0..8usize, any::<bool>(), any::<bool>(), 0..6u8).prop_map(
            |(ou, quorum, rejections, approver, exact, updates, mode)| Deed::Declare { ou, quorum, rejections, approver, exact, updates, mode }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, enabled)| Deed::Toggle { which, enabled }),
        1 => any::<usize>().prop_map(|which| Deed::DropPolicy { which }),
        4 => (1..PEOPLE + 1, 0..4usize, ou, prop::bool::weighted(0.15), prop::option::weighted(0.3, 1..80u32)).prop_map(
            |(who, role, ou, deny, lasts)| Deed::Bind { who, role, ou, deny, lasts }),
        2 => any::<usize>().prop_map(|which| Deed::Unbind { which }),
        1 => (1..PEOPLE + 1, any::<bool>()).prop_map(|(who, disabled)| Deed::Disable { who, disabled }),
        2 => (1..40u32).prop_map(|hours| Deed::Wait { hours }),
        1 => Just(Deed::Sweep),
    ]
}

/// An organization with three OUs and some people.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) cp: ControlPlane,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) org: Organization,
    pub(crate) ous: [ResourceId; 3],
    /// The admin first.
    pub(crate) people: Vec<Caller>,
}

const ROLES: [&str; 4] = ["Approver", "AgentBuilder", "OUAdmin", "OrgAdmin"];

impl House {
    pub(crate) async fn open(url: &str) -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
        let store = powerloom_store::open(url).await.unwrap();
        let cp = ControlPlane::builder(store).clock(clock.clone()).build();
        let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        let admin = org.admin_caller();
        let root = org.root_ou;
        let mut house = Self { cp, clock, org, ous: [root; 3], people: vec![admin] };
        house.ous[1] = house.declare("OU", root, Some("eng"), json!({})).await;
        house.ous[2] = house.declare("OU", house.ous[1], Some("platform"), json!({})).await;
        for name in ["ada", "grace", "alan", "edsger", "barbara"] {
            let id = house.declare("User", root, None, json!({ "email": format!("{name}@acme.com") })).await;
            house.people.push(Caller::user(house.org.id, id));
        }
        // A start in which something can happen at all.
        for (who, role) in
            [(1, "AgentBuilder"), (2, "AgentBuilder"), (2, "Approver"), (3, "Approver"), (4, "Approver")]
        {
            let spec = json!({ "principal": house.people[who].principal.to_string(), "role": role });
            house.declare("RoleBinding", root, None, spec).await;
        }
        let spec =
            json!({ "match": { "resource_kinds": ["Agent"] }, "approvers": ["role:Approver"], "quorum": 2 });
        house.declare("ApprovalPolicy", house.ous[1], Some("start"), spec).await;
        house
    }

    async fn declare(&self, kind: &str, ou: ResourceId, name: Option<&str>, spec: Value) -> ResourceId {
        let outcome = self.cp.submit(&self.people[0], create(kind, ou, name, spec)).await.unwrap();
        outcome.record().unwrap().meta.id
    }

    /// The live records of a kind.
    pub(crate) async fn live(&self, kind: &str) -> Vec<RecordRow> {
        let kind: KindName = kind.parse().unwrap();
        let query = RecordQuery { kind: Some(kind), ..RecordQuery::default() };
        self.cp.store().list_records(self.org.id, &query).await.unwrap()
    }

    async fn submit(&self, caller: &Caller, change: impl Into<Mutation>) {
        fine(self.cp.submit(caller, change).await);
    }

    /// Does one thing. A refusal is as good as anything else; a failure of the machinery is not.
    pub(crate) async fn does(&self, number: usize, deed: Deed) {
        let admin = &self.people[0];
        match deed {
            Deed::CreateAgent { by, ou, name } => {
                let caller = &self.people[by];
                self.submit(caller, self.agent(caller, ou, name)).await;
            }
            Deed::BreakGlass { by, ou, name } => {
                let caller = &self.people[by];
                let options = SubmitOptions::default().justification("it burns").break_glass();
                fine(self.cp.submit_with(caller, self.agent(caller, ou, name), &options).await);
            }
            Deed::UpdateAgent { by, which, word } => {
                if let Some(agent) = pick(self.live("Agent").await, which) {
                    let patch = json!({ "system_prompt": format!("Say {word} for {number}.") });
                    let patch = patch.as_object().cloned().unwrap();
                    let change = Action::Update { target: agent.key(), expect: None, patch };
                    self.submit(&self.people[by], change).await;
                }
            }
            Deed::Vote { by, which, approve } => {
                if let Some(row) = pick(self.live("ApprovalRequest").await, which) {
                    let request = Record::<ApprovalRequest>::read(&row).unwrap();
                    let vote = Action::Vote {
                        request: request.request_id(),
                        ballot: if approve { Ballot::Approve } else { Ballot::Reject },
                        payload_hash: request.spec.payload_hash,
                        comment: None,
                        requirements: Vec::new(),
                    };
                    self.submit(&self.people[by], vote).await;
                }
            }
            Deed::Cancel { by, which } => {
                let caller = &self.people[by];
                let mine = self.cp.approvals(caller).mine(&InboxFilter::default().limit(5)).await.unwrap();
                if let Some(request) = pick(mine, which) {
                    let request = request.request_id();
                    self.submit(caller, Action::CancelApproval { request, reason: None }).await;
                }
            }
            Deed::Declare { ou, quorum, rejections, approver, exact, updates, mode } => {
                let approver = match approver {
                    who @ 0..=4 => self.people[who + 1].principal.to_string(),
                    5 => "role:OrgAdmin".to_owned(),
                    6 => "role:OUAdmin".to_owned(),
                    _ => "role:Approver".to_owned(),
                };
                let mut matches = json!({ "resource_kinds": ["Agent"] });
                matches["ou_depth"] = json!(if exact { "exact" } else { "subtree" });
                if updates {
                    matches["actions"] = json!(["update"]);
                }
                let mut approvers = vec![approver];
                if mode == 1 && approvers[0] != "role:Approver" {
                    approvers.push("role:Approver".to_owned());
                }
                let spec = match mode {
                    0 => json!({ "match": matches, "mode": "warn" }),
                    _ => json!({
                        "match": matches, "quorum": quorum, "reject_threshold": rejections, "approvers": approvers,
                    }),
                };
                let name = format!("p-{number}-{quorum}-{rejections}");
                self.submit(admin, create("ApprovalPolicy", self.ous[ou], Some(&name), spec)).await;
            }
            Deed::Toggle { which, enabled } => {
                if let Some(policy) = pick(self.live("ApprovalPolicy").await, which) {
                    let patch = json!({ "enabled": enabled }).as_object().cloned().unwrap();
                    self.submit(admin, Action::Update { target: policy.key(), expect: None, patch }).await;
                }
            }
            Deed::DropPolicy { which } => {
                if let Some(policy) = pick(self.live("ApprovalPolicy").await, which) {
                    self.submit(admin, Action::Archive { target: policy.key(), expect: None }).await;
                }
            }
            Deed::Bind { who, role, ou, deny, lasts } => {
                let mut spec = json!({
                    "principal": self.people[who].principal.to_string(), "role": ROLES[role],
                    "effect": if deny { "deny" } else { "allow" },
                });
                if let Some(hours) = lasts {
                    spec["expires_at"] =
                        json!(self.clock.now() + Duration::from_secs(u64::from(hours) * 3600));
                }
                self.submit(admin, create("RoleBinding", self.ous[ou], None, spec)).await;
            }
            Deed::Unbind { which } => {
                if let Some(binding) = pick(self.live("RoleBinding").await, which) {
                    self.submit(admin, Action::Archive { target: binding.key(), expect: None }).await;
                }
            }
            Deed::Disable { who, disabled } => {
                let id = self.people[who].principal.id().unwrap();
                let user = self.live("User").await.into_iter().find(|row| row.meta.id == id).unwrap();
                let patch = json!({ "disabled": disabled }).as_object().cloned().unwrap();
                self.submit(admin, Action::Update { target: user.key(), expect: None, patch }).await;
            }
            Deed::Wait { hours } => self.clock.advance(Duration::from_secs(u64::from(hours) * 3600)),
            Deed::Sweep => {
                self.cp.expire_approvals().await.unwrap();
            }
        }
    }

    fn agent(&self, caller: &Caller, ou: usize, name: u8) -> Action {
        let spec = json!({
            "model": "claude-sonnet-4-6", "system_prompt": "Be concise.", "agent_kind": "user",
            "owner": caller.principal.to_string(),
        });
        create("Agent", self.ous[ou], Some(&format!("agent-{name}")), spec)
    }
}

fn create(kind: &str, ou: ResourceId, name: Option<&str>, spec: Value) -> Action {
    Action::Create {
        kind: kind.parse().unwrap(),
        ou: Some(ou),
        name: name.map(str::to_owned),
        spec: spec.as_object().cloned().unwrap(),
    }
}

fn pick<T>(mut from: Vec<T>, which: usize) -> Option<T> {
    if from.is_empty() { None } else { Some(from.swap_remove(which % from.len())) }
}

fn fine(answer: Result<Outcome>) {
    if let Err(error) = answer {
        let broken =
            matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt | ErrorKind::Unavailable);
        assert!(!broken, "{error}");
    }
}
