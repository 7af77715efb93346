//! Agents on the service.
//!
//! Managed are the name, the description, the model's id, the system prompt, the tools, the MCP servers and the
//! skills, and with them what widens an agent's reach: other agents it may call on, and as whom it acts. An update
//! says all of them. A model's effort and speed, and metadata of others, are left alone.
//!
//! What cannot be said in a payload (a foreign skill, another tool policy) is observed as an entry that no payload
//! has: a skill with the number 0, or an MCP server without a name. So it shows as drift, and the next push mends it.

use crate::cma::agent::{Agent, CreateAgent, ListAgents, UpdateAgent};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::model::Model;
use crate::cma::patch::Patch;
use crate::cma::runtime::failure::{created, failed, found, not_sent, refused, removed};
use crate::cma::runtime::tag::{PAGE, first, is_tagged, names, tag, upsert};
use crate::cma::runtime::toolset::{deviations, servers, tools};
use crate::cma::tool::{AgentSkill, McpServer};
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::skill_version::SkillVersion;
use powerloom_core::runtime::{
    AgentMcpServerPayload, AgentPayload, AgentSkillPayload, Placed, Push, RuntimeErrorClass, RuntimeResult,
};
use std::collections::BTreeMap;
use uuid::Uuid;

const CREATE: &str = "create an agent";
const UPDATE: &str = "update an agent";

pub(crate) async fn push(
    client: &CmaClient,
    push: &Push,
    payload: &AgentPayload,
) -> RuntimeResult<RemoteRef> {
    let skills = skills(payload, &push.placed)?;
    if let Some(remote) = &push.remote {
        return update(client, push, payload, skills, remote).await;
    }
    if push.unsure
        && let Some(remote) = find(client, push.org, &push.key).await?
    {
        return update(client, push, payload, skills, &remote).await;
    }
    let made = client.agents().create(&definition(push, payload, skills)).await;
    made.map(|agent| place(&agent)).map_err(|error| created(CREATE, error))
}

async fn update(
    client: &CmaClient,
    push: &Push,
    payload: &AgentPayload,
    skills: Vec<AgentSkill>,
    remote: &RemoteRef,
) -> RuntimeResult<RemoteRef> {
    let update = redefinition(push, payload, skills, remote.version);
    match client.agents().update(&remote.id, &update).await {
        Ok(agent) => Ok(place(&agent)),
        Err(error) => Err(refused(UPDATE, error, live(client, &remote.id)).await),
    }
}

fn definition(push: &Push, payload: &AgentPayload, skills: Vec<AgentSkill>) -> CreateAgent {
    let mut agent = CreateAgent::new(&payload.name, payload.model.as_str());
    agent.description = filled(payload.description.as_deref());
    agent.system = filled(payload.system.as_deref());
    agent.tools = tools(&payload.mcp_servers);
    agent.mcp_servers = servers(&payload.mcp_servers);
    agent.skills = skills;
    agent.metadata = tag(push.org, &push.key);
    agent
}

/// The whole definition as an update: what the payload lacks is cleared.
fn redefinition(
    push: &Push,
    payload: &AgentPayload,
    skills: Vec<AgentSkill>,
    version: Option<i64>,
) -> UpdateAgent {
    UpdateAgent {
        version,
        name: Some(payload.name.clone()),
        model: Some(Model::from(payload.model.as_str())),
        system: filled(payload.system.as_deref()).into(),
        description: filled(payload.description.as_deref()).into(),
        tools: Patch::Set(tools(&payload.mcp_servers)),
        mcp_servers: Patch::Set(servers(&payload.mcp_servers)),
        skills: Patch::Set(skills),
        metadata: upsert(tag(push.org, &push.key)),
        multiagent: Patch::Clear,
        execution_identity: Patch::Clear,
    }
}

pub(crate) async fn observe(
    client: &CmaClient,
    key: &ResourceKey,
    remote: &RemoteRef,
    expected: &AgentPayload,
    placed: &Placed,
) -> RuntimeResult<Option<(AgentPayload, RemoteRef)>> {
    let read =
        found(client.agents().retrieve(&remote.id).await).map_err(|error| failed("read an agent", error))?;
    let live = read.filter(|agent| agent.archived_at.is_none());
    Ok(live.map(|agent| (in_our_words(&agent, key, expected, placed), place(&agent))))
}

