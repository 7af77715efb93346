//! Judges a history by its audit chain.

use crate::account::Account;
use crate::history::House;
use powerloom_core::clock::Timestamp;
use powerloom_core::verify_log::verify_log;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What happened, in numbers: a history in which nothing happens proves nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) free: usize,
    pub(crate) approved: usize,
    pub(crate) broken: usize,
    pub(crate) failed: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.free += other.free;
        self.approved += other.approved;
        self.broken += other.broken;
        self.failed += other.failed;
    }
}

/// What a request said when it was made.
struct Asked {
    requester: String,
    verb: String,
    ou: String,
    requirements: Value,
    expires_at: Timestamp,
}

/// Walks the chain. Every sentence in the answer is a broken promise.
pub(crate) async fn judge(house: &House) -> Result<Seen, Vec<String>> {
    let mut broken = Vec::new();
    let mut seen = Seen::default();
    // Whoever began as the admin may have lost that by now.
    if let Err(found) = verify_log(house.cp.store().as_ref(), house.org.id, None).await.unwrap() {
        broken.push(format!("the chain does not verify: {found}"));
    }
    let rows = house.cp.store().audit_rows(house.org.id, 0, 100_000).await.unwrap();
    let names: BTreeMap<String, String> = house
        .live("User")
        .await
        .iter()
        .map(|row| (format!("user:{}", row.meta.name), format!("user:{}", row.meta.id)))
        .collect();
    let mut account = Account::default();
    let admin = house.people[0].principal.to_string();
    let root = json!({ "after": { "ou": "/acme", "spec": { "principal": admin, "role": "OrgAdmin" } } });
    account.take("role_binding.create", "bootstrap", &root);
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    let mut ended: BTreeSet<String> = BTreeSet::new();
    let mut reviews: BTreeMap<String, String> = BTreeMap::new();
    let mut made: BTreeMap<String, u64> = BTreeMap::new();
    let mut applied: BTreeSet<String> = BTreeSet::new();

    for entry in &rows {
        let row = &entry.row;
        if row.decision.as_str() == "deny" {
            continue;
        }
        let change = entry.change().unwrap();
        let (verb, id, at) = (row.verb.as_str(), row.resource_id.as_str(), row.ts);
        let mut say = |sentence: String| broken.push(format!("row {}: {sentence}", row.seq));
        match verb {
            "approval.request" => {
                let after = &change["after"];
                asked.insert(
                    id.to_owned(),
                    Asked {
                        requester: names[&row.actor].clone(),
                        verb: after["verb"].as_str().unwrap().to_owned(),
                        ou: after["ou"].as_str().unwrap().to_owned(),
                        requirements: after["requirements"].clone(),
                        expires_at: after["expires_at"].as_str().unwrap().parse().unwrap(),
                    },
                );
            }
            "approval.approve" | "approval.reject" | "approval.cancel" | "approval.expire"
            | "approval.fail" => {
                if !ended.insert(id.to_owned()) {
                    say(format!("{id} was decided a second time"));
                }
                seen.failed += usize::from(verb == "approval.fail");
            }
            "approval.break_glass" => {
                let ou = change["after"]["ou"].as_str().unwrap().to_owned();
                if reviews.values().any(|open| *open == ou) {
                    say(format!("the glass in {ou} was broken before its review"));
                }
                reviews.insert(id.to_owned(), ou);
                seen.broken += 1;
            }
            "approval.review" => {
                reviews.remove(id);
            }
            "agent.create" | "agent.update" => {
                *made.entry(id.to_owned()).or_default() += 1;
                let ou = place(house, id).await;
                let who = names[&row.actor].clone();
                let permission = if verb == "agent.create" { "agent:create" } else { "agent:update" };
                if !account.may(&who, permission, &ou, at) {
                    say(format!("{who} did {verb} in {ou} without the right"));
                }
                let action = verb.split_once('.').unwrap().1;
                if change["detail"].get("break_glass").is_some() {
                    if !account.may(&who, "approval:break_glass", &ou, at) {
                        say(format!("{who} broke the glass in {ou} without the right"));
                    }
                } else if let Some(request) = &row.approval_request_id {
                    seen.approved += 1;
                    if !applied.insert(request.clone()) {
                        say(format!("{request} was applied a second time"));
                    }
                    let asked = &asked[request];
                    if (asked.verb.as_str(), &asked.requester, &asked.ou) != (verb, &who, &ou) {
                        say(format!("{request} asked for something else"));
                    }
                    if at >= asked.expires_at {
                        say(format!("{request} was applied after its time"));
                    }
                    for sentence in quorum(&account, asked, &change["detail"]["approved_by"], &names, at) {
                        say(format!("{request}: {sentence}"));
                    }
                } else {
                    seen.free += 1;
                    let asking = account.asking(action, &ou);
                    if !asking.is_empty() {
                        say(format!("{verb} in {ou} was made though {asking:?} want approval"));
                    }
                }
            }
            _ => {}
        }
        account.take(verb, id, &change);
    }

    // A change is visible if and only if its row is.
    for agent in house.live("Agent").await {
        let counted = made.remove(&agent.meta.id.to_string()).unwrap_or_default();
        if counted != agent.meta.version {
            broken.push(format!("{} has version {} and {counted} rows", agent.key(), agent.meta.version));
        }
    }
    if !made.is_empty() {
        broken.push(format!("rows about agents that are not there: {made:?}"));
    }
    if broken.is_empty() { Ok(seen) } else { Err(broken) }
}

/// Whether each requirement has its quorum of different people who were entitled at that moment.
fn quorum(
    account: &Account,
    asked: &Asked,
    votes: &Value,
    names: &BTreeMap<String, String>,
    at: Timestamp,
) -> Vec<String> {
    let mut short = Vec::new();
    for need in asked.requirements.as_array().unwrap() {
        let people: BTreeSet<&String> = votes
            .as_array()
            .unwrap()
            .iter()
            .filter(|vote| vote["policy"] == need["policy"] && vote["ballot"] == "approve")
            .map(|vote| &names[vote["voter"].as_str().unwrap()])
            .filter(|voter| {
                **voter != asked.requester
                    && account.may(voter, "approval:decide", &asked.ou, at)
                    && account.is_approver(voter, &need["approvers"], &asked.ou, at)
            })
            .collect();
        if (people.len() as u64) < need["quorum"].as_u64().unwrap() {
            short.push(format!(
                "policy {} wants {} people, and has {people:?}",
                need["policy"], need["quorum"]
            ));
        }
    }
    if asked.requirements.as_array().unwrap().is_empty() {
        short.push("nobody was asked".to_owned());
    }
    short
}

/// The path of an agent's OU; agents never move.
async fn place(house: &House, agent: &str) -> String {
    let key =
        powerloom_core::record::ResourceKey { kind: "Agent".parse().unwrap(), id: agent.parse().unwrap() };
    let row = house.cp.store().record(house.org.id, &key).await.unwrap().unwrap();
    ["/acme", "/acme/eng", "/acme/eng/platform"][house.ous.iter().position(|ou| *ou == row.meta.ou).unwrap()]
        .to_owned()
}
