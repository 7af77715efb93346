//! A session's handle, exchanged for the token of one tool call (sem. 2.15, "Exchange call"; rows M5–M12).

use crate::error::Result;
use crate::principal::Principal;
use crate::token::error::TokenError;
use crate::token::meta_tool::MetaTool;
use crate::token::service::TokenService;
use crate::token::signed::SignedToken;

impl TokenService {
    /// The token of one call of `tool`, for whoever presents the handle of the session the call came out of: what an MCP
    /// server asks for anew at every call (row M6). It is good for 300 seconds, and no longer than its session.
    ///
    /// Nothing but the handle says whose call it is. The subject is whoever started that session (row M9), and the token
    /// is good for this tool and no other: one for `list_ous` creates nothing.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated), the same to whoever asks, for a handle that is
    /// unreadable, unknown, replaced, or of a session that does not run; for one that no user started; and for a user who
    /// is disabled or gone (row M11). Those of the store.
    pub async fn mint_delegated(&self, handle: &str, tool: MetaTool) -> Result<SignedToken> {
        let session = self.cp.session_of_handle(handle).await?;
        let Ok(Principal::User(user)) = session.started_by.parse() else {
            return Err(TokenError::SessionGone.into());
        };
        self.live_user(session.org, user).await?;
        self.mint_delegated_claims(&session, tool)
    }
}
