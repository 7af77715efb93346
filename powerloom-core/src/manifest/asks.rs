//! Whom the approval policies of an organization will ask about a change (sem. 2.8).

use crate::approval::policy_set::{Policy, PolicyQuestion, PolicySet};
use crate::authz::AuthzSnapshot;
use crate::error::Result;
use crate::id::{OrgId, ResourceId};
use crate::manifest::governance::Ask;
use crate::manifest::live::Live;
use crate::manifest::written::{Names, written};
use crate::record::{RecordRow, Schema};
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::field::Form;
use crate::store::{RecordCursor, RecordQuery, Records};
use serde_json::json;
use std::collections::BTreeMap;

/// The policies, each with the words a plan shows of it.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    policies: PolicySet,
    shown: BTreeMap<ResourceId, Ask>,
}

impl Asks {
    /// Reads the policies as they are now. `sees` says what an approver may be called by; others are shown by their ids.
    pub(crate) async fn load(
        records: &dyn Records,
        org: OrgId,
        live: &mut Live<'_>,
        snapshot: &AuthzSnapshot,
        sees: &(dyn Fn(&RecordRow) -> bool + Sync),
    ) -> Result<Self> {
        let mut query = RecordQuery { kind: Some(ApprovalPolicy::KIND), ..RecordQuery::default() };
        let mut rows: Vec<RecordRow> = Vec::new();
        loop {
            let page = records.list_records(org, &query).await?;
            let Some(last) = page.last() else { break };
            query.after = Some(RecordCursor {
                kind: last.kind.clone(),
                name: last.meta.name.clone(),
                id: last.meta.id,
            });
            rows.extend(page);
        }
        let mut names = Names::default();
        live.names(&rows, &mut names, sees).await?;
        let policies = PolicySet::compile(&rows)?;
        let shown = policies.policies().iter().map(|policy| (policy.id, ask(policy, snapshot, &names)));
        Ok(Self { shown: shown.collect(), policies })
    }

    /// Those a change meets; all of them must be satisfied.
    pub(crate) fn of(&self, snapshot: &AuthzSnapshot, question: &PolicyQuestion<'_>) -> Vec<Ask> {
        let matching = self.policies.matching(snapshot, question);
        let mut asks: Vec<Ask> =
            matching.into_iter().filter_map(|policy| self.shown.get(&policy.id).cloned()).collect();
        // Not by ids: the plan is the same, whichever policy was made first.
        asks.sort_by(|a, b| (&a.ou, &a.policy).cmp(&(&b.ou, &b.policy)));
        asks
    }
}

fn ask(policy: &Policy, snapshot: &AuthzSnapshot, names: &Names) -> Ask {
    let approvers = written(&Form::Approvers, &json!(policy.spec.approvers), names);
    Ask {
        policy: policy.name.clone(),
        ou: snapshot.ou_path(policy.ou).map_or_else(|| policy.ou.to_string(), ToString::to_string),
        mode: policy.spec.mode,
        approvers: approvers
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|approver| approver.as_str().map(str::to_owned))
            .collect(),
        quorum: policy.spec.quorum,
    }
}
