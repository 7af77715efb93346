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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{AuthzData, OuData};
    use crate::clock::Timestamp;
    use crate::id::OrgId;
    use crate::record::{Metadata, Stage};
    use serde_json::json;
    use uuid::Uuid;

    const ACME: u128 = 1;
    const ENG: u128 = 2;
    const ENGINEERING: u128 = 3;
    const WEB: u128 = 4;
    const SALES: u128 = 5;
    const NOWHERE: u128 = 9;

    fn id(number: u128) -> ResourceId {
        ResourceId::from_uuid(Uuid::from_u128(number))
    }

    /// `/acme`, `/acme/eng`, `/acme/engineering`, `/acme/eng/web`, `/acme/sales`.
    fn snapshot() -> AuthzSnapshot {
        let ou = |number, parent: Option<u128>, name: &str| OuData {
            id: id(number),
            parent: parent.map(id),
            name: name.parse().unwrap(),
        };
        let ous = vec![
            ou(ACME, None, "acme"),
            ou(ENG, Some(ACME), "eng"),
            ou(ENGINEERING, Some(ACME), "engineering"),
            ou(WEB, Some(ENG), "web"),
            ou(SALES, Some(ACME), "sales"),
        ];
        let data = AuthzData { ous, ..AuthzData::default() };
        AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, data).unwrap()
    }

    fn row(kind: KindName, number: u128, ou: u128, name: &str, spec: Value) -> RecordRow {
        let at = Timestamp::from_micros(1);
        RecordRow {
            kind,
            meta: Metadata {
                id: id(number),
                org: OrgId::from_uuid(Uuid::nil()),
                ou: id(ou),
                name: name.to_owned(),
                version: 3,
                generation: 1,
                stage: Stage::Live,
                created_at: at,
                updated_at: at,
                labels: crate::labels::Labels::default(),
                managed: serde_json::Map::new(),
            },
            spec,
            status: Value::Null,
            unique_key: String::new(),
            refs: Vec::new(),
        }
    }

    fn policy(number: u128, ou: u128, matches: Value) -> RecordRow {
        let spec = json!({ "match": matches, "approvers": ["role:OrgAdmin"] });
        row(ApprovalPolicy::KIND, 100 + number, ou, &format!("p{number}"), spec)
    }

    fn set(rows: &[RecordRow]) -> PolicySet {
        PolicySet::compile(rows).unwrap()
    }

    fn names(found: &[&Policy]) -> String {
        found.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// What a change of an agent in `ous` meets.
    fn met(set: &PolicySet, action: &str, ous: &[u128]) -> String {
        met_by(set, &KindName::known("Agent"), action, ous)
    }

    fn met_by(set: &PolicySet, kind: &KindName, action: &str, ous: &[u128]) -> String {
        let ous: Vec<ResourceId> = ous.iter().copied().map(id).collect();
        let record = row(kind.clone(), 50, ENG, "code-reviewer", json!({ "model": "claude-opus-4-5" }));
        let question = PolicyQuestion {
            kind,
            verb: "agent.update",
            action,
            ous: &ous,
            record: Some(&record),
            before: &Value::Null,
            actor: "user:ada@acme.com",
            delegated: false,
        };
        names(&set.matching(&snapshot(), &question))
    }

    /// Row P96; sem. 2.8, row Match scope.
    #[test]
    fn a_policy_counts_where_its_kinds_actions_and_ou_are() {
        let table = set(&[
            policy(0, ACME, json!({})),
            policy(1, ENG, json!({ "resource_kinds": ["Agent"], "actions": ["create"] })),
            policy(2, ENG, json!({ "resource_kinds": ["Agent", "Skill"], "ou_depth": "exact" })),
            policy(3, ENGINEERING, json!({ "resource_kinds": ["Agent"] })),
            policy(4, WEB, json!({ "actions": ["create", "update", "archive"] })),
            policy(5, SALES, json!({ "resource_kinds": ["Skill"] })),
            policy(6, ACME, json!({ "ou_depth": "exact" })),
        ]);
        for (kind, action, ous, expected) in [
            ("Agent", "create", &[ENG][..], "p0 p1 p2"),
            ("Agent", "update", &[ENG], "p0 p2"),
            ("Agent", "create", &[WEB], "p0 p1 p4"),
            ("Skill", "update", &[WEB], "p0 p4"),
            ("Skill", "publish", &[ENG], "p0 p2"),
            // By segments: `/acme/eng` is no prefix of `/acme/engineering`.
            ("Agent", "create", &[ENGINEERING], "p0 p3"),
            ("Agent", "create", &[SALES], "p0"),
            ("Skill", "create", &[SALES], "p0 p5"),
            ("Agent", "create", &[ACME], "p0 p6"),
            // A move and an attachment touch more than one: each policy is met once.
            ("Agent", "move", &[ENG, ENGINEERING], "p0 p2 p3"),
            ("Agent", "attach_skill", &[WEB, ACME, WEB], "p0 p6"),
            ("OU", "move", &[WEB, SALES], "p0"),
            ("Session", "cancel", &[ENG], "p0"),
            ("Agent", "create", &[], ""),
        ] {
            let kind: KindName = kind.parse().unwrap();
            assert_eq!(met_by(&table, &kind, action, ous), expected, "{kind} {action} {ous:?}");
        }
    }

    /// An OU the snapshot does not know might be anywhere.
    #[test]
    fn in_an_ou_nobody_knows_every_policy_counts() {
        let table = set(&[
            policy(1, ENG, json!({ "resource_kinds": ["Agent"], "actions": ["create"] })),
            policy(2, SALES, json!({ "ou_depth": "exact" })),
            policy(3, SALES, json!({ "resource_kinds": ["Skill"] })),
        ]);
        assert_eq!(met(&table, "create", &[NOWHERE]), "p1 p2");
        assert_eq!(met(&table, "archive", &[NOWHERE, ENG]), "p2");
    }

    /// Sem. 2.8, row Several match; vector 4.6: root and child policy both match → both required.
    #[test]
    fn the_policies_of_the_root_and_of_the_ou_are_both_met() {
        let table = set(&[policy(2, ENG, json!({})), policy(1, ACME, json!({}))]);
        assert_eq!(met(&table, "update", &[ENG]), "p1 p2");
        let both = table.policies();
        assert_eq!((both[0].ou, both[1].ou, both[0].version), (id(ACME), id(ENG), 3));
        assert_eq!(table.get(id(102)).unwrap().name, "p2");
        assert!(table.get(id(7)).is_none());
    }

    #[test]
    fn what_is_disabled_or_archived_or_no_policy_does_not_count() {
        let mut disabled = policy(1, ACME, json!({}));
        disabled.spec["enabled"] = json!(false);
        let mut archived = policy(2, ACME, json!({}));
        archived.meta.stage = Stage::Archived;
        let other = row(KindName::known("Agent"), 3, ACME, "a", json!({ "model": "m" }));
        assert!(set(&[disabled.clone(), archived.clone(), other]).is_empty());
        let table = set(&[disabled, archived, policy(3, ACME, json!({}))]);
        assert_eq!(met(&table, "update", &[ENG]), "p3");
    }

    /// Sem. 2.8, row Condition: an evaluation error counts as a match.
    #[test]
    fn a_condition_narrows_and_fails_closed() {
        let table = set(&[
            policy(1, ACME, json!({ "condition": "resource.spec.model.startsWith('claude-opus')" })),
            policy(2, ACME, json!({ "condition": "resource.spec.model == 'claude-haiku-4-5'" })),
            policy(3, ACME, json!({ "condition": "resource.spec.cost > 3" })),
            policy(4, ACME, json!({ "condition": "this was a condition once" })),
            policy(5, ACME, json!({ "condition": "resource.ou_path == '/acme/eng' && before == null" })),
            policy(6, ACME, json!({ "condition": "actor != 'user:ada@acme.com' || delegated" })),
            policy(7, ACME, json!({ "condition": "verb == 'agent.update' && action == 'update'" })),
        ]);
        assert_eq!(met(&table, "update", &[ENG]), "p1 p3 p4 p5 p7");
    }

    /// Who cannot read a policy does not know what it holds back.
    #[test]
    fn a_policy_that_cannot_be_read_is_an_error() {
        let mut broken = policy(1, ACME, json!({}));
        broken.spec["quorum"] = json!("many");
        assert_eq!(PolicySet::compile([&broken]).unwrap_err().code(), "corrupt");
    }

    #[test]
    fn a_set_made_of_another_one_keeps_the_conditions_that_did_not_change() {
        let text = |text: &str| json!({ "condition": text });
        let first = set(&[policy(1, ACME, text("true")), policy(2, ACME, text("true"))]);
        let second =
            first.recompile(&[policy(1, ACME, text("true")), policy(2, ACME, text("false"))]).unwrap();
        assert_eq!(met(&first, "update", &[ENG]), "p1 p2");
        assert_eq!(met(&second, "update", &[ENG]), "p1");
    }
}
