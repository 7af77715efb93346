//! Records in memory, and a door that keeps the rules a plan relies on and none of the others.

use async_trait::async_trait;
use bytes::Bytes;
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::{Action, Mutation};
use powerloom_core::door::outcome::Outcome;
use powerloom_core::entropy::SeededEntropy;
use powerloom_core::error_kind::ErrorKind;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::manifest::{
    ApplyOptions, ParseMode, Parsed, Plan, Report, ResolveError, Submit, apply, parse, plan, resolve,
};
use powerloom_core::record::{KindName, Metadata, RecordRow, ResourceKey, Stage};
use powerloom_core::resource::catalogue::Catalogue;
use powerloom_core::resource::kind::{Home, Kind};
use powerloom_core::secret::SealedSecret;
use powerloom_core::store::{IdempotencyRow, OrgRow, RecordQuery, Records, StoreResult};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<ResourceKey, RecordRow>,
    submitted: Vec<Mutation>,
}

/// An organization `acme` with its root OU and the user admin@acme.com.
#[derive(Debug)]
pub struct World {
    pub org: OrgRow,
    pub catalogue: Catalogue,
    /// Kinds whose creation waits for approval.
    pub gated: BTreeSet<&'static str>,
    /// The runtime does not answer: what is archived there never is.
    pub stuck: bool,
    /// Kinds whose creation fails.
    pub broken: BTreeSet<&'static str>,
    entropy: SeededEntropy,
    state: Mutex<State>,
}

impl World {
    pub fn new() -> Self {
        let entropy = SeededEntropy::new(1);
        let now = Timestamp::from_micros(1);
        let id = OrgId::generate(now, &entropy);
        let root_ou = ResourceId::generate(now, &entropy);
        let slug = "acme".to_owned();
        let org = OrgRow { id, slug, root_ou, created_at: now, authz_epoch: 0, paused: None };
        let world = Self {
            org,
            catalogue: Catalogue::default(),
            gated: BTreeSet::new(),
            broken: BTreeSet::new(),
            stuck: false,
            entropy,
            state: Mutex::default(),
        };
        world.insert("OU", root_ou, root_ou, "acme", json!({}), Value::Null, vec![]);
        let admin = world.fresh_id();
        let spec = json!({ "email": "admin@acme.com", "disabled": false });
        world.insert("User", admin, root_ou, "admin@acme.com", spec, Value::Null, vec![]);
        world
    }

    fn fresh_id(&self) -> ResourceId {
        ResourceId::generate(Timestamp::from_micros(1), &self.entropy)
    }

    fn rules(&self, kind: &str) -> Arc<dyn Kind> {
        self.catalogue.kind(&kind.parse().unwrap()).unwrap().clone()
    }

    #[expect(clippy::too_many_arguments, reason = "a row has many parts")]
    fn insert(
        &self,
        kind: &str,
        id: ResourceId,
        ou: ResourceId,
        name: &str,
        spec: Value,
        status: Value,
        refs: Vec<ResourceKey>,
    ) -> RecordRow {
        let now = Timestamp::from_micros(1);
        let row = RecordRow {
            kind: kind.parse().unwrap(),
            meta: Metadata {
                id,
                org: self.org.id,
                ou,
                name: name.to_owned(),
                version: 1,
                generation: 1,
                stage: Stage::Live,
                created_at: now,
                updated_at: now,
                labels: Default::default(),
                managed: Default::default(),
            },
            unique_key: self.rules(kind).unique_key(ou, name),
            spec,
            status,
            refs,
        };
        self.put(row.clone());
        row
    }

    pub fn put(&self, row: RecordRow) {
        self.state.lock().unwrap().rows.insert(row.key(), row);
    }

    pub fn rows(&self) -> Vec<RecordRow> {
        self.state.lock().unwrap().rows.values().cloned().collect()
    }

    /// The live record of a kind with this name.
    pub fn row(&self, kind: &str, name: &str) -> RecordRow {
        let mut rows = self.rows().into_iter();
        rows.find(|row| row.kind.as_str() == kind && row.meta.name == name && row.is_live()).expect(name)
    }

    /// How many mutations the door has seen.
    pub fn submitted(&self) -> usize {
        self.state.lock().unwrap().submitted.len()
    }

    /// Gives a skill a version by number, as publishing would.
    pub fn publish(&self, skill: &str, number: u64) -> ResourceId {
        let row = self.row("Skill", skill);
        let spec =
            json!({ "skill": row.meta.id, "number": number, "content_hash": Digest::ZERO, "files": [] });
        let id = self.fresh_id();
        let name = format!("{}@{number}", row.meta.id);
        self.insert("SkillVersion", id, row.meta.ou, &name, spec, Value::Null, vec![row.key()]);
        id
    }

