//! Yes or no, and by what: the question programs ask most.

use crate::answers::{About, Answers};
use crate::authz::Decision;
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::Permission;

impl Answers<'_> {
    /// Decides whether somebody may do `permission` at `ou`, from memory: no store is asked unless the principal or the OU
    /// is unknown there.
    ///
    /// About oneself everybody may ask: then the token's ceiling counts. Asking about others needs `binding:read` at the
    /// OU. What is missing, and who could give it, is told by [`why`](Self::why).
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
    /// let may = loom.answers(&admin).check(About::Caller, Permission::AGENT_CREATE, acme.root_ou).await?;
    /// assert!(may.is_allowed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(
        &self,
        who: impl Into<About<'_>>,
        permission: Permission,
        ou: ResourceId,
    ) -> Result<Decision> {
        let who = who.into();
        let snapshot = self.snapshot(Some(who), Some(ou)).await?;
        let principal = self.about(&snapshot, who, ou)?;
        Ok(self.judge(&snapshot, &principal, permission, ou))
    }
}
