//! Which approval policies a change meets: its own words, the words of what it does besides, and every record it takes along.

use crate::approval::policy_set::{Policy, PolicyQuestion};
use crate::door::mutation::Mutation;
use crate::door::work::{Draft, Work, snake_case};
use crate::id::ResourceId;
use crate::record::{RecordRow, Schema, Stage};
use crate::resource::agent::Agent;
use crate::resource::ou::Ou;
use crate::store::Write;
use serde_json::Value;
use std::collections::BTreeMap;

/// The policies a change meets, in the order of their ids.
pub(crate) fn matching<'w>(work: &'w Work<'_>, mutation: &Mutation, draft: &Draft) -> Vec<&'w Policy> {
    let actor = work.actor();
    let word = mutation.action.word();
    // What is made of another kind than the change is about says nothing of that; a move has two places. A condition on
    // what is not there holds.
    let record = draft.record.as_ref().filter(|record| record.kind == work.subject.kind && word != "move");
    let question = PolicyQuestion {
        kind: &work.subject.kind,
        verb: &work.subject.verb,
        action: word,
        ous: &work.subject.ous,
        record,
        before: draft.prior.as_ref().unwrap_or(&Value::Null),
        actor: &actor,
        delegated: work.caller.delegated_from_session.is_some(),
    };
    let mut met: BTreeMap<ResourceId, &Policy> = BTreeMap::new();
    let mut ask = |question: &PolicyQuestion<'_>| {
        met.extend(
            work.policies.matching(&work.snapshot, question).into_iter().map(|policy| (policy.id, policy)),
        );
    };
    ask(&question);
    for word in attachments(draft) {
        ask(&PolicyQuestion { action: word, verb: &format!("agent.{word}"), ..question });
    }
    for (row, word) in along(draft) {
        let verb = format!("{}.{word}", snake_case(row.kind.as_str()));
        let (kind, ous) = (&row.kind, [Work::judged_at(row)]);
        let record = Some(row);
        ask(&PolicyQuestion {
            kind,
            verb: &verb,
            action: word,
            ous: &ous,
            record,
            before: &row.spec,
            ..question
        });
    }
    met.into_values().collect()
}

/// What a declaration or an update of an agent does that has a word of its own: attaching and detaching.
fn attachments(draft: &Draft) -> Vec<&'static str> {
    let Some(agent) = draft.record.as_ref().filter(|record| record.kind == Agent::KIND) else {
        return Vec::new();
    };
    if agent.meta.stage != Stage::Live {
        return Vec::new();
    }
    let list = |spec: Option<&Value>, field: &str| -> Vec<Value> {
        spec.and_then(|spec| spec.get(field)).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut words = Vec::new();
    for (field, attach, detach) in [
        ("skills", "attach_skill", "detach_skill"),
        ("mcp_servers", "attach_mcp_server", "detach_mcp_server"),
    ] {
        let (before, after) = (list(draft.prior.as_ref(), field), list(Some(&agent.spec), field));
        if after.iter().any(|one| !before.contains(one)) {
            words.push(attach);
        }
        if before.iter().any(|one| !after.contains(one)) {
            words.push(detach);
        }
    }
    words
}

/// The records a change makes or archives besides the one it is about.
fn along(draft: &Draft) -> impl Iterator<Item = (&RecordRow, &'static str)> {
    let main = draft.record.as_ref().map(RecordRow::key);
    draft.write.iter().filter_map(move |write| match write {
        Write::PutRecord(row) if Some(row.key()) != main => match (row.meta.stage, row.meta.version) {
            (Stage::Live, 1) => Some((row.as_ref(), "create")),
            (Stage::Live, _) => None,
            (Stage::Archiving | Stage::Archived, _) => Some((row.as_ref(), "archive")),
        },
        _ => None,
    })
}

/// The OU a change is judged in: what becomes of an OU itself is judged in the one above, which stays.
pub(crate) fn home(work: &Work<'_>, draft: &Draft) -> ResourceId {
    let first = work.subject.ous.first().copied().unwrap_or(work.org.root_ou);
    match &draft.record {
        Some(ou) if ou.kind == Ou::KIND && ou.meta.stage != Stage::Live => ou.meta.ou,
        _ => first,
    }
}

/// The touched OU by which a policy matched: its approvers are judged there.
pub(crate) fn touched(work: &Work<'_>, draft: &Draft, policy: &Policy) -> ResourceId {
    let home = home(work, draft);
    let mut ous = std::iter::once(home).chain(work.subject.ous.iter().copied());
    ous.find(|ou| work.snapshot.is_within(*ou, policy.ou)).unwrap_or(policy.ou)
}