    pub fn parse(&self, text: &str) -> Parsed {
        parse("test.yaml", text, ParseMode::Lenient, &self.catalogue)
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Plans a text; what is wrong with it comes back as text.
    pub async fn try_plan(&self, text: &str) -> Result<Plan, String> {
        let parsed =
            parse("test.yaml", text, ParseMode::Lenient, &self.catalogue).map_err(|e| e.to_string())?;
        self.plan_parsed(parsed).await
    }

    pub async fn plan_parsed(&self, parsed: Parsed) -> Result<Plan, String> {
        let resolved = resolve(parsed.documents, &self.catalogue, self, self.org.id).await;
        let resolved = resolved.map_err(|error: ResolveError| error.to_string())?;
        plan(&resolved).map_err(|errors| errors.to_string())
    }

    pub async fn plan(&self, text: &str) -> Plan {
        self.try_plan(text).await.unwrap_or_else(|errors| panic!("{errors}"))
    }

    pub async fn apply_plan(&self, plan: &Plan) -> Report {
        apply(plan, self, ApplyOptions::default()).await
    }

    /// Plans and applies; everything must succeed.
    pub async fn declare(&self, text: &str) -> Report {
        let report = self.apply_plan(&self.plan(text).await).await;
        assert!(report.is_complete(), "{report}");
        report
    }

    fn act(&self, action: Action) -> Result<Outcome, Refusal> {
        match action {
            Action::Create { kind, ou, name, spec } => self.create(&kind, ou, name, spec),
            Action::Update { target, expect, patch } => {
                let mut row = self.expected(&target, expect)?;
                let rules = self.rules(target.kind.as_str());
                let mut spec = row.spec.as_object().unwrap().clone();
                for (field, value) in patch {
                    if value.is_null() {
                        spec.remove(&field)
                    } else {
                        spec.insert(field, value)
                    };
                }
                let next =
                    rules.check(&Value::Object(spec)).map_err(|e| Refusal::new(ErrorKind::Invalid, e))?;
                if next == row.spec {
                    return Ok(Outcome::Unchanged { record: Some(Box::new(row)) });
                }
                row.refs = self.live_references(rules.as_ref(), &next)?;
                row.spec = next;
                row.meta.version += 1;
                self.put(row.clone());
                Ok(applied(&row))
            }
            Action::Archive { target, expect } => {
                let row = self.expected(&target, expect)?;
                let referrers: Vec<RecordRow> = self
                    .rows()
                    .into_iter()
                    .filter(|other| other.is_live() && other.refs.contains(&target))
                    .collect();
                if let Some(other) = referrers.iter().find(|other| !self.follows(&row, other)) {
                    return Err(Refusal::new(
                        ErrorKind::Conflict,
                        format!("{} refers to it", other.meta.name),
                    ));
                }
                for mut gone in referrers.into_iter().chain([row.clone()]) {
                    let on_runtime = self.rules(gone.kind.as_str()).on_runtime();
                    gone.meta.stage = if on_runtime { Stage::Archiving } else { Stage::Archived };
                    self.put(gone);
                }
                Ok(applied(&row))
            }
            other => panic!("no plan does {}", other.word()),
        }
    }

    /// Whether `other` goes when `row` does.
    fn follows(&self, row: &RecordRow, other: &RecordRow) -> bool {
        self.rules(other.kind.as_str()).cascades() || row.kind.as_str() == "MCPDeployment"
    }

    fn expected(&self, target: &ResourceKey, expect: Option<u64>) -> Result<RecordRow, Refusal> {
        let rows = self.rows();
        let row = rows.into_iter().find(|row| row.key() == *target && row.is_live());
        let row = row.ok_or_else(|| Refusal::new(ErrorKind::NotFound, target))?;
        match expect {
            Some(version) if version != row.meta.version => {
                Err(Refusal::new(ErrorKind::VersionMismatch, format!("it has version {}", row.meta.version)))
            }
            _ => Ok(row),
        }
    }

    fn live_references(&self, rules: &dyn Kind, spec: &Value) -> Result<Vec<ResourceKey>, Refusal> {
        let references = rules.references(spec).map_err(|e| Refusal::new(ErrorKind::Invalid, e))?;
        for reference in &references {
            self.expected(&reference.target, None)?;
        }
        Ok(references.into_iter().map(|reference| reference.target).collect())
    }

    fn create(
        &self,
        kind: &KindName,
        ou: Option<ResourceId>,
        name: Option<String>,
        spec: Map<String, Value>,
    ) -> Result<Outcome, Refusal> {
        if self.gated.contains(kind.as_str()) {
            return Ok(Outcome::Pending { request_id: "req_1".to_owned() });
        }
        if self.broken.contains(kind.as_str()) {
            return Err(Refusal::new(ErrorKind::Unavailable, "the store cannot be used"));
        }
        let rules = self.rules(kind.as_str());
        let spec = rules.check(&Value::Object(spec)).map_err(|e| Refusal::new(ErrorKind::Invalid, e))?;
        let refs = self.live_references(rules.as_ref(), &spec)?;
        let name = match rules.home() {
            Home::Named => name.expect("a named kind has a name"),
            _ => rules.derived_name(&spec).unwrap().unwrap(),
        };
        let ou = match rules.home() {
            Home::Derived => self.expected(&refs[0], None)?.meta.ou,
            _ => ou.expect("the author chooses the OU"),
        };
        let key: KindName = "OU".parse().unwrap();
        self.expected(&ResourceKey { kind: key, id: ou }, None)?;
        let taken = rules.unique_key(ou, &name);
        if self
            .rows()
            .iter()
            .any(|row| row.kind == *kind && row.meta.stage != Stage::Archived && row.unique_key == taken)
        {
            return Err(Refusal::new(ErrorKind::Conflict, "the name is taken"));
        }
        let row = self.insert(kind.as_str(), self.fresh_id(), ou, &name, spec, Value::Null, refs);
        if kind.as_str() == "MCPDeployment" {
            let status = json!({ "server_name": name, "deployment": row.meta.id });
            self.insert(
                "MCPServerRegistration",
                self.fresh_id(),
                ou,
                &name,
                json!({}),
                status,
                vec![row.key()],
            );
        }
        Ok(applied(&row))
    }
}

fn applied(row: &RecordRow) -> Outcome {
    let audit = json!({ "seq": 1, "hash": Digest::ZERO });
    serde_json::from_value(json!({ "outcome": "applied", "record": row, "session": null, "audit": audit }))
        .unwrap()
}

/// Why the door refused.
#[derive(Debug)]
pub struct Refusal {
    kind: ErrorKind,
    message: String,
}

impl Refusal {
    fn new(kind: ErrorKind, message: impl std::fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

#[async_trait]
impl Submit for World {
    type Error = Refusal;

    async fn submit(&self, _place: usize, mutation: Mutation) -> Result<Outcome, Refusal> {
        self.state.lock().unwrap().submitted.push(mutation.clone());
        self.act(mutation.action)
    }

    async fn find(&self, kind: &KindName, ou: ResourceId, name: &str) -> Result<Option<ResourceId>, Refusal> {
        let mut rows = self.rows().into_iter();
        let row =
            rows.find(|row| row.is_live() && row.kind == *kind && row.meta.ou == ou && row.meta.name == name);
        Ok(row.map(|row| row.meta.id))
    }

    async fn released(&self, key: &ResourceKey) -> Result<bool, Refusal> {
        let mut row = self.rows().into_iter().find(|row| row.key() == *key).unwrap();
        if row.meta.stage == Stage::Archiving && !self.stuck {
            row.meta.stage = Stage::Archived;
            self.put(row.clone());
        }
        Ok(row.meta.stage == Stage::Archived)
    }

    async fn version(&self, key: &ResourceKey) -> Result<Option<u64>, Refusal> {
        let row = self.rows().into_iter().find(|row| row.key() == *key && row.is_live());
        Ok(row.map(|row| row.meta.version))
    }

    fn kind(&self, error: &Refusal) -> ErrorKind {
        error.kind
    }
}

#[async_trait]
impl Records for World {
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>> {
        Ok((org == self.org.id).then(|| self.org.clone()))
    }

    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>> {
        Ok((slug == self.org.slug).then(|| self.org.clone()))
    }

    async fn orgs(&self) -> StoreResult<Vec<OrgRow>> {
        Ok(vec![self.org.clone()])
    }

    async fn record(&self, _org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        Ok(self.rows().into_iter().find(|row| row.key() == *key))
    }

    async fn records(&self, _org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>> {
        Ok(self.rows().into_iter().filter(|row| keys.contains(&row.key())).collect())
    }

    async fn record_by_unique_key(
        &self,
        _org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>> {
        let mut rows = self.rows().into_iter();
        Ok(rows.find(|row| row.kind == *kind && row.unique_key == key && row.meta.stage != Stage::Archived))
    }

    async fn list_records(&self, _org: OrgId, _query: &RecordQuery) -> StoreResult<Vec<RecordRow>> {
        Ok(self.rows())
    }

    async fn referrers(&self, _org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>> {
        Ok(self.rows().into_iter().filter(|row| row.refs.contains(target)).collect())
    }

    async fn secret(&self, _org: OrgId, _owner: ResourceId) -> StoreResult<Option<SealedSecret>> {
        Ok(None)
    }

    async fn secrets(
        &self,
        _org: OrgId,
        _after: Option<ResourceId>,
        _limit: usize,
    ) -> StoreResult<Vec<(ResourceId, SealedSecret)>> {
        Ok(Vec::new())
    }

    async fn blob(&self, _org: OrgId, _digest: &Digest) -> StoreResult<Option<Bytes>> {
        Ok(None)
    }

    async fn idempotency(
        &self,
        _org: OrgId,
        _key: &str,
        _now: Timestamp,
    ) -> StoreResult<Option<IdempotencyRow>> {
        Ok(None)
    }
}
