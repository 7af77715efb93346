//! What can: all that somebody may do at an OU, by what, and what is withheld.

use crate::answers::{About, Answers};
use crate::authz::{Label, Match, Resolution};
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
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
    /// Lists what `who` may do at `ou` with the bindings that give each, and what is withheld with what withholds it.
    ///
    /// About oneself everybody may ask, and the ceiling of the token counts; about others it needs `binding:read` at the
    /// OU. What stands in neither list is given by nothing.
    ///
    /// # Errors
    /// As [`why`](Self::why).
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::answers::About;
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::permission::Permission;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let list = loom.answers(&admin).list_permissions(About::Caller, acme.root_ou).await?;
    /// assert_eq!(list.allowed.len(), Permission::ALL.len());
    /// assert!(list.withheld.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_permissions(
        &self,
        who: impl Into<About<'_>>,
        ou: ResourceId,
    ) -> Result<PermissionList> {
        let who = who.into();
        let snapshot = self.snapshot(Some(who), Some(ou)).await?;
        let who = self.about(&snapshot, who, ou)?;
        let (mut allowed, mut withheld) = (Vec::new(), Vec::new());
        let (mut name, mut path) = (Label::from(who.to_string()), Label::from(ou.to_string()));
        for &permission in Permission::ALL {
            let decision = self.judge(&snapshot, &who, permission, ou);
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
