//! From documents to a plan, and from a plan to the door of a [`ControlPlane`], as one caller.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::apply::Submit;
use crate::manifest::diff::plan;
use crate::manifest::document::Document;
use crate::manifest::plan::Plan;
use crate::manifest::resolve::resolve;
use crate::manifest::wanted::ResolveError;
use crate::record::{KindName, RecordRow, ResourceKey, Stage};
use async_trait::async_trait;
use std::time::Duration;

/// Plans and applies as a caller: nothing is shown that they may not read, and every step is authorized, gated and
/// audited like any other change of theirs.
#[derive(Debug, Clone, Copy)]
pub struct Through<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
    patience: Duration,
}

/// How long a replacement waits for the old one to let go of its name, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl<'a> Through<'a> {
    /// The door of `control_plane`, for `caller`.
    #[must_use]
    pub const fn new(control_plane: &'a ControlPlane, caller: &'a Caller) -> Self {
        Self { control_plane, caller, patience: PATIENCE }
    }

    /// How long a replacement waits until the reconciler has archived the old one on the runtime: 30 seconds unless
    /// said otherwise. Without a running reconciler it waits in vain.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Plans `documents` against what is there.
    ///
    /// A plan tells what a record holds, be it only that it is as wanted; the caller must be allowed to read each
    /// record it is made from. [`resolve`] and [`plan`](crate::manifest::plan()) alone judge no permission.
    ///
    /// # Errors
    /// [`PlanError::Resolve`] for documents that cannot be resolved, [`PlanError::Refused`] for records the caller may
    /// not read.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn plan(&self, documents: Vec<Document>) -> Result<Plan, PlanError> {
        let (catalogue, store) = (self.control_plane.catalogue(), self.control_plane.store());
        let resolved = resolve(documents, catalogue, store.as_ref(), self.caller.org).await?;
        let plan = plan(&resolved).map_err(ResolveError::from)?;
        for step in &plan.steps {
            if let Some(observed) = step.observed {
                let key = ResourceKey { kind: step.target.kind.clone(), id: observed.id };
                self.control_plane.get(self.caller, &key).await?;
            }
        }
        Ok(plan)
    }
}

/// Why documents could not be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// They cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The caller may not read what they are about.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl PlanError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(error) => error.kind(),
            Self::Refused(error) => error.kind(),
        }
    }
}

#[async_trait]
impl Submit for Through<'_> {
    type Error = Error;

    async fn submit(&self, mutation: Mutation) -> Result<Outcome, Error> {
        self.control_plane.submit(self.caller, mutation).await
    }

    async fn find(&self, kind: &KindName, ou: ResourceId, name: &str) -> Result<Option<ResourceId>, Error> {
        let key = self.control_plane.catalogue().kind(kind)?.unique_key(ou, name);
        let row = self.control_plane.store().record_by_unique_key(self.caller.org, kind, &key).await?;
        Ok(row.filter(RecordRow::is_live).map(|row| row.meta.id))
    }

    async fn released(&self, key: &ResourceKey) -> Result<bool, Error> {
        let waited = tokio::time::timeout(self.patience, async {
            loop {
                match self.control_plane.store().record(self.caller.org, key).await {
                    Ok(Some(row)) if row.meta.stage != Stage::Archived => {
                        tokio::time::sleep(LOOK_EVERY).await
                    }
                    Ok(_) => return Ok(true),
                    Err(error) => return Err(Error::from(error)),
                }
            }
        });
        waited.await.unwrap_or(Ok(false))
    }

    async fn version(&self, key: &ResourceKey) -> Result<Option<u64>, Error> {
        let row = self.control_plane.get(self.caller, key).await?;
        Ok(row.is_live().then_some(row.meta.version))
    }

    fn kind(&self, error: &Error) -> ErrorKind {
        error.kind()
    }
}
