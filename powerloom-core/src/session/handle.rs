//! The handle of a session: what an MCP server presents to say for which session it was called (sem. 2.15).
//!
//! The credential of an agent is the same in all its sessions, so it cannot tell one user's call from another's. A
//! delegating server gets this instead: random, for one session, dead when that ends. It is no right by itself: it
//! is good for nothing but to be exchanged for a token.

use crate::control_plane::ControlPlane;
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::error::Result;
use crate::id::{OrgId, SessionId};
use crate::secret::SecretBytes;
use crate::session::record::SessionRecord;
use crate::token::TokenError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

const PREFIX: &str = "sh_";
/// 16 bytes of an id in base64url.
const ID_LEN: usize = 22;
/// 32 random bytes in base64url.
const SECRET_LEN: usize = 43;
const LEN: usize = PREFIX.len() + 2 * (ID_LEN + 1) + SECRET_LEN;

/// The secret text `sh_<organization>.<session>.<43 characters>`, each part base64url.
///
/// The two ids in it are where to look, and prove nothing: the record of the session keeps a hash of the whole text,
/// and that decides. `Debug` does not show it, and no error repeats it.
///
/// ```
/// use powerloom_core::entropy::SystemEntropy;
/// use powerloom_core::id::{OrgId, SessionId};
/// use powerloom_core::session::handle::SessionHandle;
///
/// let org: OrgId = "00000000-0000-7000-8000-000000000001".parse()?;
/// let session: SessionId = "00000000-0000-7000-8000-000000000003".parse()?;
/// let handle = SessionHandle::mint(org, session, &SystemEntropy);
/// let text = handle.bearer().expose_str().unwrap_or_default();
/// let read = SessionHandle::parse(text).ok_or("unreadable")?;
/// assert_eq!((read.org(), read.session()), (org, session));
/// assert_eq!(format!("{read:?}"), "SessionHandle(sh_…)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SessionHandle {
    org: OrgId,
    session: SessionId,
    text: SecretBytes,
}

impl SessionHandle {
    /// A fresh handle of a session.
    #[must_use]
    pub fn mint(org: OrgId, session: SessionId, entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut *random);
        // The room is taken before the secret is written, so that no copy of it stays behind in memory.
        let mut text = Zeroizing::new(String::with_capacity(LEN));
        text.push_str(PREFIX);
        for id in [org.as_uuid(), session.as_uuid()] {
            URL_SAFE_NO_PAD.encode_string(id.as_bytes(), &mut text);
            text.push('.');
        }
        URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
        Self { org, session, text: SecretBytes::from(std::mem::take(&mut *text)) }
    }

    /// Reads a text that somebody presented; whether it is good only the session's record can tell. There is one way to
    /// write a handle: whatever differs from it in form is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LEN {
            return None;
        }
        let mut parts = text.strip_prefix(PREFIX)?.split('.');
        let (org, session, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
        if parts.next().is_some() || whole.len() != 32 {
            return None;
        }
        let org = OrgId::from_uuid(id(org)?);
        let session = SessionId::from_uuid(id(session)?);
        Some(Self { org, session, text: SecretBytes::from(text.to_owned()) })
    }

    /// The organization it names.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The session it names.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The text, to be put where only the runtime reads it.
    #[must_use]
    pub const fn bearer(&self) -> &SecretBytes {
        &self.text
    }

    /// What the session's record knows it by: `SHA-256("powerloom/session-handle/v1\n" ‖ text)`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[b"powerloom/session-handle/v1\n", self.text.expose()])
    }

    /// Whether this is the handle `kept` is the hash of. It takes as long wherever the two differ.
    #[must_use]
    pub fn is(&self, kept: Option<&Digest>) -> bool {
        let same = self.digest().as_bytes().ct_eq(kept.unwrap_or(&Digest::ZERO).as_bytes());
        bool::from(same) && kept.is_some()
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHandle(sh_…)")
    }
}

fn id(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

impl ControlPlane {
    /// The session a handle belongs to, if it may be acted for now: it runs, nobody has asked to stop it, and it is not
    /// overdue.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated) for every other text: unreadable, unknown,
    /// replaced, of a session that does not run yet or any more. Not even the reason for the log says which. Those of the
    /// store.
    pub async fn resolve_handle(&self, text: &str) -> Result<SessionRecord> {
        Ok(self.session_of_handle(text).await?.shown())
    }

    pub(crate) async fn session_of_handle(&self, text: &str) -> Result<SessionRecord> {
        let handle = SessionHandle::parse(text).ok_or(TokenError::HandleRefused)?;
        let found = self.plane.store.session(handle.org(), handle.session()).await?;
        let kept = found.as_ref().and_then(|session| session.delegation.as_ref()?.handle.as_ref());
        let same = handle.is(kept);
        let acting = found.filter(|session| same && session.is_acting(self.plane.now()));
        Ok(acting.ok_or(TokenError::HandleRefused)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::SeededEntropy;

    fn minted(seed: u64) -> SessionHandle {
        let (entropy, at) = (SeededEntropy::new(seed), Timestamp::from_micros(1_000_000));
        let (org, session) = (OrgId::generate(at, &entropy), SessionId::generate(at, &entropy));
        SessionHandle::mint(org, session, &entropy)
    }

    /// Sem. 2.15.
    #[test]
    fn a_handle_is_32_random_bytes_behind_the_ids_that_say_where_to_look() {
        let handle = minted(1);
        let text = handle.bearer().expose_str().unwrap();
        assert_eq!(text.len(), 92);
        let secret = URL_SAFE_NO_PAD.decode(text.rsplit('.').next().unwrap()).unwrap();
        assert_eq!(secret.len(), 32);
        let read = SessionHandle::parse(text).unwrap();
        assert_eq!((read.org(), read.session()), (handle.org(), handle.session()));
        let kept = handle.digest();
        assert!(read.is(Some(&kept)) && !read.is(None) && !read.is(Some(&Digest::ZERO)));
        assert!(!minted(2).is(Some(&kept)));
        assert_ne!(kept, Digest::of(text.as_bytes()), "the hash has a prefix of its own");
    }

    /// T7: nothing prints it.
    #[test]
    fn a_handle_shows_itself_only_when_asked() {
        let handle = minted(1);
        let text = handle.bearer().expose_str().unwrap();
        let shown = format!("{handle:?}");
        assert!(text.split('.').all(|part| !shown.contains(part.trim_start_matches(PREFIX))), "{shown}");
    }

    #[test]
    fn there_is_one_way_to_write_a_handle() {
        let handle = minted(1);
        let text = handle.bearer().expose_str().unwrap().to_owned();
        let last = text.chars().last().unwrap();
        // The last character of 32 bytes carries two bits that must be zero.
        let loose = char::from_u32(last as u32 + 1).unwrap();
        let wrong = [
            String::new(),
            text.to_uppercase(),
            format!(" {text}"),
            format!("{text} "),
            format!("{text}="),
            text.replace("sh_", "tk_"),
            text.replacen('.', ":", 1),
            text.replacen('.', "", 1),
            format!("{}.", &text[..text.len() - 1]),
            format!("{}{loose}", &text[..text.len() - 1]),
            format!("{}é", &text[..text.len() - 2]),
            text[..text.len() - 1].to_owned(),
        ];
        for wrong in wrong {
            assert!(SessionHandle::parse(&wrong).is_none(), "{wrong}");
        }
        assert!(SessionHandle::parse(&text).is_some());
    }
}
