//! The way from a plan to the door of a [`ControlPlane`], as one caller.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::apply::Submit;
use crate::record::{KindName, RecordRow};
use async_trait::async_trait;

/// Applies plans as a caller: every step is authorized, gated and audited like any other change of theirs.
#[derive(Debug, Clone, Copy)]
pub struct Through<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
}

impl<'a> Through<'a> {
    /// The door of `control_plane`, for `caller`.
    #[must_use]
    pub const fn new(control_plane: &'a ControlPlane, caller: &'a Caller) -> Self {
        Self { control_plane, caller }
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

    fn kind(&self, error: &Error) -> ErrorKind {
        error.kind()
    }
}
