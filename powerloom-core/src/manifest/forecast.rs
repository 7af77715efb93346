//! Finds out what each step of a plan will meet with: rehearses it at the door where that is possible, and judges it by
//! permissions and policies where it is not.

use crate::approval::policy_set::PolicyQuestion;
use crate::clock::Timestamp;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::matching::matching;
use crate::door::mutation::Mutation;
use crate::door::work::{Work, snake_case};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::labels::Labels;
use crate::manifest::asks::Asks;
use crate::manifest::governance::{Ask, Governance, Ruling};
use crate::manifest::hole::OU;
use crate::manifest::live::Live;
use crate::manifest::plan::{Plan, Step, Verb};
use crate::manifest::sight::Sight;
use crate::manifest::target::Target;
use crate::manifest::written::Names;
use crate::ou_path::OuPath;
use crate::permission::Permission;
use crate::record::{Metadata, Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::kind::{Home, Kind, Reference};
use crate::resource::ou::Ou;
use crate::resource::skill::Skill;
use crate::resource::skill_grant::SkillAccessGrant;
use crate::store::Write;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

pub(crate) struct Forecaster<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
    sight: &'a Sight<'a>,
    live: Live<'a>,
    names: Names,
    asks: Asks,
}

impl<'a> Forecaster<'a> {
    pub(crate) async fn open(
        control_plane: &'a ControlPlane,
        caller: &'a Caller,
        sight: &'a Sight<'a>,
    ) -> Result<Self> {
        let live = Live::open(control_plane.store().as_ref(), control_plane.catalogue(), caller.org).await?;
        let live = live.ok_or_else(|| Error::not_found("organization", caller.org))?;
        Ok(Self { control_plane, caller, sight, live, names: Names::default(), asks: Asks::default() })
    }

