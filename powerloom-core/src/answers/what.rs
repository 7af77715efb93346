//! What can: all that somebody may do at an OU, by what, and what is withheld.

use crate::answers::Answers;
use crate::authz::{Label, Match, Resolution};
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::{Principal, PrincipalRef};
use serde::Serialize;

/// What somebody may do at an OU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PermissionList {
    /// Who.
    pub principal: Principal,
    /// The same in the written form.
    pub name: Label,
    /// The OU's path.
    pub ou: Label,
    /// What is allowed, in the order of the catalogue.
    pub allowed: Vec<Permitted>,
    /// What is denied for another reason than that nothing gives it.
    pub withheld: Vec<Permitted>,
}

/// One permission, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Permitted {
    /// Which.
    pub permission: Permission,
    /// Why it is so.
    pub resolution: Resolution,
    /// The bindings that speak about it.
    pub by: Vec<Match>,
}

impl Answers<'_> {
    /// Lists what `principal` may do at `ou` with the bindings that give each, and what is withheld with what withholds it.
    ///
    /// About oneself everybody may ask, and the ceiling of the token counts; about others it needs `binding:read` at the
    /// OU. What stands in neither list is given by nothing.
    ///
    /// # Errors
    /// As [`why`](Self::why).
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::permission::Permission;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let me = "user:admin@acme.com".parse()?;
    /// let list = loom.answers(&admin).list_permissions(&me, acme.root_ou).await?;
    /// assert_eq!(list.allowed.len(), Permission::ALL.len());
    /// assert!(list.withheld.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_permissions(&self, principal: &PrincipalRef, ou: ResourceId) -> Result<PermissionList> {
        let snapshot = self.snapshot(Some(principal), Some(ou)).await?;
        let who = self.about(&snapshot, principal, ou)?;
        let (oneself, now) = (who == self.caller.principal, self.cp.plane.now());
        let (mut allowed, mut withheld) = (Vec::new(), Vec::new());
        let (mut name, mut path) = (Label::from(principal.to_string()), Label::from(ou.to_string()));
        for &permission in Permission::ALL {
            let decision = if oneself {
                self.decide(&snapshot, permission, ou)
            } else {
                snapshot.decide(&who, permission, ou, now)
            };
            (name, path) = (decision.name.clone(), decision.ou.clone());
            let list = match decision.resolution {
                Resolution::Allowed => &mut allowed,
                Resolution::NoMatchingGrant => continue,
                // A token leaves out much that nobody gave anyway: only what it takes is worth telling.
                Resolution::BeyondCeiling if decision.bindings.is_empty() => continue,
                _ => &mut withheld,
            };
            list.push(Permitted { permission, resolution: decision.resolution, by: decision.bindings });
        }
        Ok(PermissionList { principal: who, name, ou: path, allowed, withheld })
    }
}
