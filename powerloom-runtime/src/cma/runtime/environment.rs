//! Environments on the service: cloud sandboxes.
//!
//! Managed are the name, the network and the packages. An environment of another type, or with a network this
//! version does not know, is observed with a package manager that no payload has, and so shows as drift.

use crate::cma::client::CmaClient;
use crate::cma::environment::{
    CreateEnvironment, Environment, EnvironmentConfig, ListEnvironments, Networking, Packages,
    UpdateEnvironment,
};
use crate::cma::error::CmaError;
use crate::cma::runtime::failure::{created, failed, found, not_sent, refused, removed};
use crate::cma::runtime::tag::{PAGE, first, is_tagged, names, tag, upsert};
use powerloom_core::id::OrgId;
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::runtime::{EnvironmentPayload, Push, RuntimeErrorClass, RuntimeResult};
use std::collections::BTreeMap;

const CREATE: &str = "create an environment";
const UPDATE: &str = "update an environment";

pub(crate) async fn push(
    client: &CmaClient,
    push: &Push,
    payload: &EnvironmentPayload,
) -> RuntimeResult<RemoteRef> {
    if let Some(remote) = &push.remote {
        return update(client, push, payload, remote).await;
    }
    if push.unsure
        && let Some(remote) = find(client, push.org, &push.key).await?
    {
        return update(client, push, payload, &remote).await;
    }
    let mut environment = CreateEnvironment::new(&payload.name);
    environment.config = Some(config(payload));
    environment.metadata = tag(push.org, &push.key);
    match client.environments().create(&environment).await {
        Ok(environment) => Ok(place(&environment)),
        Err(error) if error.is_conflict() => taken(client, push, payload, error).await,
        Err(error) => Err(created(CREATE, error)),
    }
}

/// Where names are unique, the name is taken: by ours, whose answer was lost, or by that of another owner.
async fn taken(
    client: &CmaClient,
    push: &Push,
    payload: &EnvironmentPayload,
    error: CmaError,
) -> RuntimeResult<RemoteRef> {
    if let Some(remote) = find(client, push.org, &push.key).await? {
        return update(client, push, payload, &remote).await;
    }
    match lookup(client, true, |environment| environment.name == payload.name).await? {
        Some(_) => {
            let why = format!("the name `{}` is taken by an environment of another owner", payload.name);
            Err(not_sent(CREATE, why, RuntimeErrorClass::Permanent))
        }
        None => Err(failed(CREATE, error)),
    }
}

async fn update(
    client: &CmaClient,
    push: &Push,
    payload: &EnvironmentPayload,
    remote: &RemoteRef,
) -> RuntimeResult<RemoteRef> {
    let update = UpdateEnvironment {
        name: Some(payload.name.clone()),
        config: Some(config(payload)),
        metadata: upsert(tag(push.org, &push.key)),
        ..UpdateEnvironment::default()
    };
    match client.environments().update(&remote.id, &update).await {
        Ok(environment) => Ok(place(&environment)),
        Err(error) => Err(refused(UPDATE, error, live(client, &remote.id)).await),
    }
}

pub(crate) async fn observe(
    client: &CmaClient,
    key: &ResourceKey,
    remote: &RemoteRef,
    expected: &EnvironmentPayload,
) -> RuntimeResult<Option<(EnvironmentPayload, RemoteRef)>> {
    let read = found(client.environments().retrieve(&remote.id).await)
        .map_err(|error| failed("read an environment", error))?;
    let live = read.filter(|environment| environment.archived_at.is_none());
    Ok(live.map(|environment| (in_our_words(&environment, key, expected), place(&environment))))
}

