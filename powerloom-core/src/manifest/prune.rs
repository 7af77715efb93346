//! What a set has left behind: records that bear its label and are in none of its documents.

use crate::id::{OrgId, ResourceId};
use crate::manifest::graph::{Vertex, order};
use crate::manifest::live::Live;
use crate::manifest::plan::{Observed, Plan, Step, Verb};
use crate::manifest::target::Target;
use crate::manifest::wanted::Resolved;
use crate::manifest::written::{Names, is_owned};
use crate::record::RecordRow;
use crate::resource::catalogue::Catalogue;
use crate::store::{RecordCursor, RecordQuery, Records, StoreResult};
use std::collections::{BTreeMap, BTreeSet};

/// A record the set has left behind.
#[derive(Debug)]
pub(crate) struct Stray {
    target: Target,
    rank: u8,
    row: RecordRow,
}

/// The live records of `owner` that are not among `resolved`, those that may not be seen left out.
pub(crate) async fn strays(
    owner: &str,
    resolved: &Resolved,
    catalogue: &Catalogue,
    records: &dyn Records,
    sees: impl Fn(&RecordRow) -> bool + Sync,
) -> StoreResult<Vec<Stray>> {
    let declared: BTreeSet<ResourceId> =
        resolved.wanted.iter().filter_map(|wanted| Some(wanted.existing.as_ref()?.meta.id)).collect();
    let rows = owned(owner, records, resolved.org).await?;
    let rows: Vec<RecordRow> = rows
        .into_iter()
        .filter(|row| !declared.contains(&row.meta.id) && !is_owned(row) && sees(row))
        .collect();
    let Some(mut live) = Live::open(records, catalogue, resolved.org).await? else { return Ok(Vec::new()) };
    let mut names = Names::default();
    live.names(&rows, &mut names, &sees).await?;
    let mut strays = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(kind) = catalogue.kind(&row.kind) else { continue };
        let target = live.target(&row, &names).await?;
        strays.push(Stray { target, rank: kind.rank(), row });
    }
    Ok(strays)
}

/// Every live record with the label.
async fn owned(owner: &str, records: &dyn Records, org: OrgId) -> StoreResult<Vec<RecordRow>> {
    let mut query = RecordQuery::default();
    let mut found = Vec::new();
    loop {
        let page = records.list_records(org, &query).await?;
        let Some(last) = page.last() else { return Ok(found) };
        query.after =
            Some(RecordCursor { kind: last.kind.clone(), name: last.meta.name.clone(), id: last.meta.id });
        found.extend(page.into_iter().filter(|row| row.is_live() && row.meta.labels.owner() == Some(owner)));
    }
}

/// Plans to archive them, or says that they stay.
///
/// They go after the steps of everything that refers to them now, and what refers to another of them goes first.
pub(crate) fn add(plan: &mut Plan, strays: &[Stray], resolved: &Resolved, prune: bool) {
    if !prune {
        plan.left = strays.iter().map(|stray| stray.target.clone()).collect();
        plan.left.sort();
        return;
    }
    let by_id: BTreeMap<ResourceId, &Stray> = strays.iter().map(|stray| (stray.row.meta.id, stray)).collect();
    let mut needs: BTreeMap<&Target, BTreeSet<Target>> = BTreeMap::new();
    for stray in strays {
        for id in held_by(&stray.row) {
            if let Some(held) = by_id.get(&id).filter(|held| held.target != stray.target) {
                needs.entry(&held.target).or_default().insert(stray.target.clone());
            }
        }
    }
    let vertices: Vec<Vertex> = strays
        .iter()
        .map(|stray| Vertex {
            target: stray.target.clone(),
            // The other way round than things are made.
            rank: u8::MAX - stray.rank,
            needs: needs.get(&stray.target).cloned().unwrap_or_default(),
        })
        .collect();
    // What refers to each other in a circle can only be tried; the door says why not.
    let ordered =
        order(&vertices).unwrap_or_else(|_| strays.iter().map(|stray| stray.target.clone()).collect());
    for wanted in &resolved.wanted {
        for held in wanted.existing.iter().flat_map(held_by).filter_map(|id| by_id.get(&id)) {
            needs.entry(&held.target).or_default().insert(wanted.target.clone());
        }
    }
    let by_target: BTreeMap<&Target, &Stray> = strays.iter().map(|stray| (&stray.target, stray)).collect();
    for target in ordered {
        let Some(stray) = by_target.get(&target) else { continue };
        let mut step = Step::new(target.clone(), Verb::Archive);
        step.observed = Some(Observed { id: stray.row.meta.id, version: stray.row.meta.version });
        step.depends_on = needs.remove(&target).into_iter().flatten().collect();
        plan.steps.push(step);
    }
}

/// What cannot be archived while this record is there: what it refers to, and the OU it lives in.
fn held_by(row: &RecordRow) -> impl Iterator<Item = ResourceId> {
    row.refs.iter().map(|key| key.id).chain([row.meta.ou])
}
