//! The authorization snapshots this process has in memory, one per organization, each with its epoch.
//!
//! A snapshot is never trusted by age alone: a change carries its epoch as a precondition, so the store refuses
//! what was judged by an outdated one. A read may use one that is at most `authz_staleness` old.
//!
//! New users, groups, agents and OUs do not raise the epoch: they change no decision about what is already there. Whoever
//! meets one the snapshot does not know yet has it loaded anew, see [`AuthzCache::catch_up`].

use crate::approval::PolicySet;
use crate::authz::{
    AgentData, AuthzData, AuthzSnapshot, BindingData, GroupData, MembershipData, OuData, RoleData, UserData,
};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::OrgId;
use crate::permission::{PermissionPattern, PermissionSet};
use crate::record::{KindName, Record, RecordRow, Schema, Stage};
use crate::resource::agent::Agent;
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::group::{Group, GroupMembership};
use crate::resource::ou::Ou;
use crate::resource::role::Role;
use crate::resource::role_binding::RoleBinding;
use crate::resource::user::User;
use crate::store::{RecordCursor, RecordQuery, Store};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// What an organization's changes are judged by, of one epoch.
pub(crate) type Rules = (Arc<AuthzSnapshot>, Arc<PolicySet>);

/// The snapshots by organization.
#[derive(Debug, Default)]
pub(crate) struct AuthzCache {
    cached: ArcSwap<HashMap<OrgId, Arc<Cached>>>,
}

#[derive(Debug)]
struct Cached {
    snapshot: Arc<AuthzSnapshot>,
    /// The approval policies of the same epoch: every write of one raises it.
    policies: Arc<PolicySet>,
    /// When the store last said that this epoch is the present one, in microseconds.
    confirmed: AtomicI64,
    /// When its principals and OUs were read from the store.
    loaded: Timestamp,
    /// This process has added somebody since they were read. Passed on to whatever takes this one's place, so that
    /// nobody added meanwhile is forgotten.
    grown: Arc<AtomicBool>,
}

impl AuthzCache {
    /// A snapshot that was current at most `staleness` ago.
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        org: OrgId,
        now: Timestamp,
        staleness: Duration,
    ) -> Result<Arc<AuthzSnapshot>> {
        Ok(self.rules(store, org, now, staleness).await?.0)
    }

    /// The same with the approval policies of its epoch.
    pub(crate) async fn rules(
        &self,
        store: &dyn Store,
        org: OrgId,
        now: Timestamp,
        staleness: Duration,
    ) -> Result<Rules> {
        let cached = self.cached.load().get(&org).cloned();
        if let Some(cached) = &cached {
            let confirmed = Timestamp::from_micros(cached.confirmed.load(Ordering::Acquire));
            if now >= confirmed && now.since(confirmed) < staleness {
                return Ok((cached.snapshot.clone(), cached.policies.clone()));
            }
        }
        let epoch = epoch(store, org).await?;
        match cached {
            Some(cached) if cached.snapshot.epoch() == epoch => {
                cached.confirmed.store(now.as_micros(), Ordering::Release);
                Ok((cached.snapshot.clone(), cached.policies.clone()))
            }
            cached => {
                let known = cached.map(|cached| cached.policies.clone()).unwrap_or_default();
                let rules = load(store, org, &known).await?;
                self.put(org, rules.clone(), now);
                Ok(rules)
            }
        }
    }

    /// Loads the snapshot anew because it lacks somebody who may be new; whether it did.
    ///
    /// It does if this process has added somebody since, or if the snapshot is older than `staleness`: asking for what
    /// nobody has heard of does not make the store work without bound.
    pub(crate) async fn catch_up(
        &self,
        store: &dyn Store,
        org: OrgId,
        now: Timestamp,
        staleness: Duration,
    ) -> Result<bool> {
        let Some(cached) = self.cached.load().get(&org).cloned() else { return Ok(true) };
        if !cached.grown.swap(false, Ordering::AcqRel) && now.since(cached.loaded) < staleness {
            return Ok(false);
        }
        self.put(org, load(store, org, &cached.policies).await?, now);
        Ok(true)
    }

    /// This process has added somebody.
    pub(crate) fn grew(&self, org: OrgId) {
        if let Some(cached) = self.cached.load().get(&org) {
            cached.grown.store(true, Ordering::Release);
        }
    }

    /// Puts a snapshot that was made of the present one in its place: it knows nobody the present one does not.
    pub(crate) fn derived(&self, org: OrgId, snapshot: Arc<AuthzSnapshot>, now: Timestamp) {
        let Some(held) = self.cached.load().get(&org).cloned() else { return };
        // A binding is no policy: those of the epoch before are those of this one. Anything else was made of another one.
        if held.snapshot.epoch() + 1 == snapshot.epoch() {
            self.replace(org, (snapshot, held.policies.clone()), now, held.loaded);
        }
    }

    /// Puts a snapshot that was just read in the place of an older one.
    fn put(&self, org: OrgId, rules: Rules, now: Timestamp) {
        self.replace(org, rules, now, now);
    }

    /// Puts a snapshot in the place of an older one; never the other way round.
    fn replace(&self, org: OrgId, (snapshot, policies): Rules, now: Timestamp, loaded: Timestamp) {
        self.cached.rcu(|cached| {
            let mut next = HashMap::clone(cached);
            let held = next.get(&org);
            if held.is_none_or(|held| held.snapshot.epoch() <= snapshot.epoch()) {
                let cached = Cached {
                    snapshot: snapshot.clone(),
                    policies: policies.clone(),
                    confirmed: AtomicI64::new(now.as_micros()),
                    loaded,
                    grown: held.map_or_else(Arc::default, |held| held.grown.clone()),
                };
                next.insert(org, Arc::new(cached));
            }
            next
        });
    }

    /// The next look asks the store again.
    pub(crate) fn doubt(&self, org: OrgId) {
        if let Some(cached) = self.cached.load().get(&org) {
            cached.confirmed.store(i64::MIN, Ordering::Release);
        }
    }
}

