//! The way from a plan to the door of a [`ControlPlane`], as one caller.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::apply::Submit;
use crate::record::{KindName, RecordRow, ResourceKey, Stage};
use async_trait::async_trait;
use std::time::Duration;

/// Applies plans as a caller: every step is authorized, gated and audited like any other change of theirs.
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

    fn kind(&self, error: &Error) -> ErrorKind {
        error.kind()
    }
}
