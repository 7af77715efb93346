//! Who may see a session: whoever started it, and those with the permission at the agent's OU.

use crate::authz::Resolution;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::session::record::SessionRecord;

/// Whether the caller started the session itself. A token narrower than its principal never passes as the starter.
pub(crate) fn is_starter(caller: &Caller, session: &SessionRecord) -> bool {
    !caller.is_narrow() && caller.org == session.org && session.started_by == caller.principal.to_string()
}

impl ControlPlane {
    /// The session, if the caller started it and still exists and is enabled, or holds `permission` where its agent is.
    pub(crate) async fn visible(
        &self,
        caller: &Caller,
        id: SessionId,
        permission: Permission,
    ) -> Result<SessionRecord> {
        let found = self.plane.store.session(caller.org, id).await?;
        let session = found.ok_or_else(|| Error::not_found("session", id))?;
        let decision = self.decide(caller, permission, session.ou).await?;
        // Whoever started it needs no permission, but must be there and enabled, as for anything.
        let barred = match decision.resolution {
            Resolution::DisabledUser | Resolution::ArchivedAgent | Resolution::OwnerPowerless => true,
            // A service is known by its token; bindings need not name it.
            Resolution::UnknownPrincipal => !matches!(caller.principal, Principal::Service(_)),
            _ => false,
        };
        if decision.is_allowed() || (is_starter(caller, &session) && !barred) {
            return Ok(session.shown());
        }
        Err(Error::Denied(Box::new(decision)))
    }
}