pub(crate) async fn remove(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<()> {
    let archival = client.environments().archive(&remote.id).await;
    removed("archive an environment", archival, live(client, &remote.id)).await
}

pub(crate) async fn find(
    client: &CmaClient,
    org: OrgId,
    key: &ResourceKey,
) -> RuntimeResult<Option<RemoteRef>> {
    let ours = |environment: &Environment| is_tagged(&environment.metadata, org, key);
    Ok(lookup(client, false, ours).await?.map(|environment| place(&environment)))
}

async fn lookup(
    client: &CmaClient,
    archived: bool,
    wanted: impl Fn(&Environment) -> bool,
) -> RuntimeResult<Option<Environment>> {
    let list = ListEnvironments {
        limit: Some(PAGE),
        include_archived: Some(archived),
        ..ListEnvironments::default()
    };
    let wanted = |found: &Environment| (archived || found.archived_at.is_none()) && wanted(found);
    let environment = first(client.environments().all(list), wanted).await;
    environment.map_err(|error| failed("look for an environment", error))
}

async fn live(client: &CmaClient, id: &str) -> Result<bool, CmaError> {
    Ok(client.environments().retrieve(id).await?.archived_at.is_none())
}

fn place(environment: &Environment) -> RemoteRef {
    RemoteRef { id: environment.id.clone(), version: None, parent: None }
}

/// The whole configuration: an update keeps what it is not told, so every list and flag is said.
fn config(payload: &EnvironmentPayload) -> EnvironmentConfig {
    let networking = match &payload.allowed_hosts {
        None => Networking::Unrestricted,
        Some(hosts) => Networking::Limited {
            allowed_hosts: Some(hosts.clone()),
            allow_mcp_servers: Some(payload.allow_mcp_servers),
            allow_package_managers: Some(payload.allow_package_managers),
        },
    };
    let of = |manager: &str| Some(payload.packages.get(manager).cloned().unwrap_or_default());
    let packages = Packages {
        apt: of("apt"),
        cargo: of("cargo"),
        gem: of("gem"),
        go: of("go"),
        npm: of("npm"),
        pip: of("pip"),
    };
    EnvironmentConfig::Cloud { networking: Some(networking), packages: Some(packages) }
}

fn in_our_words(
    environment: &Environment,
    key: &ResourceKey,
    expected: &EnvironmentPayload,
) -> EnvironmentPayload {
    let mut payload = EnvironmentPayload {
        name: environment.name.clone(),
        allowed_hosts: None,
        // In an open network the flags mean nothing and are not kept.
        allow_mcp_servers: expected.allow_mcp_servers,
        allow_package_managers: expected.allow_package_managers,
        packages: BTreeMap::new(),
    };
    let mut deviant = Vec::new();
    match &environment.config {
        Some(EnvironmentConfig::Cloud { networking, packages }) => {
            match networking {
                None | Some(Networking::Unrestricted) => {}
                Some(Networking::Limited { allowed_hosts, allow_mcp_servers, allow_package_managers }) => {
                    let hosts = allowed_hosts.clone().unwrap_or_default();
                    payload.allowed_hosts = Some(in_order(hosts, expected.allowed_hosts.as_ref()));
                    payload.allow_mcp_servers = allow_mcp_servers.unwrap_or_default();
                    payload.allow_package_managers = allow_package_managers.unwrap_or_default();
                }
                Some(Networking::Other(other)) => deviant.push(format!("the network {other}")),
            }
            for (manager, list) in packages.iter().flat_map(lists) {
                let list = in_order(list.clone(), expected.packages.get(manager));
                payload.packages.insert(manager.to_owned(), list);
            }
        }
        other => deviant.push(format!("the configuration {other:?}")),
    }
    if !names(&environment.metadata, key) {
        deviant.push("metadata of another owner".to_owned());
    }
    if !deviant.is_empty() {
        payload.packages.insert(String::new(), deviant);
    }
    payload
}

/// The lists that are not empty, by package manager.
fn lists(packages: &Packages) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
    let Packages { apt, cargo, gem, go, npm, pip } = packages;
    [("apt", apt), ("cargo", cargo), ("gem", gem), ("go", go), ("npm", npm), ("pip", pip)]
        .into_iter()
        .filter_map(|(manager, list)| Some((manager, list.as_ref()?)))
        .filter(|(_, list)| !list.is_empty())
}

/// The list in the order it was pushed in, if it has the same members: the order means nothing to the service.
fn in_order(observed: Vec<String>, expected: Option<&Vec<String>>) -> Vec<String> {
    let sorted = |list: &[String]| {
        let mut sorted = list.to_vec();
        sorted.sort();
        sorted
    };
    match expected {
        Some(expected) if sorted(expected) == sorted(&observed) => expected.clone(),
        _ => observed,
    }
}
