//! The policies of an organization, ready to be asked which of them a change meets. Pure: no store, no clock.

use crate::approval::condition::Condition;
use crate::approval::facts::{Change, Facts};
use crate::authz::AuthzSnapshot;
use crate::door::mutation::Action;
use crate::error::Result;
use crate::id::ResourceId;
use crate::record::{KindName, Record, RecordRow, Schema};
use crate::resource::approval_policy::{ApprovalPolicy, ApprovalPolicySpec, OuDepth};
use serde_json::Value;
use std::collections::HashMap;

/// A change, as far as policies look at it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "plain data between the gate and the policies")]
pub struct PolicyQuestion<'a> {
    /// The kind of what changes.
    pub kind: &'a KindName,
    /// Kind and action, such as `agent.create`.
    pub verb: &'a str,
    /// The action in the words of [`Action::word`].
    pub action: &'a str,
    /// Every OU it touches.
    pub ous: &'a [ResourceId],
    /// The whole record as it would be; `None` where it is about none.
    pub record: Option<&'a RecordRow>,
    /// The whole spec before; `null` for what is new.
    pub before: &'a Value,
    /// Who wants it, in the written form.
    pub actor: &'a str,
    /// Whether an agent's session wants it.
    pub delegated: bool,
}

/// One policy that counts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Policy {
    /// Its id.
    pub id: ResourceId,
    /// Its scope.
    pub ou: ResourceId,
    /// Its name.
    pub name: String,
    /// Which version of it this is.
    pub version: u64,
    /// What it says.
    pub spec: ApprovalPolicySpec,
    /// `None` where nothing more is asked, and where what was stored can no longer be understood: it always matches.
    condition: Option<Condition>,
    /// One bit per word of [`Action::WORDS`]; all, if it names none.
    actions: u64,
}

/// The policies of one organization at one moment.
///
/// # Examples
/// ```
/// use powerloom_core::approval::policy_set::PolicySet;
///
/// let none = PolicySet::compile([])?;
/// assert!(none.is_empty());
/// # Ok::<(), powerloom_core::error::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// By id.
    policies: Vec<Policy>,
    /// Where in `policies` those of a scope are.
    scopes: HashMap<ResourceId, Scope, foldhash::fast::RandomState>,
}

/// The policies of one scope, in the order of `policies`.
#[derive(Debug, Clone, Default)]
struct Scope {
    of_any_kind: Vec<u32>,
    of_kind: HashMap<KindName, Vec<u32>, foldhash::fast::RandomState>,
}

