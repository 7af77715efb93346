//! From what a client writes to the principal, or the OU, it means.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::ou_path::OuPath;
use crate::principal::{Principal, PrincipalRef};

impl ControlPlane {
    /// The user or group of this id (row P28 names an owner so), whether or not the caller may read it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store's.
    pub async fn owner_of(&self, caller: &Caller, id: ResourceId) -> Result<Principal> {
        let candidates = [Principal::User(id), Principal::Group(id)];
        for _ in 0..2 {
            let snapshot = self.authz(caller.org).await?;
            if let Some(found) = candidates.iter().find(|principal| snapshot.knows(principal)) {
                return Ok(found.clone());
            }
            // They may be too new for the data at hand.
            if !self.plane.catch_up(caller.org, self.plane.now()).await? {
                break;
            }
        }
        Err(Error::not_found("user or group", id))
    }

    /// Whom a written principal means, whether or not the caller may read them (row M35: an unknown e-mail is named).
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store's.
    pub async fn principal(&self, caller: &Caller, written: &PrincipalRef) -> Result<Principal> {
        let mut found = self.authz(caller.org).await?.resolve(written);
        if found.is_none() && self.plane.catch_up(caller.org, self.plane.now()).await? {
            found = self.authz(caller.org).await?.resolve(written);
        }
        found.ok_or_else(|| Error::not_found("principal", written))
    }

    /// The OU at this path, whether or not the caller may read it. From memory, unless it is unknown there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store's.
    pub async fn ou_at(&self, caller: &Caller, path: &OuPath) -> Result<ResourceId> {
        let mut found = self.authz(caller.org).await?.ou_id(path);
        if found.is_none() && self.plane.catch_up(caller.org, self.plane.now()).await? {
            found = self.authz(caller.org).await?.ou_id(path);
        }
        found.ok_or_else(|| Error::not_found("OU", path))
    }

    /// Refuses the id of an OU that does not exist, or not any more. From memory, unless it is unknown there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store's.
    pub async fn require_ou(&self, caller: &Caller, ou: ResourceId) -> Result<()> {
        let mut known = self.authz(caller.org).await?.ou_path(ou).is_some();
        if !known && self.plane.catch_up(caller.org, self.plane.now()).await? {
            known = self.authz(caller.org).await?.ou_path(ou).is_some();
        }
        if known { Ok(()) } else { Err(Error::not_found("OU", ou)) }
    }
}
