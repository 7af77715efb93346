//! Whom the approval policies of an organization will ask about a change (sem. 2.8).

use crate::approval::policy_set::Policy;
use crate::authz::AuthzSnapshot;
use crate::error::Result;
use crate::id::ResourceId;
use crate::manifest::governance::Ask;
use crate::manifest::live::Live;
use crate::manifest::sight::Sight;
use crate::manifest::written::{Names, written};
use crate::record::ResourceKey;
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::field::Form;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What the policies that were met are called, and whom they ask.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    shown: BTreeMap<ResourceId, Ask>,
}

impl Asks {
    /// The words of these policies, by OU and name.
    pub(crate) async fn of(
        &mut self,
        policies: &[&Policy],
        live: &mut Live<'_>,
        sight: &Sight<'_>,
    ) -> Result<Vec<Ask>> {
        let mut asks = Vec::with_capacity(policies.len());
        for policy in policies {
            if let Entry::Vacant(unknown) = self.shown.entry(policy.id) {
                let row = live.row(&ResourceKey::of::<ApprovalPolicy>(policy.id)).await?;
                let mut names = Names::default();
                live.names(&row, &mut names, &|row| sight.names(row)).await?;
                unknown.insert(ask(policy, &sight.snapshot, &names));
            }
            asks.extend(self.shown.get(&policy.id).cloned());
        }
        // Not by ids: the plan is the same, whichever policy was made first.
        asks.sort_by(|a, b| (&a.ou, &a.policy).cmp(&(&b.ou, &b.policy)));
        Ok(asks)
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
