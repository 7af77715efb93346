//! Whom, and where, a body names: by an id or as people write it.

use crate::app::App;
use crate::failure::Failure;
use powerloom_core::answers::About;
use powerloom_core::door::caller::Caller;
use powerloom_core::error::{Error, Result as CoreResult};
use powerloom_core::id::ResourceId;
use powerloom_core::invalid::Invalid;
use powerloom_core::ou_path::OuPath;
use powerloom_core::principal::{Principal, PrincipalRef};

/// Whom a body names in `principal` or `principal_ref`; whoever names nobody means themselves.
#[derive(Debug)]
pub(crate) enum Whom {
    /// The caller.
    Caller,
    /// By id.
    Principal(Principal),
    /// As people write it.
    Written(PrincipalRef),
}

impl Whom {
    /// Whom these fields name.
    pub(crate) fn of(principal: Option<Principal>, written: Option<PrincipalRef>) -> Result<Self, Invalid> {
        match (principal, written) {
            (None, None) => Ok(Self::Caller),
            (Some(principal), None) => Ok(Self::Principal(principal)),
            (None, Some(written)) => Ok(Self::Written(written)),
            (Some(_), Some(written)) => {
                let allowed = "either `principal` or `principal_ref`, not both";
                Err(Invalid::new("principal_ref", written, allowed))
            }
        }
    }

    /// The same, to ask about them.
    pub(crate) const fn about(&self) -> About<'_> {
        match self {
            Self::Caller => About::Caller,
            Self::Principal(principal) => About::Principal(principal),
            Self::Written(written) => About::Written(written),
        }
    }

    /// Who it is.
    pub(crate) async fn resolve(self, app: &App, caller: &Caller) -> CoreResult<Principal> {
        match self {
            Self::Caller => Ok(caller.principal.clone()),
            Self::Principal(principal) => Ok(principal),
            Self::Written(written) => app.loom.principal(caller, &written).await,
        }
    }
}

/// The OU a body names in `ou_id` or `ou_path`.
#[derive(Debug)]
pub(crate) enum Place {
    /// By id.
    Id(ResourceId),
    /// By path.
    Path(OuPath),
}

impl Place {
    /// The OU these fields name.
    pub(crate) fn of(id: Option<ResourceId>, path: Option<OuPath>) -> Result<Self, Invalid> {
        match (id, path) {
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(path)) => Ok(Self::Path(path)),
            (None, None) => Err(Invalid::hidden("ou_id", "an OU: `ou_id` or `ou_path`")),
            (Some(_), Some(path)) => {
                Err(Invalid::new("ou_path", path, "either `ou_id` or `ou_path`, not both"))
            }
        }
    }

    /// The id of the OU, which must exist: one of another organization does not.
    pub(crate) async fn resolve(&self, app: &App, caller: &Caller) -> Result<ResourceId, Failure> {
        let found = match self {
            Self::Id(id) => app.loom.require_ou(caller, *id).await.map(|()| *id),
            Self::Path(path) => app.loom.ou_at(caller, path).await,
        };
        found.map_err(|error| self.refused(error))
    }

    /// The same of an OU that may be gone by now, if it is named by its id.
    pub(crate) async fn resolve_past(&self, app: &App, caller: &Caller) -> Result<ResourceId, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Path(_) => self.resolve(app, caller).await,
        }
    }

    /// An OU that is only named is a bad field, not a missing page.
    fn refused(&self, error: Error) -> Failure {
        let allowed = "an OU of the organization";
        match (self, error) {
            (Self::Id(id), Error::NotFound { .. }) => Invalid::new("ou_id", id, allowed).into(),
            (Self::Path(path), Error::NotFound { .. }) => Invalid::new("ou_path", path, allowed).into(),
            (_, error) => error.into(),
        }
    }
}