    /// Says of every step what it will meet with.
    pub(crate) async fn govern(&mut self, plan: &mut Plan) -> Result<()> {
        for step in &mut plan.steps {
            step.governance = Some(self.step(step).await?);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<Governance> {
        let nothing_made = BTreeMap::new();
        match step.verb {
            Verb::Noop => Ok(Governance::clear()),
            Verb::Create | Verb::Update if step.holes.is_empty() => match step.mutation(&nothing_made) {
                Ok(mutation) => self.rehearse(step, &mutation).await,
                Err(unready) => Ok(refused(unready.kind().code(), &unready)),
            },
            Verb::Archive if step.depends_on.is_empty() => match step.removal() {
                Ok(mutation) => self.rehearse(step, &mutation).await,
                Err(unready) => Ok(refused(unready.kind().code(), &unready)),
            },
            Verb::Create | Verb::Update | Verb::Archive => self.forecast(step).await,
            Verb::Replace => {
                let removal = match step.removal() {
                    Ok(mutation) => self.rehearse(step, &mutation).await?,
                    Err(unready) => refused(unready.kind().code(), &unready),
                };
                let creation = self.forecast(step).await?;
                Ok(both(removal, creation))
            }
        }
    }

    /// What the door would do now.
    async fn rehearse(&mut self, step: &Step, mutation: &Mutation) -> Result<Governance> {
        let (control_plane, caller) = (self.control_plane, self.caller);
        let (work, draft) = match control_plane.plane.rehearse(caller, mutation).await {
            Ok(rehearsed) => rehearsed,
            Err(Error::Denied(decision)) => return Ok(denied(&decision)),
            // What is no answer about the change is none about the plan.
            Err(error @ (Error::Store(_) | Error::Internal { .. })) => return Err(error),
            Err(error) => return Ok(refused(error.code(), &error)),
        };
        if draft.unchanged {
            return Ok(Governance::clear());
        }
        let met = if draft.ungated { Vec::new() } else { matching(&work, mutation, &draft) };
        let asks = self.asks.of(&met, &mut self.live, self.sight).await?;
        let mut governance = Governance { asks, ..Governance::clear() };
        let itself = draft.record.as_ref().map(RecordRow::key);
        let mut written: HashMap<ResourceKey, RecordRow> = HashMap::new();
        let mut moved: Vec<ResourceKey> = Vec::new();
        let mut desired = Vec::new();
        for write in draft.write {
            match write {
                Write::PutRecord(row) => {
                    written.insert(row.key(), *row);
                }
                Write::Desire { key, desired: digest } => desired.push((key, digest)),
                Write::Remove(key) => moved.push(key),
                _ => {}
            }
        }
        let keys: Vec<ResourceKey> = desired.iter().map(|(key, _)| key.clone()).collect();
        let states = control_plane.store().sync_states(caller.org, &keys).await?;
        for (key, digest) in desired {
            // A change that is none on the runtime, such as of a description, moves nothing there.
            if !states.iter().any(|state| state.key == key && state.desired == digest) {
                moved.push(key);
            }
        }
        for key in moved {
            let target = if Some(&key) == itself.as_ref() {
                Some(step.target.clone())
            } else {
                self.named(&key, written.get(&key)).await?
            };
            match target {
                Some(target) => governance.dirty.push(target),
                None => governance.hidden += 1,
            }
        }
        governance.dirty.sort();
        Ok(governance)
    }

    /// What people call a record; nothing, if the caller may not read it.
    async fn named(&mut self, key: &ResourceKey, written: Option<&RecordRow>) -> Result<Option<Target>> {
        let stored = match written {
            Some(row) => Some(row.clone()),
            None => self.live.row(key).await?,
        };
        let Some(row) = stored.filter(|row| self.sight.reads(row)) else { return Ok(None) };
        let sight = self.sight;
        self.live.names([&row], &mut self.names, &|row| sight.names(row)).await?;
        Ok(Some(self.live.target(&row, &self.names).await?))
    }

    /// What can be said of a step that cannot be rehearsed.
    async fn forecast(&mut self, step: &Step) -> Result<Governance> {
        let kind = self.control_plane.catalogue().kind(&step.target.kind)?.clone();
        let row = match step.seen() {
            Ok((key, _)) => self.live.row(&key).await?,
            Err(_) => None,
        };
        let is_new = matches!(step.verb, Verb::Create | Verb::Replace);
        let permissions = kind.permissions();
        let (permission, ou) = match (&row, step.verb) {
            (Some(row), Verb::Update) => (permissions.update, Some(Work::judged_at(row))),
            (Some(row), Verb::Archive) => (permissions.archive, Some(Work::judged_at(row))),
            _ => (permissions.create, self.home(step, kind.as_ref()).await?),
        };
        let mut governance = Governance { is_forecast: true, ..Governance::clear() };
        let Some(ou) = ou else { return Ok(governance) };
        let decision = self.sight.decide(permission, ou);
        if !decision.is_allowed() {
            return Ok(Governance { is_forecast: true, ..denied(&decision) });
        }
        let mut ous = vec![ou];
        let before = row.as_ref().filter(|_| !is_new).map(|row| &row.spec);
        if step.verb != Verb::Archive
            && let Some(denial) = self.uses(step, kind.as_ref(), before, &mut ous).await?
        {
            return Ok(Governance { is_forecast: true, ..denial });
        }
        governance.asks = self.asked(step, kind.as_ref(), before, &ous).await?;
        if kind.on_runtime() {
            governance.dirty.push(step.target.clone());
        }
        if let Some(row) = row.filter(|_| kind.followed() && step.verb == Verb::Update) {
            for follower in self.control_plane.store().referrers(self.caller.org, &row.key()).await? {
                let follows = self.control_plane.catalogue().kind(&follower.kind)?.on_runtime();
                if !(follows && follower.is_live()) {
                    continue;
                }
                match self.named(&follower.key(), Some(&follower)).await? {
                    Some(target) => governance.dirty.push(target),
                    None => governance.hidden += 1,
                }
            }
        }
        Ok(governance)
    }

    /// The policies that a step will probably meet: its references are not known yet, all else is.
    async fn asked(
        &mut self,
        step: &Step,
        kind: &dyn Kind,
        before: Option<&Value>,
        ous: &[ResourceId],
    ) -> Result<Vec<Ask>> {
        let (Some(ou), name) = (ous.first(), kind.name()) else { return Ok(Vec::new()) };
        let action = match step.verb {
            Verb::Create | Verb::Replace => "create",
            Verb::Update | Verb::Noop => "update",
            Verb::Archive => "archive",
        };
        let id = step.target.provisional_id();
        let leaf = step.target.path.rsplit('/').next().unwrap_or_default();
        let record = RecordRow {
            kind: name.clone(),
            meta: Metadata {
                id,
                org: self.caller.org,
                ou: *ou,
                name: step.name.clone().unwrap_or_else(|| leaf.to_owned()),
                version: 1,
                generation: 1,
                stage: Stage::Live,
                created_at: Timestamp::from_micros(0),
                updated_at: Timestamp::from_micros(0),
                labels: Labels::default(),
                managed: Map::new(),
            },
            spec: after(kind, step, before),
            status: Value::Null,
            unique_key: String::new(),
            refs: Vec::new(),
        };
        let principal = &self.caller.principal;
        let snapshot = &self.sight.snapshot;
        let actor = snapshot.written(principal).map_or_else(|| principal.to_string(), ToString::to_string);
        let question = PolicyQuestion {
            kind: &name,
            verb: &format!("{}.{action}", snake_case(name.as_str())),
            action,
            ous,
            record: Some(&record),
            before: before.unwrap_or(&Value::Null),
            actor: &actor,
            delegated: self.caller.delegated_from_session.is_some(),
        };
        let sight = self.sight;
        let met = sight.policies.matching(snapshot, &question);
        self.asks.of(&met, &mut self.live, sight).await
    }

    /// Where something new will be judged: its OU, or the nearest one above it that exists.
    async fn home(&mut self, step: &Step, kind: &dyn Kind) -> Result<Option<ResourceId>> {
        if let Some(hole) = step.holes.iter().find(|hole| hole.pointer == OU) {
            return self.nearest(&hole.target).await;
        }
        if let Some(ou) = step.ou {
            return Ok(Some(ou));
        }
        if kind.home() != Home::Derived {
            return Ok(None);
        }
        let Some(first) = references(kind, step, None).into_iter().next() else { return Ok(None) };
        match hole_of(step, first.target.id) {
            Some(target) => self.nearest(&target).await,
            None => Ok(self.live.row(&first.target).await?.map(|row| Work::judged_at(&row))),
        }
    }

    /// The nearest OU that exists, from something that does not exist yet upwards.
    async fn nearest(&mut self, target: &Target) -> Result<Option<ResourceId>> {
        let path = if target.kind == Ou::KIND {
            target.path.as_str()
        } else {
            target.path.rsplit_once('/').map_or("", |(ou, _)| ou)
        };
        if let Ok(path) = path.parse::<OuPath>() {
            for path in path.self_and_ancestors() {
                if let Some(ou) = self.live.ou(&path).await? {
                    return Ok(Some(ou));
                }
            }
        }
        Ok(None)
    }

    /// The first reference the caller may not make (sem. 2.2.9); of a change, only new references are judged. Adds the
    /// OUs the references touch.
    async fn uses(
        &mut self,
        step: &Step,
        kind: &dyn Kind,
        before: Option<&Value>,
        ous: &mut Vec<ResourceId>,
    ) -> Result<Option<Governance>> {
        let old = before.and_then(|spec| kind.references(spec).ok()).unwrap_or_default();
        for reference in references(kind, step, before) {
            let Some(permission) = reference.needs else { continue };
            if old.iter().any(|old| old.target == reference.target) {
                continue;
            }
            let (ou, row) = match hole_of(step, reference.target.id) {
                Some(target) => (self.nearest(&target).await?, None),
                None => match self.live.row(&reference.target).await? {
                    Some(row) => (Some(Work::judged_at(&row)), Some(row)),
                    None => (None, None),
                },
            };
            let Some(ou) = ou else { continue };
            ous.push(ou);
            let decision = self.sight.decide(permission, ou);
            if !decision.is_allowed() && !self.is_granted(permission, row.as_ref()).await? {
                return Ok(Some(denied(&decision)));
            }
        }
        Ok(None)
    }

    /// Whether a skill access grant covers the caller.
    async fn is_granted(&self, permission: Permission, skill: Option<&RecordRow>) -> Result<bool> {
        let beyond = self.caller.ceiling.as_ref().is_some_and(|ceiling| !ceiling.contains(permission));
        let Some(skill) = skill.filter(|row| row.kind == Skill::KIND) else { return Ok(false) };
        if permission != Permission::SKILL_USE || beyond {
            return Ok(false);
        }
        for row in self.control_plane.store().referrers(self.caller.org, &skill.key()).await? {
            if row.kind == SkillAccessGrant::KIND {
                let grant = Record::<SkillAccessGrant>::read(&row)?.spec;
                if self.sight.snapshot.covers(&self.caller.principal, &grant.principal) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What the spec will refer to.
fn references(kind: &dyn Kind, step: &Step, before: Option<&Value>) -> Vec<Reference> {
    kind.references(&after(kind, step, before)).unwrap_or_default()
}

/// The spec as it will be, with the ids that hold the places of what is not made yet.
fn after(kind: &dyn Kind, step: &Step, before: Option<&Value>) -> Value {
    let mut spec = before.and_then(Value::as_object).cloned().unwrap_or_default();
    spec.extend(step.payload.clone());
    spec.retain(|_, value| !value.is_null());
    let spec = Value::Object(spec);
    kind.check(&spec).unwrap_or(spec)
}

/// What this plan makes, by the id that holds its place.
fn hole_of(step: &Step, id: ResourceId) -> Option<Target> {
    step.holes.iter().map(|hole| &hole.target).find(|target| target.provisional_id() == id).cloned()
}

fn denied(decision: &crate::authz::Decision) -> Governance {
    let ruling = Ruling::Denied {
        permission: decision.permission,
        ou: decision.ou.to_string(),
        message: decision.denial_text(),
    };
    Governance { ruling, ..Governance::clear() }
}

fn refused(code: &str, error: &impl ToString) -> Governance {
    let ruling = Ruling::Refused { code: code.to_owned(), message: error.to_string() };
    Governance { ruling, ..Governance::clear() }
}

/// Of two changes: what the first meets with, then what the second does.
fn both(first: Governance, second: Governance) -> Governance {
    let mut both = Governance { is_forecast: true, ..first };
    if both.ruling == Ruling::Allowed {
        both.ruling = second.ruling;
    }
    for ask in second.asks {
        if !both.asks.contains(&ask) {
            both.asks.push(ask);
        }
    }
    both.dirty.extend(second.dirty);
    both.dirty.sort();
    both.dirty.dedup();
    both.hidden += second.hidden;
    both
}