pub(crate) async fn remove(client: &CmaClient, remote: &RemoteRef) -> RuntimeResult<()> {
    let archival = client.agents().archive(&remote.id).await;
    removed("archive an agent", archival, live(client, &remote.id)).await
}

pub(crate) async fn find(
    client: &CmaClient,
    org: OrgId,
    key: &ResourceKey,
) -> RuntimeResult<Option<RemoteRef>> {
    let list = client.agents().all(ListAgents { limit: Some(PAGE), ..ListAgents::default() });
    let ours = |agent: &Agent| agent.archived_at.is_none() && is_tagged(&agent.metadata, org, key);
    let agent = first(list, ours).await.map_err(|error| failed("look for an agent", error))?;
    Ok(agent.map(|agent| place(&agent)))
}

async fn live(client: &CmaClient, id: &str) -> Result<bool, CmaError> {
    Ok(client.agents().retrieve(id).await?.archived_at.is_none())
}

fn place(agent: &Agent) -> RemoteRef {
    RemoteRef { id: agent.id.clone(), version: Some(agent.version), parent: None }
}

/// The skills in the service's form, with the versions said: else an upload by anyone would change new sessions.
fn skills(payload: &AgentPayload, placed: &Placed) -> RuntimeResult<Vec<AgentSkill>> {
    let skills = payload.skills.iter().map(|skill| {
        let (skill_id, version) = whereabouts(skill.version, placed).ok_or_else(|| {
            let why = format!("version {} of skill `{}` is not on the runtime", skill.number, skill.name);
            not_sent("push an agent", why, RuntimeErrorClass::Transient)
        })?;
        Ok(AgentSkill::Custom { skill_id: skill_id.to_owned(), version: Some(version.to_owned()) })
    });
    skills.collect()
}

/// The service's ids of a skill and of one version of it.
fn whereabouts(version: ResourceId, placed: &Placed) -> Option<(&str, &str)> {
    let remote = placed.get(&ResourceKey::of::<SkillVersion>(version))?;
    Some((remote.parent.as_deref()?, &remote.id))
}

fn in_our_words(agent: &Agent, key: &ResourceKey, expected: &AgentPayload, placed: &Placed) -> AgentPayload {
    let known: BTreeMap<(&str, &str), &AgentSkillPayload> = expected
        .skills
        .iter()
        .filter_map(|skill| Some((whereabouts(skill.version, placed)?, skill)))
        .collect();
    let mut skills: Vec<AgentSkillPayload> =
        agent.skills.iter().map(|skill| our_skill(skill, &known)).collect();
    // The order means nothing: it is the one the payload has.
    skills.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
    let mut mcp_servers: Vec<AgentMcpServerPayload> = agent
        .mcp_servers
        .iter()
        .map(|server| match server {
            McpServer::Url { name, url } => AgentMcpServerPayload { name: name.clone(), url: url.clone() },
            McpServer::Other(other) => deviation(format!("the MCP server {other}")),
        })
        .collect();
    let mut deviant = deviations(&agent.tools, &mcp_servers);
    if agent.multiagent.as_ref().is_some_and(|multiagent| !multiagent.is_null()) {
        deviant.insert("agents it may call on".to_owned());
    }
    let identity = agent.execution_identity.as_ref().and_then(|identity| identity.get("type")?.as_str());
    if identity.is_some_and(|identity| identity != "service_account") {
        deviant.insert("an identity it acts as".to_owned());
    }
    if !names(&agent.metadata, key) {
        deviant.insert("metadata of another owner".to_owned());
    }
    mcp_servers.extend(deviant.into_iter().map(deviation));
    mcp_servers.sort();
    AgentPayload {
        name: agent.name.clone(),
        description: same_text(agent.description.as_deref(), expected.description.as_deref()),
        model: agent.model.id.clone(),
        system: same_text(agent.system.as_deref(), expected.system.as_deref()),
        skills,
        mcp_servers,
    }
}

