//! The vault a session has to itself: made before it starts, gone after it has settled (sem. 2.15, C34).

use crate::digest::Digest;
use crate::id::{ResourceId, SessionId};
use crate::reconcile::state::RemoteRef;
use crate::record::ResourceKey;
use crate::resource::credential::Credential;
use crate::resource::vault::Vault;
use crate::runtime::{CredentialPayload, Payload, Placed, Push, RuntimeResult, VaultPayload};
use crate::secret::Fingerprint;
use crate::session::delegation::{Delegation, SessionVault};
use crate::session::handle::SessionHandle;
use crate::session::pump::work::{Pump, Step, Stop};
use crate::session::record::SessionRecord;
use uuid::Builder;

/// How many vaults of one session are looked for before the rest is left to the next pump. More than one exists only if
/// pumps overlapped.
const MOST: usize = 8;

/// Remembers, before anything is made, that a vault may exist from now on, and which handle counts.
pub(crate) fn announce(record: &mut SessionRecord, handle: Option<&SessionHandle>) {
    let (Some(delegation), Some(handle)) = (record.delegation.as_mut(), handle) else { return };
    delegation.handle = Some(handle.digest());
    delegation.vault = Some(match delegation.vault.take() {
        Some(earlier) => SessionVault { unsure: true, ..earlier },
        None => SessionVault { id: None, unsure: false },
    });
}

/// Remembers where the vault is.
pub(crate) fn placed(record: &mut SessionRecord, id: Option<&String>) {
    if let (Some(vault), Some(id)) = (vault_mut(record), id) {
        vault.id = Some(id.clone());
    }
}

fn vault_mut(record: &mut SessionRecord) -> Option<&mut SessionVault> {
    record.delegation.as_mut()?.vault.as_mut()
}

impl Pump {
    /// A fresh handle, if the session has a server to give it to.
    pub(crate) fn handle(&self) -> Option<SessionHandle> {
        let record = &self.book.record;
        let minted = |_: &Delegation| SessionHandle::mint(record.org, record.id, self.plane.entropy.as_ref());
        record.delegation.as_ref().map(minted)
    }

    /// Makes the session's vault, or finds it, and puts the handle into it for each delegating server.
    ///
    /// # Cancel safety
    /// Whatever was made is found again by the session's id, which it bears.
    pub(crate) async fn furnish_vault(&self, handle: &SessionHandle) -> RuntimeResult<Option<String>> {
        let record = &self.book.record;
        let Some(delegation) = &record.delegation else { return Ok(None) };
        let unsure = delegation.vault.as_ref().is_some_and(|vault| vault.unsure);
        let vault = self.runtime.push(&Push { unsure, ..vault_push(record) }).await?;
        for url in &delegation.servers {
            self.runtime.push(&credential_push(record, url, handle, &vault, unsure)).await?;
        }
        Ok(Some(vault.id))
    }

    /// Takes the vault of a settled session off the runtime, if it has one.
    ///
    /// # Errors
    /// [`Stop::Left`] while the runtime keeps it: whoever claims the session next goes on.
    pub(crate) async fn close_vault(&mut self) -> Step<()> {
        let record = &self.book.record;
        let Some(vault) = record.delegation.as_ref().and_then(|delegation| delegation.vault.as_ref()) else {
            return Ok(());
        };
        let limit = self.options.call_timeout;
        match tokio::time::timeout(limit, self.take_away(record, vault)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(Stop::Left),
            Ok(Err(error)) => {
                tracing::warn!(session = %record.id, %error, "the vault of a settled session stays on the runtime");
                return Err(Stop::Left);
            }
            Err(_) => {
                tracing::warn!(session = %record.id, "the runtime does not answer: the vault of a settled session stays");
                return Err(Stop::Left);
            }
        }
        self.save(
            |record| {
                if let Some(delegation) = &mut record.delegation {
                    delegation.vault = None;
                }
                Ok(())
            },
            &[],
            |_, _| None,
        )
        .await
    }

    /// Whether nothing of it is left.
    async fn take_away(&self, record: &SessionRecord, vault: &SessionVault) -> RuntimeResult<bool> {
        let push = vault_push(record);
        if let Some(id) = &vault.id {
            let remote = RemoteRef { id: id.clone(), version: None, parent: None };
            self.runtime.remove(&push.key, &remote).await?;
            if !vault.unsure {
                return Ok(true);
            }
        }
        for _ in 0..MOST {
            match self.runtime.find(record.org, &push.key, &push.payload, &push.placed).await? {
                None => return Ok(true),
                Some(remote) => self.runtime.remove(&push.key, &remote).await?,
            }
        }
        Ok(false)
    }
}

/// On the runtime the vault bears the session's id where an agent's bears its own.
fn vault_key(session: SessionId) -> ResourceKey {
    ResourceKey::of::<Vault>(ResourceId::from_uuid(session.as_uuid()))
}

/// One credential per server, by an id that follows from both: a second attempt finds the first one's.
fn credential_key(session: SessionId, url: &str) -> ResourceKey {
    let id = session.as_uuid();
    let digest = Digest::of_parts(&[b"powerloom/session-credential/v1\n", id.as_bytes(), url.as_bytes()]);
    let mut bytes = [0; 16];
    for (byte, of) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *of;
    }
    ResourceKey::of::<Credential>(ResourceId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid()))
}

fn vault_push(record: &SessionRecord) -> Push {
    Push {
        org: record.org,
        key: vault_key(record.id),
        payload: Payload::Vault(VaultPayload { display_name: format!("session {}", record.id) }),
        remote: None,
        placed: Placed::new(),
        files: Vec::new(),
        bearer: None,
        unsure: false,
    }
}

fn credential_push(
    record: &SessionRecord,
    url: &str,
    handle: &SessionHandle,
    vault: &RemoteRef,
    unsure: bool,
) -> Push {
    let key = vault_key(record.id);
    let payload = CredentialPayload {
        vault: key.id,
        mcp_server_url: url.to_owned(),
        display_name: format!("session {}", record.id),
        fingerprint: Fingerprint::of(handle.bearer()).to_string(),
    };
    Push {
        key: credential_key(record.id, url),
        payload: Payload::Credential(payload),
        placed: Placed::from([(key, vault.clone())]),
        bearer: Some(handle.bearer().clone()),
        unsure,
        ..vault_push(record)
    }
}