impl PolicySet {
    /// Makes the policies of these rows ready: the live and enabled ones, in the order of their ids. Rows of other
    /// kinds are passed over.
    ///
    /// A stored condition that can no longer be compiled always holds.
    ///
    /// # Errors
    /// A stored policy cannot be read: what it would hold back is not known, so nothing may be changed.
    pub fn compile<'r>(rows: impl IntoIterator<Item = &'r RecordRow>) -> Result<Self> {
        Self::default().recompile(rows)
    }

    /// The same of other rows; conditions that are in this set already are not compiled again.
    ///
    /// # Errors
    /// As for [`compile`](Self::compile).
    pub fn recompile<'r>(&self, rows: impl IntoIterator<Item = &'r RecordRow>) -> Result<Self> {
        let mut policies = Vec::new();
        for row in rows {
            if row.kind != ApprovalPolicy::KIND || !row.is_live() {
                continue;
            }
            let record = Record::<ApprovalPolicy>::read(row)?;
            if record.spec.enabled {
                policies.push(self.policy(record));
            }
        }
        policies.sort_unstable_by_key(|policy| policy.id);
        let mut scopes: HashMap<ResourceId, Scope, _> = HashMap::default();
        for (number, policy) in (0_u32..).zip(&policies) {
            let scope = scopes.entry(policy.ou).or_default();
            let kinds = &policy.spec.matches.resource_kinds;
            if kinds.is_empty() {
                scope.of_any_kind.push(number);
            }
            for kind in kinds {
                let of_kind = scope.of_kind.entry(kind.clone()).or_default();
                if of_kind.last() != Some(&number) {
                    of_kind.push(number);
                }
            }
        }
        Ok(Self { policies, scopes })
    }

    fn policy(&self, record: Record<ApprovalPolicy>) -> Policy {
        let matches = &record.spec.matches;
        let known = self.get(record.meta.id).and_then(|policy| policy.condition.as_ref());
        let condition = matches.condition.as_deref().and_then(|text| match known {
            Some(known) if known.source() == text => Some(known.clone()),
            // What cannot be understood holds back whatever else matches.
            _ => Condition::compile(text).ok(),
        });
        let actions = if matches.actions.is_empty() {
            u64::MAX
        } else {
            matches.actions.iter().map(|word| bit(word)).fold(0, |all, one| all | one)
        };
        Policy {
            id: record.meta.id,
            ou: record.meta.ou,
            name: record.meta.name,
            version: record.meta.version,
            spec: record.spec,
            condition,
            actions,
        }
    }

    /// Whether no policy counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The policies that count, by id.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The policy of this id, if it counts.
    #[must_use]
    pub fn get(&self, id: ResourceId) -> Option<&Policy> {
        let place = self.policies.binary_search_by_key(&id, |policy| policy.id).ok()?;
        self.policies.get(place)
    }

    /// The policies a change meets, by id: all of them must be satisfied (sem. 2.8).
    ///
    /// A policy counts at every touched OU at or below its scope (at its scope only, if it says `exact`); an OU the
    /// snapshot does not know might be anywhere, so that every policy counts there. Allocates nothing unless kind, action
    /// and OU of a policy match.
    #[must_use]
    pub fn matching<'p>(&'p self, snapshot: &AuthzSnapshot, change: &PolicyQuestion<'_>) -> Vec<&'p Policy> {
        let mut found: Vec<u32> = Vec::new();
        if self.policies.is_empty() {
            return Vec::new();
        }
        let action = bit(change.action);
        for &touched in change.ous {
            if snapshot.ou_path(touched).is_none() {
                self.anywhere(change.kind, action, &mut found);
            }
            for ou in snapshot.self_and_ancestors(touched) {
                let Some(scope) = self.scopes.get(&ou) else { continue };
                let of_kind = scope.of_kind.get(change.kind).into_iter().flatten();
                for &number in scope.of_any_kind.iter().chain(of_kind) {
                    let here = |policy: &&Policy| {
                        policy.actions & action != 0
                            && (ou == touched || policy.spec.matches.ou_depth == OuDepth::Subtree)
                    };
                    if self.policies.get(number as usize).filter(here).is_some() {
                        found.push(number);
                    }
                }
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        found.sort_unstable();
        found.dedup();
        self.holding(snapshot, change, &found)
    }

    /// All that count, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// Those whose kind and action match, wherever they are.
    fn anywhere(&self, kind: &KindName, action: u64, found: &mut Vec<u32>) {
        for (number, policy) in (0_u32..).zip(&self.policies) {
            let kinds = &policy.spec.matches.resource_kinds;
            if policy.actions & action != 0 && (kinds.is_empty() || kinds.contains(kind)) {
                found.push(number);
            }
        }
    }

    /// Those of `found` whose conditions hold.
    fn holding<'p>(
        &'p self,
        snapshot: &AuthzSnapshot,
        change: &PolicyQuestion<'_>,
        found: &[u32],
    ) -> Vec<&'p Policy> {
        let home = change.record.map(|record| record.meta.ou).or_else(|| change.ous.first().copied());
        let facts = Facts::new(Change {
            kind: change.kind.as_str(),
            name: change.record.map(|record| record.meta.name.as_str()),
            ou_path: home.and_then(|ou| snapshot.ou_path(ou)).map(crate::ou_path::OuPath::as_str),
            spec: change.record.map(|record| &record.spec),
            before: Some(change.before),
            action: change.action,
            verb: change.verb,
            actor: change.actor,
            delegated: change.delegated,
        });
        let found = found.iter().filter_map(|number| self.policies.get(*number as usize));
        found.filter(|policy| policy.condition.as_ref().is_none_or(|one| one.holds(&facts))).collect()
    }
}

/// The bit of an action. One that has no word of its own has the last bit, which only policies of all actions have.
fn bit(word: &str) -> u64 {
    match Action::WORDS.iter().position(|known| *known == word) {
        Some(place) => 1 << place.min(62),
        None => 1 << 63,
    }
}
