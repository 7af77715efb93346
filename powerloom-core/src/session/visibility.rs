//! Who may see a session: whoever started it, and those with the permission at the agent's OU.

use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::permission::Permission;
use crate::session::record::SessionRecord;

/// Whether the caller started the session itself. A token narrower than its principal never passes as the starter.
pub(crate) fn is_starter(caller: &Caller, session: &SessionRecord) -> bool {
    !caller.is_narrow() && caller.org == session.org && session.started_by == caller.principal.to_string()
}

impl ControlPlane {
    /// The session, if the caller started it and still exists, or holds `permission` where its agent is.
    pub(crate) async fn visible(
        &self,
        caller: &Caller,
        id: SessionId,
        permission: Permission,
    ) -> Result<SessionRecord> {
        let found = self.plane.store.session(caller.org, id).await?;
        let session = found.ok_or_else(|| Error::not_found("session", id))?;
        let starter = is_starter(caller, &session) && self.authz(caller.org).await?.knows(&caller.principal);
        if !starter {
            self.require(caller, permission, session.ou).await?;
        }
        Ok(session.shown())
    }
}
