//! Credentials on the service: one bearer for one MCP server, in an agent's vault (row P63).
//!
//! The service never returns a bearer, so its fingerprint is kept in the metadata and judged by that: a bearer that
//! somebody changes without the metadata is not seen. The address cannot be changed; another one is another
//! credential, and the old one is archived first.

use crate::cma::client::CmaClient;
use crate::cma::credential::{CreateCredential, Credential, ListCredentials, UpdateCredential};
use crate::cma::credential_auth::{CredentialAuth, NewAuth, UpdateAuth};
use crate::cma::error::CmaError;
use crate::cma::patch::Patch;
use crate::cma::runtime::failure::{created, failed, found, not_sent, on_object, refused, removed};
use crate::cma::runtime::tag::{Metadata, PAGE, first, is_tagged, names, tag, upsert};
use crate::cma::secret::Secret;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::vault::Vault;
use powerloom_core::runtime::{
    CredentialPayload, Placed, Push, RuntimeError, RuntimeErrorClass, RuntimeResult,
};
use url::Url;
use uuid::Uuid;

const CREATE: &str = "create a credential";
const READ: &str = "read a credential";
const UPDATE: &str = "update a credential";
const ARCHIVE: &str = "archive a credential";
/// The bearer's fingerprint.
const FINGERPRINT: &str = "powerloom_fingerprint";

pub(crate) async fn push(
    client: &CmaClient,
    push: &Push,
    payload: &CredentialPayload,
) -> RuntimeResult<RemoteRef> {
    let pushed = place_it(client, push, payload).await;
    let bearer = push.bearer.as_ref().and_then(|bearer| bearer.expose_str());
    pushed.map_err(|error| struck(error, bearer))
}

async fn place_it(client: &CmaClient, push: &Push, payload: &CredentialPayload) -> RuntimeResult<RemoteRef> {
    let vault = vault_of(payload, &push.placed)
        .ok_or_else(|| not_sent(CREATE, "its vault is not on the runtime", RuntimeErrorClass::Transient))?;
    let there = match &push.remote {
        Some(remote) => match current(client, remote).await {
            // It was archived to make way for another one, which may be there.
            Err(error) if error.class == RuntimeErrorClass::Gone && push.unsure => {
                tagged(client, vault, push.org, &push.key).await?
            }
            read => Some(read?),
        },
        None if push.unsure => tagged(client, vault, push.org, &push.key).await?,
        None => None,
    };
    match there {
        None => create(client, push, payload, vault).await,
        Some(there) if there.vault_id == vault && opens(&there, payload) => {
            update(client, push, payload, &there).await
        }
        Some(there) => {
            let archival = client.credentials().archive(&there.vault_id, &there.id).await;
            removed(ARCHIVE, archival, live(client, &there.vault_id, &there.id)).await?;
            create(client, push, payload, vault).await
        }
    }
}