fn our_skill(skill: &AgentSkill, known: &BTreeMap<(&str, &str), &AgentSkillPayload>) -> AgentSkillPayload {
    let name = match skill {
        AgentSkill::Custom { skill_id, version } => {
            let version = version.as_deref().unwrap_or("latest");
            if let Some(skill) = known.get(&(skill_id.as_str(), version)) {
                return (*skill).clone();
            }
            format!("{skill_id}@{version}")
        }
        AgentSkill::Anthropic { skill_id, .. } => format!("anthropic/{skill_id}"),
        AgentSkill::Other(other) => other.to_string(),
    };
    AgentSkillPayload { version: ResourceId::from_uuid(Uuid::nil()), name, number: 0 }
}

/// What no payload has: a server without a name.
fn deviation(what: String) -> AgentMcpServerPayload {
    AgentMcpServerPayload { name: String::new(), url: what }
}

/// The service knows no difference between an empty text and none.
fn filled(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn same_text(observed: Option<&str>, expected: Option<&str>) -> Option<String> {
    let observed = filled(observed);
    if observed == filled(expected) { expected.map(str::to_owned) } else { observed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use powerloom_core::resource::agent::Agent as AgentKind;
    use powerloom_core::runtime::Payload;
    use serde_json::{Value, json};

    const ID: &str = "00000000-0000-0000-0000-000000000007";
    const ORG: &str = "00000000-0000-0000-0000-000000000001";

    fn push_of(payload: &AgentPayload) -> Push {
        Push {
            org: ORG.parse().unwrap(),
            key: ResourceKey::of::<AgentKind>(ID.parse().unwrap()),
            payload: Payload::Agent(payload.clone()),
            remote: None,
            placed: Placed::new(),
            files: Vec::new(),
            bearer: None,
            unsure: false,
        }
    }

    fn payload(mcp_servers: Vec<AgentMcpServerPayload>) -> AgentPayload {
        AgentPayload {
            name: "support".to_owned(),
            description: None,
            model: "claude-opus-5-5".to_owned(),
            system: Some(String::new()),
            skills: Vec::new(),
            mcp_servers,
        }
    }

    fn allowed() -> Value {
        json!({"enabled": true, "permission_policy": {"type": "always_allow"}})
    }

    #[test]
    fn a_new_agent_says_the_policy_of_every_toolset_and_carries_its_key() {
        let orders =
            AgentMcpServerPayload { name: "orders".to_owned(), url: "https://mcp.example.com".to_owned() };
        let payload = payload(vec![orders]);
        let skill =
            AgentSkill::Custom { skill_id: "skill_1".to_owned(), version: Some("skver_2".to_owned()) };
        let body = serde_json::to_value(definition(&push_of(&payload), &payload, vec![skill])).unwrap();
        assert_eq!(
            body,
            json!({
                "name": "support", "model": "claude-opus-5-5",
                "tools": [
                    {"type": "agent_toolset_20260401", "default_config": allowed()},
                    {"type": "mcp_toolset", "mcp_server_name": "orders", "default_config": allowed()},
                ],
                "mcp_servers": [{"type": "url", "name": "orders", "url": "https://mcp.example.com"}],
                "skills": [{"type": "custom", "skill_id": "skill_1", "version": "skver_2"}],
                "metadata": {"powerloom_id": format!("Agent/{ID}"), "powerloom_org": ORG},
            })
        );
    }

    #[test]
    fn an_update_says_every_field_with_null_and_empty_lists_for_what_is_not_there() {
        let payload = payload(Vec::new());
        let body = redefinition(&push_of(&payload), &payload, Vec::new(), Some(3));
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({
                "version": 3, "name": "support", "model": "claude-opus-5-5", "system": null, "description": null,
                "tools": [{"type": "agent_toolset_20260401", "default_config": allowed()}],
                "mcp_servers": [], "skills": [], "multiagent": null, "execution_identity": null,
                "metadata": {"powerloom_id": format!("Agent/{ID}"), "powerloom_org": ORG},
            })
        );
    }

    #[test]
    fn a_skill_that_is_not_on_the_runtime_is_waited_for() {
        let version = ResourceId::from_uuid(Uuid::from_u128(9));
        let mut payload = payload(Vec::new());
        payload.skills.push(AgentSkillPayload { version, name: "refunds".to_owned(), number: 2 });
        let error = skills(&payload, &Placed::new()).unwrap_err();
        assert_eq!((error.class, error.maybe_applied), (RuntimeErrorClass::Transient, false));
        assert!(error.message.contains("version 2 of skill `refunds`"), "{}", error.message);
    }
}
