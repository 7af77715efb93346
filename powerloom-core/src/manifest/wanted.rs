//! What the documents want, resolved: the input of a plan.

use crate::error_kind::ErrorKind;
use crate::id::OrgId;
use crate::labels::Labels;
use crate::manifest::document::Given;
use crate::manifest::fault::{Location, ManifestErrors};
use crate::manifest::link::{Bound, Link};
use crate::manifest::target::Target;
use crate::manifest::written::Names;
use crate::record::RecordRow;
use crate::resource::kind::Kind;
use crate::store::StoreError;
use std::sync::Arc;

/// Everything the documents name is found.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub(crate) org: OrgId,
    /// Sorted by target.
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) names: Names,
}

/// One resource, as its documents want it and as it is.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) kind: Arc<dyn Kind>,
    pub(crate) at: Location,
    pub(crate) label: String,
    /// The OU it lives in, where the author chooses it.
    pub(crate) ou: Option<Link>,
    /// Its name, where the author chooses it.
    pub(crate) name: Option<String>,
    pub(crate) labels: Option<Given<Labels>>,
    pub(crate) fields: Vec<WantedField>,
    pub(crate) existing: Option<RecordRow>,
}

/// One field that the documents carry.
#[derive(Debug, Clone)]
pub(crate) struct WantedField {
    pub(crate) name: &'static str,
    pub(crate) spec: &'static str,
    pub(crate) bound: Bound,
    pub(crate) at: Location,
}

impl Wanted {
    /// Every reference, that to its OU included.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.ou.iter().chain(self.fields.iter().flat_map(|field| field.bound.links()))
    }

    /// Adds how people call what it refers to, whether that exists or not.
    pub(crate) fn teach(&self, names: &mut Names) {
        for link in self.links() {
            names.put(link.target.provisional_id(), link.target.path.clone());
            if let Some(id) = link.id {
                names.put(id, link.target.path.clone());
            }
        }
        for field in &self.fields {
            if let Bound::Skills(skills) = &field.bound {
                for pin in skills.iter().filter_map(|(_, pin)| *pin) {
                    names.number(pin.id, pin.number);
                }
            }
        }
    }
}

/// Why documents could not be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// They name what does not exist, or contradict each other.
    #[error(transparent)]
    Manifest(#[from] ManifestErrors),
    /// There is no such organization.
    #[error("the organization `{org}` does not exist")]
    NoSuchOrg {
        /// Which.
        org: OrgId,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ResolveError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Manifest(errors) => errors.kind(),
            Self::NoSuchOrg { .. } => ErrorKind::NotFound,
            Self::Store(error) => error.kind(),
        }
    }
}