async fn epoch(store: &dyn Store, org: OrgId) -> Result<u64> {
    let row = store.org(org).await?.ok_or_else(|| Error::not_found("organization", org))?;
    Ok(row.authz_epoch)
}

/// Reads all authorization data and compiles it. An epoch that moves meanwhile means: read again.
async fn load(store: &dyn Store, org: OrgId, known: &PolicySet) -> Result<Rules> {
    loop {
        let before = epoch(store, org).await?;
        let policies = known.recompile(&list(store, org, ApprovalPolicy::KIND).await?)?;
        let snapshot = read(store, org, before, &[]).await?;
        if epoch(store, org).await? == before {
            return Ok((Arc::new(snapshot), Arc::new(policies)));
        }
    }
}

/// Compiles a snapshot of the stored rows with `changed` in the place of their older selves: what authorization
/// would be after a change.
pub(crate) async fn preview(
    store: &dyn Store,
    org: OrgId,
    epoch: u64,
    changed: &[RecordRow],
) -> Result<AuthzSnapshot> {
    read(store, org, epoch, changed).await
}

/// How often data that contradict themselves are read again: somebody may have been added between two pages.
const READS: usize = 3;

/// Compiles the stored rows with `changed` in the place of their older selves.
async fn read(store: &dyn Store, org: OrgId, epoch: u64, changed: &[RecordRow]) -> Result<AuthzSnapshot> {
    let mut again = READS;
    loop {
        let mut rows = read_rows(store, org).await?;
        rows.retain(|row| !changed.iter().any(|new| new.meta.id == row.meta.id && new.kind == row.kind));
        let data = authz_data(rows.iter().chain(changed))?;
        again -= 1;
        match AuthzSnapshot::compile(org, epoch, data) {
            Ok(snapshot) => return Ok(snapshot),
            Err(_) if again > 0 => {}
            Err(error) => return Err(Error::AuthzData { message: error.to_string() }),
        }
    }
}

/// All rows that authorization is made of. What refers is read before what it refers to: additions do not raise the
/// epoch, and whatever a row names was there before the row.
async fn read_rows(store: &dyn Store, org: OrgId) -> Result<Vec<RecordRow>> {
    let mut rows = Vec::new();
    let kinds: [KindName; 7] = [
        RoleBinding::KIND,
        GroupMembership::KIND,
        Agent::KIND,
        Role::KIND,
        Group::KIND,
        User::KIND,
        Ou::KIND,
    ];
    for kind in kinds {
        rows.extend(list(store, org, kind).await?);
    }
    Ok(rows)
}

/// All rows of a kind that are not archived.
async fn list(store: &dyn Store, org: OrgId, kind: KindName) -> Result<Vec<RecordRow>> {
    let mut rows = Vec::new();
    let mut query = RecordQuery { kind: Some(kind), ..RecordQuery::default() };
    loop {
        let page = store.list_records(org, &query).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        query.after =
            Some(RecordCursor { kind: last.kind.clone(), name: last.meta.name.clone(), id: last.meta.id });
        rows.extend(page);
    }
}

/// The authorization data in `rows`; archived records and other kinds do not count.
pub(crate) fn authz_data<'a>(rows: impl Iterator<Item = &'a RecordRow>) -> Result<AuthzData> {
    let mut data = AuthzData::default();
    for row in rows.filter(|row| row.meta.stage != Stage::Archived) {
        let (id, ou) = (row.meta.id, row.meta.ou);
        match row.kind.as_str() {
            "OU" => {
                let parent = (id != ou).then_some(ou);
                data.ous.push(OuData { id, parent, name: row.meta.name.parse()? });
            }
            "User" => {
                let user = Record::<User>::read(row)?.spec;
                data.users.push(UserData { id, email: user.email, home_ou: ou, disabled: user.disabled });
            }
            "Group" => data.groups.push(GroupData { id, ou, name: row.meta.name.parse()? }),
            "GroupMembership" => {
                let membership = Record::<GroupMembership>::read(row)?.spec;
                data.memberships.push(MembershipData { group: membership.group, member: membership.member });
            }
            "Role" => data.roles.push(RoleData {
                id,
                name: row.meta.name.parse()?,
                permissions: permissions(&Record::<Role>::read(row)?.spec.permissions),
                owning_ou: Some(ou),
            }),
            "Agent" => {
                let agent = Record::<Agent>::read(row)?.spec;
                data.agents.push(AgentData {
                    id,
                    ou,
                    name: row.meta.name.parse()?,
                    kind: agent.agent_kind,
                    owner: agent.owner_principal,
                    boundary: agent.permission_boundary.as_deref().map(permissions),
                    archived: row.meta.stage != Stage::Live,
                });
            }
            "RoleBinding" => data.bindings.push(binding_data(row)?),
            _ => {}
        }
    }
    Ok(data)
}

/// The binding in a row.
pub(crate) fn binding_data(row: &RecordRow) -> Result<BindingData> {
    let spec = Record::<RoleBinding>::read(row)?.spec;
    Ok(BindingData {
        id: row.meta.id,
        principal: spec.principal,
        role: spec.role,
        scope: row.meta.ou,
        effect: spec.effect,
        expires_at: spec.expires_at,
    })
}

/// What a list of patterns permits.
pub(crate) fn permissions(patterns: &[PermissionPattern]) -> PermissionSet {
    patterns.iter().copied().collect()
}