async fn current(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<Credential> {
    let vault = parent(READ, remote)?;
    let read = client.credentials().retrieve(vault, &remote.id).await;
    let mut credential = read.map_err(|error| on_object(READ, error))?;
    if credential.archived_at.is_some() {
        return Err(not_sent(UPDATE, "it is archived", RuntimeErrorClass::Gone));
    }
    vault.clone_into(&mut credential.vault_id);
    Ok(credential)
}

async fn create(
    client: &CmaClient,
    push: &Push,
    payload: &CredentialPayload,
    vault: &str,
) -> RuntimeResult<RemoteRef> {
    let token = token(push).ok_or_else(|| no_bearer(CREATE))?;
    let auth = NewAuth::StaticBearer { mcp_server_url: payload.mcp_server_url.clone(), token };
    let mut credential = CreateCredential::new(auth);
    credential.display_name = Some(payload.display_name.clone());
    credential.metadata = marks(push, payload);
    match client.credentials().create(vault, &credential).await {
        Ok(credential) => Ok(place(&credential, vault)),
        Err(error) if error.is_conflict() => taken(client, push, payload, vault, error).await,
        Err(error) => Err(created(CREATE, error)),
    }
}

/// The vault may have a credential for this address: ours, whose answer was lost, or that of another owner.
async fn taken(
    client: &CmaClient,
    push: &Push,
    payload: &CredentialPayload,
    vault: &str,
    error: CmaError,
) -> RuntimeResult<RemoteRef> {
    match lookup(client, vault, |found| opens(found, payload)).await? {
        Some(there) if is_tagged(&there.metadata, push.org, &push.key) => {
            update(client, push, payload, &there).await
        }
        Some(_) => {
            let why = format!("the vault has a credential of another owner for `{}`", payload.mcp_server_url);
            Err(not_sent(CREATE, why, RuntimeErrorClass::Permanent))
        }
        None => Err(failed(CREATE, error)),
    }
}

/// Gives the credential the bearer that came along, and its fingerprint with it, in one call.
async fn update(
    client: &CmaClient,
    push: &Push,
    payload: &CredentialPayload,
    there: &Credential,
) -> RuntimeResult<RemoteRef> {
    let token = token(push);
    if token.is_none() && there.metadata.get(FINGERPRINT) != Some(&payload.fingerprint) {
        return Err(no_bearer(UPDATE));
    }
    let update = UpdateCredential {
        auth: token.map(|token| UpdateAuth::StaticBearer { token }),
        display_name: Patch::Set(payload.display_name.clone()),
        metadata: upsert(marks(push, payload)),
    };
    match client.credentials().update(&there.vault_id, &there.id, &update).await {
        Ok(credential) => Ok(place(&credential, &there.vault_id)),
        Err(error) => Err(refused(UPDATE, error, live(client, &there.vault_id, &there.id)).await),
    }
}

pub(crate) async fn observe(
    client: &CmaClient,
    key: &ResourceKey,
    remote: &RemoteRef,
    expected: &CredentialPayload,
    placed: &Placed,
) -> RuntimeResult<Option<(CredentialPayload, RemoteRef)>> {
    let vault = parent(READ, remote)?;
    let read =
        found(client.credentials().retrieve(vault, &remote.id).await).map_err(|error| failed(READ, error))?;
    Ok(read.filter(|credential| credential.archived_at.is_none()).map(|credential| {
        let ours = names(&credential.metadata, key);
        let mcp_server_url = match &credential.auth {
            Some(CredentialAuth::StaticBearer { .. }) if opens(&credential, expected) => {
                expected.mcp_server_url.clone()
            }
            Some(CredentialAuth::StaticBearer { mcp_server_url }) => mcp_server_url.clone(),
            // Another kind of secret: no server's address.
            _ => String::new(),
        };
        let moved = vault_of(expected, placed).is_some_and(|expected| expected != vault);
        let payload = CredentialPayload {
            vault: if moved { ResourceId::from_uuid(Uuid::nil()) } else { expected.vault },
            mcp_server_url,
            display_name: credential.display_name.clone().unwrap_or_default(),
            fingerprint: credential.metadata.get(FINGERPRINT).filter(|_| ours).cloned().unwrap_or_default(),
        };
        (payload, place(&credential, vault))
    }))
}

pub(crate) async fn remove(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<()> {
    let vault = parent(ARCHIVE, remote)?;
    let archival = client.credentials().archive(vault, &remote.id).await;
    removed(ARCHIVE, archival, live(client, vault, &remote.id)).await
}

/// A credential whose vault is not on the runtime is not there either.
pub(crate) async fn find(
    client: &CmaClient,
    org: OrgId,
    key: &ResourceKey,
    payload: &CredentialPayload,
    placed: &Placed,
) -> RuntimeResult<Option<RemoteRef>> {
    let Some(vault) = vault_of(payload, placed) else { return Ok(None) };
    let credential = tagged(client, vault, org, key).await?;
    Ok(credential.map(|credential| place(&credential, vault)))
}

async fn tagged(
    client: &CmaClient,
    vault: &str,
    org: OrgId,
    key: &ResourceKey,
) -> RuntimeResult<Option<Credential>> {
    lookup(client, vault, |credential| is_tagged(&credential.metadata, org, key)).await
}

/// The credential of the vault that is wanted; `None` also if there is no such vault.
async fn lookup(
    client: &CmaClient,
    vault: &str,
    wanted: impl Fn(&Credential) -> bool,
) -> RuntimeResult<Option<Credential>> {
    let list = ListCredentials { limit: Some(PAGE), ..ListCredentials::default() };
    let wanted = |credential: &Credential| credential.archived_at.is_none() && wanted(credential);
    let read = found(first(client.credentials().all(vault, list), wanted).await);
    let credential = read.map_err(|error| failed("look for a credential", error))?.flatten();
    Ok(credential.map(|credential| Credential { vault_id: vault.to_owned(), ..credential }))
}

async fn live(client: &CmaClient, vault: &str, id: &str) -> Result<bool, CmaError> {
    Ok(client.credentials().retrieve(vault, id).await?.archived_at.is_none())
}

fn place(credential: &Credential, vault: &str) -> RemoteRef {
    RemoteRef { id: credential.id.clone(), version: None, parent: Some(vault.to_owned()) }
}

fn vault_of<'a>(payload: &CredentialPayload, placed: &'a Placed) -> Option<&'a str> {
    placed.get(&ResourceKey::of::<Vault>(payload.vault)).map(|remote| remote.id.as_str())
}

