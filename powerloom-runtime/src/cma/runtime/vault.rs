//! Vaults on the service: one per agent, and one per session that delegates (C34).

use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::runtime::failure::{created, failed, found, refused, removed};
use crate::cma::runtime::tag::{PAGE, first, is_tagged, names, tag, upsert};
use crate::cma::vault::{CreateVault, ListVaults, UpdateVault, Vault};
use powerloom_core::id::OrgId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::runtime::{Push, RuntimeResult, VaultPayload};

const CREATE: &str = "create a vault";
const UPDATE: &str = "update a vault";

pub(crate) async fn push(
    client: &CmaClient,
    push: &Push,
    payload: &VaultPayload,
) -> RuntimeResult<RemoteRef> {
    if let Some(remote) = &push.remote {
        return update(client, push, payload, remote).await;
    }
    if push.unsure
        && let Some(remote) = find(client, push.org, &push.key).await?
    {
        return update(client, push, payload, &remote).await;
    }
    let mut vault = CreateVault::new(&payload.display_name);
    vault.metadata = tag(push.org, &push.key);
    let made = client.vaults().create(&vault).await;
    made.map(|vault| place(&vault)).map_err(|error| created(CREATE, error))
}

async fn update(
    client: &CmaClient,
    push: &Push,
    payload: &VaultPayload,
    remote: &RemoteRef,
) -> RuntimeResult<RemoteRef> {
    let update = UpdateVault {
        display_name: Some(payload.display_name.clone()),
        metadata: upsert(tag(push.org, &push.key)),
    };
    match client.vaults().update(&remote.id, &update).await {
        Ok(vault) => Ok(place(&vault)),
        Err(error) => Err(refused(UPDATE, error, live(client, &remote.id)).await),
    }
}

/// A vault whose tag is gone is observed with another name, and so shows as drift.
pub(crate) async fn observe(
    client: &CmaClient,
    key: &ResourceKey,
    remote: &RemoteRef,
) -> RuntimeResult<Option<(VaultPayload, RemoteRef)>> {
    let read =
        found(client.vaults().retrieve(&remote.id).await).map_err(|error| failed("read a vault", error))?;
    Ok(read.filter(|vault| vault.archived_at.is_none()).map(|vault| {
        let display_name = if names(&vault.metadata, key) {
            vault.display_name.clone()
        } else {
            format!("{} (metadata of another owner)", vault.display_name)
        };
        (VaultPayload { display_name }, place(&vault))
    }))
}

pub(crate) async fn remove(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<()> {
    let archival = client.vaults().archive(&remote.id).await;
    removed("archive a vault", archival, live(client, &remote.id)).await
}

pub(crate) async fn find(
    client: &CmaClient,
    org: OrgId,
    key: &ResourceKey,
) -> RuntimeResult<Option<RemoteRef>> {
    let list = client.vaults().all(ListVaults { limit: Some(PAGE), ..ListVaults::default() });
    let ours = |vault: &Vault| vault.archived_at.is_none() && is_tagged(&vault.metadata, org, key);
    let vault = first(list, ours).await.map_err(|error| failed("look for a vault", error))?;
    Ok(vault.map(|vault| place(&vault)))
}

async fn live(client: &CmaClient, id: &str) -> Result<bool, CmaError> {
    Ok(client.vaults().retrieve(id).await?.archived_at.is_none())
}

fn place(vault: &Vault) -> RemoteRef {
    RemoteRef { id: vault.id.clone(), version: None, parent: None }
}
