//! An emulator, a runtime that talks to it, and payloads.

use bytes::Bytes;
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::{ResourceKey, Schema};
use powerloom_core::runtime::*;
use powerloom_core::secret::{Fingerprint, SecretBytes};
use powerloom_core::skill_tree::content_hash;
use powerloom_runtime::cma::{CmaClient, CmaRuntime};
use powerloom_runtime::emulator::{Edit, Emulator, Fault, FaultRule, RunningEmulator};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

pub struct World {
    pub emulator: RunningEmulator,
    pub runtime: CmaRuntime,
}

impl World {
    pub async fn start() -> Self {
        let emulator = Emulator::builder().api_key("sk-ant-good").start().await.unwrap();
        let runtime = runtime(&emulator, "sk-ant-good");
        Self { emulator, runtime }
    }

    pub async fn put(&self, push: &Push) -> RemoteRef {
        self.runtime.push(push).await.unwrap()
    }

    /// What is there for the push.
    pub async fn seen(&self, push: &Push, remote: &RemoteRef) -> Option<Payload> {
        let seen = self.runtime.observe(&push.key, remote, &push.payload, &push.placed).await.unwrap();
        seen.map(|(payload, _)| payload)
    }

    /// Changes an object behind our back.
    pub fn edit(&self, id: &str, pointer: &str, value: impl Into<Value>) {
        self.emulator.edit(&Edit::set(id, pointer, value)).unwrap();
    }

    /// The next call of this kind has its effect, but its answer is lost.
    pub fn lose_answer(&self, path: &str) {
        self.emulator.faults().add(FaultRule::new(path, Fault::CutAfter).method("POST").count(1));
    }

    /// The objects of a table that are not archived.
    pub fn live(&self, table: &str) -> Vec<Value> {
        let state = self.emulator.state();
        let rows = state[table].as_object().unwrap().values();
        rows.filter(|row| row.get("archived_at").is_none_or(Value::is_null)).cloned().collect()
    }
}

pub fn runtime(emulator: &RunningEmulator, key: &str) -> CmaRuntime {
    CmaRuntime::new(
        CmaClient::builder().base_url(emulator.url()).api_key(key).without_proxy().build().unwrap(),
    )
}

pub fn id(n: u128) -> ResourceId {
    ResourceId::from_uuid(Uuid::from_u128(n))
}

pub fn org() -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(1))
}

/// The push of a resource of kind `K` that is not on the runtime yet.
pub fn push<K: Schema>(n: u128, payload: Payload) -> Push {
    Push {
        org: org(),
        key: ResourceKey::of::<K>(id(n)),
        payload,
        remote: None,
        placed: Placed::new(),
        files: Vec::new(),
        bearer: None,
        unsure: false,
    }
}

/// The same push, of `payload` to where the resource is.
pub fn again(before: &Push, payload: Payload, remote: Option<&RemoteRef>) -> Push {
    Push {
        org: before.org,
        key: before.key.clone(),
        payload,
        remote: remote.cloned(),
        placed: before.placed.clone(),
        files: before.files.clone(),
        bearer: before.bearer.clone(),
        unsure: remote.is_none(),
    }
}

pub fn agent(name: &str) -> AgentPayload {
    AgentPayload {
        name: name.to_owned(),
        description: None,
        model: "claude-opus-5-5".to_owned(),
        system: None,
        skills: Vec::new(),
        mcp_servers: Vec::new(),
    }
}

pub fn server(name: &str, url: &str) -> AgentMcpServerPayload {
    AgentMcpServerPayload { name: name.to_owned(), url: url.to_owned() }
}

pub fn environment(name: &str) -> EnvironmentPayload {
    EnvironmentPayload {
        name: name.to_owned(),
        allowed_hosts: None,
        allow_mcp_servers: false,
        allow_package_managers: false,
        packages: BTreeMap::new(),
    }
}

pub fn vault(display_name: &str) -> Payload {
    Payload::Vault(VaultPayload { display_name: display_name.to_owned() })
}

/// The push of a skill version `number` of the skill 500, whose text is `text` and whose script is executable.
pub fn skill_version(n: u128, number: u64, text: &str) -> Push {
    let skill_md = format!("---\nname: refunds\ndescription: How to pay back.\n---\n{text}\n");
    let file = |path: &str, bytes: &str, executable| {
        let size = bytes.len() as u64;
        let file =
            SkillFile { path: path.to_owned(), executable, size, digest: Digest::of(bytes.as_bytes()) };
        (file, Bytes::from(bytes.to_owned()))
    };
    let files = vec![file("SKILL.md", &skill_md, false), file("bin/pay.sh", "#!/bin/sh\necho paid\n", true)];
    let tree: Vec<SkillFile> = files.iter().map(|(file, _)| file.clone()).collect();
    let payload = SkillVersionPayload {
        skill: id(500),
        skill_name: "refunds".to_owned(),
        number,
        content_hash: content_hash(&tree),
    };
    let push =
        push::<powerloom_core::resource::skill_version::SkillVersion>(n, Payload::SkillVersion(payload));
    Push { files, ..push }
}

/// The push of a credential of the vault 300 for `url`.
pub fn credential(n: u128, url: &str, bearer: &str, vault: &RemoteRef) -> Push {
    let secret = SecretBytes::from(bearer.to_owned());
    let payload = CredentialPayload {
        vault: id(300),
        mcp_server_url: url.to_owned(),
        display_name: "orders".to_owned(),
        fingerprint: Fingerprint::of(&secret).to_string(),
    };
    let push = push::<powerloom_core::resource::credential::Credential>(n, Payload::Credential(payload));
    let vault_key = ResourceKey::of::<powerloom_core::resource::vault::Vault>(id(300));
    Push { placed: Placed::from([(vault_key, vault.clone())]), bearer: Some(secret), ..push }
}