fn parent<'a>(operation: &str, remote: &'a RemoteRef) -> RuntimeResult<&'a str> {
    let lost = || not_sent(operation, "it is not known in which vault it is", RuntimeErrorClass::Permanent);
    remote.parent.as_deref().ok_or_else(lost)
}

/// Our metadata: the tag, and what tells the bearer from another.
fn marks(push: &Push, payload: &CredentialPayload) -> Metadata {
    let mut metadata = tag(push.org, &push.key);
    metadata.insert(FINGERPRINT.to_owned(), payload.fingerprint.clone());
    metadata
}

/// Whether it is a bearer for the payload's server.
fn opens(credential: &Credential, payload: &CredentialPayload) -> bool {
    match &credential.auth {
        Some(CredentialAuth::StaticBearer { mcp_server_url }) => {
            mcp_server_url == &payload.mcp_server_url
                || normal(mcp_server_url) == normal(&payload.mcp_server_url)
        }
        _ => false,
    }
}

/// As the service compares addresses: host in lower case, no default port, no slash at the end.
fn normal(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.as_str().trim_end_matches('/').to_owned())
}

fn token(push: &Push) -> Option<Secret> {
    push.bearer.as_ref()?.expose_str().map(Secret::new)
}

fn no_bearer(operation: &str) -> RuntimeError {
    not_sent(operation, "no bearer came along that is text", RuntimeErrorClass::Permanent)
}

/// The error without the bearer, should the service have repeated it.
fn struck(mut error: RuntimeError, bearer: Option<&str>) -> RuntimeError {
    if let Some(bearer) = bearer.filter(|bearer| !bearer.is_empty()) {
        error.message = error.message.replace(bearer, "[bearer]");
        let mut cause = error.source.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(shown) = cause {
            if shown.to_string().contains(bearer) {
                error.source = None;
                break;
            }
            cause = shown.source();
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_that_the_service_repeats_is_struck_from_the_error() {
        let error = RuntimeError::new(CREATE, "`mcp_hush` is no token", RuntimeErrorClass::Permanent)
            .caused_by("expected a number, found `mcp_hush`");
        let error = struck(error, Some("mcp_hush"));
        assert_eq!(error.to_string(), "the runtime refused to create a credential: `[bearer]` is no token");
        assert!(!format!("{error:?}").contains("hush"));
    }

    #[test]
    fn addresses_are_compared_as_the_service_does() {
        assert_eq!(normal("HTTPS://MCP.Example.com:443/Orders/"), normal("https://mcp.example.com/Orders"));
        assert_ne!(normal("https://mcp.example.com/a"), normal("https://mcp.example.com/A"));
    }
}
