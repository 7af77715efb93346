//! The oracle's own account of who holds what and which policies stand: made from audit rows alone.

use powerloom_core::clock::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) struct Binding {
    principal: String,
    role: String,
    ou: String,
    deny: bool,
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) ou: String,
    pub(crate) spec: Value,
}

/// What is so after some row of the chain.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) bindings: BTreeMap<String, Binding>,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) disabled: BTreeSet<String>,
}

impl Account {
    /// Takes one row into account: kind and word of the verb, the id, what changed.
    pub(crate) fn take(&mut self, verb: &str, id: &str, change: &Value) {
        let after = &change["after"];
        match verb {
            "organization.create" => {}
            "role_binding.create" => {
                let spec = &after["spec"];
                self.bindings.insert(
                    id.to_owned(),
                    Binding {
                        principal: text(&spec["principal"]),
                        role: text(&spec["role"]),
                        ou: text(&after["ou"]),
                        deny: spec["effect"] == "deny",
                        expires_at: spec["expires_at"].as_str().map(|at| at.parse().unwrap()),
                    },
                );
            }
            "role_binding.archive" => {
                self.bindings.remove(id);
            }
            "approval_policy.create" => {
                let policy = Policy { ou: text(&after["ou"]), spec: after["spec"].clone() };
                self.policies.insert(id.to_owned(), policy);
            }
            "approval_policy.update" => {
                let policy = self.policies.get_mut(id).unwrap();
                for (field, value) in after.as_object().unwrap() {
                    policy.spec[field] = value.clone();
                }
            }
            "approval_policy.archive" => {
                self.policies.remove(id);
            }
            "user.update" => {
                let id = format!("user:{id}");
                if after["disabled"] == json!(true) {
                    self.disabled.insert(id);
                } else if after.get("disabled").is_some() {
                    self.disabled.remove(&id);
                }
            }
            _ => {}
        }
    }

    fn reaching(&self, who: &str, ou: &str, at: Timestamp) -> impl Iterator<Item = &Binding> {
        self.bindings.values().filter(move |binding| {
            binding.principal == who
                && (binding.ou == ou || ou.starts_with(&format!("{}/", binding.ou)))
                && binding.expires_at.is_none_or(|end| at < end)
        })
    }

    /// Whether `who` may: some allow, no deny, not disabled.
    pub(crate) fn may(&self, who: &str, permission: &str, ou: &str, at: Timestamp) -> bool {
        let speaks = |binding: &&Binding| gives(&binding.role, permission);
        let mut allowed = false;
        for binding in self.reaching(who, ou, at).filter(speaks) {
            if binding.deny {
                return false;
            }
            allowed = true;
        }
        allowed && !self.disabled.contains(who)
    }

    /// Whether one of `approvers` is `who`.
    pub(crate) fn is_approver(&self, who: &str, approvers: &Value, ou: &str, at: Timestamp) -> bool {
        approvers.as_array().unwrap().iter().any(|approver| {
            let approver = approver.as_str().unwrap();
            let Some(role) = approver.strip_prefix("role:") else { return approver == who };
            let holds = |deny| self.reaching(who, ou, at).any(|b| b.role == role && b.deny == deny);
            holds(false) && !holds(true) && !self.disabled.contains(who)
        })
    }

    /// The ids of the policies that want approval of `action` at `ou`.
    pub(crate) fn asking(&self, action: &str, ou: &str) -> Vec<String> {
        let wants = |policy: &Policy| {
            let spec = &policy.spec;
            let matches = &spec["match"];
            let here = if matches["ou_depth"] == "exact" {
                ou == policy.ou
            } else {
                ou == policy.ou || ou.starts_with(&format!("{}/", policy.ou))
            };
            let actions = matches["actions"].as_array();
            here && spec["enabled"] != json!(false)
                && spec.get("mode").is_none_or(|mode| mode == "require_approval")
                && actions.is_none_or(|list| list.is_empty() || list.contains(&json!(action)))
        };
        self.policies.iter().filter(|(_, policy)| wants(policy)).map(|(id, _)| id.clone()).collect()
    }
}

/// What the built-in roles of the histories give, of the permissions that matter here.
fn gives(role: &str, permission: &str) -> bool {
    match role {
        "OrgAdmin" => true,
        "OUAdmin" => permission != "approval:break_glass",
        "AgentBuilder" => matches!(permission, "agent:create" | "agent:update"),
        "Approver" => permission == "approval:decide",
        other => panic!("the histories have no role {other}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
