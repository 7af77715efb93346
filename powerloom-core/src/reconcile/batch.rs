//! Rows of one organization, with all that is needed to judge them, read in as few calls as there are tables.

use crate::error::Result;
use crate::id::OrgId;
use crate::plane::Plane;
use crate::reconcile::state::SyncState;
use crate::record::{RecordRow, ResourceKey};
use crate::resource::kind::{Kind, ProjectError, Projection, Related};
use crate::runtime::Placed;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A convergence record, its record, and what it should be.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) state: SyncState,
    /// `None`: there is no such record.
    pub(crate) record: Option<Subject>,
}

/// A record and what it should be.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) row: RecordRow,
    /// `None`: its kind is not known here.
    pub(crate) kind: Option<Arc<dyn Kind>>,
    pub(crate) projection: std::result::Result<Option<Projection>, ProjectError>,
}

/// The rows and the states of what they depend on.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) org: OrgId,
    pub(crate) candidates: Vec<Candidate>,
    /// The records the candidates refer to.
    pub(crate) referred: HashMap<ResourceKey, RecordRow>,
    /// The states of what the candidates depend on.
    pub(crate) states: HashMap<ResourceKey, SyncState>,
}

impl Batch {
    /// Reads what `states`, all of `org`, should be.
    pub(crate) async fn read(plane: &Plane, org: OrgId, states: Vec<SyncState>) -> Result<Self> {
        let store = plane.store.as_ref();
        let environment = match store.org(org).await? {
            Some(org) => plane.environment(&org).await?,
            None => None,
        };
        let keys: Vec<ResourceKey> = states.iter().map(|state| state.key.clone()).collect();
        let mut rows: HashMap<ResourceKey, RecordRow> =
            store.records(org, &keys).await?.into_iter().map(|row| (row.key(), row)).collect();
        let wanted: HashSet<&ResourceKey> = rows.values().flat_map(|row| &row.refs).collect();
        let wanted: Vec<ResourceKey> = wanted.into_iter().cloned().collect();
        let referred: HashMap<ResourceKey, RecordRow> = if wanted.is_empty() {
            HashMap::new()
        } else {
            store.records(org, &wanted).await?.into_iter().map(|row| (row.key(), row)).collect()
        };

        let mut depends_on: HashSet<ResourceKey> = HashSet::new();
        let mut candidates = Vec::with_capacity(states.len());
        for state in states {
            let record = rows.remove(&state.key).map(|row| {
                let related = row.refs.iter().filter_map(|key| referred.get(key)).cloned();
                let related = Related::new(related, environment.clone());
                let kind = plane.catalogue.kind(&row.kind).ok().cloned();
                let projection = kind.as_ref().map_or(Ok(None), |kind| kind.project(&row, &related));
                if let Ok(Some(projection)) = &projection {
                    depends_on.extend(projection.depends_on.iter().cloned());
                }
                Subject { row, kind, projection }
            });
            candidates.push(Candidate { state, record });
        }
        let depends_on: Vec<ResourceKey> = depends_on.into_iter().collect();
        let states = if depends_on.is_empty() {
            HashMap::new()
        } else {
            let states = store.sync_states(org, &depends_on).await?;
            states.into_iter().map(|state| (state.key.clone(), state)).collect()
        };
        Ok(Self { org, candidates, referred, states })
    }

    /// Where those of `keys` are that are anywhere.
    pub(crate) fn placed(&self, keys: &[ResourceKey]) -> Placed {
        let place = |key: &ResourceKey| Some((key.clone(), self.states.get(key)?.remote.clone()?));
        keys.iter().filter_map(place).collect()
    }
}
