//! What an agent has: skills and MCP servers (rows P52, P53, P104, P105).

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Body, IfMatch, IfMatchHeader, Terms, TermsHeaders};
use crate::page::Page;
use crate::resource::answer::{Pending, pending, set_created, set_etag};
use crate::resource::given::flat;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use powerloom_core::door::caller::Caller;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::error::Error;
use powerloom_core::id::ResourceId;
use powerloom_core::record::{Record, RecordRow, ResourceKey, Schema};
use powerloom_core::resource::agent::{Agent, SkillPin};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_skills, attach_skill))
        .routes(routes!(get_skill, detach_skill))
        .routes(routes!(list_mcp_servers, attach_mcp_server))
        .routes(routes!(get_mcp_server, detach_mcp_server))
}

/// A skill to attach.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttachSkill {
    /// The skill.
    skill_id: ResourceId,
    /// This version for good; absent: always the current one.
    #[serde(default)]
    skill_version_id: Option<ResourceId>,
}

/// An MCP server to attach.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttachMcpServer {
    /// The MCP server.
    mcp_server_id: ResourceId,
}

/// A skill an agent has.
#[derive(Debug, Serialize, ToSchema)]
struct SkillAttachment {
    /// The agent.
    agent_id: ResourceId,
    /// The agent's version.
    #[schema(minimum = 1)]
    agent_version: u64,
    /// The skill.
    skill_id: ResourceId,
    /// The version it has for good; `null`: always the current one.
    #[schema(required)]
    skill_version_id: Option<ResourceId>,
    /// What speaks against the change just made: policies of mode `warn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// An MCP server an agent has.
#[derive(Debug, Serialize, ToSchema)]
struct McpServerAttachment {
    /// The agent.
    agent_id: ResourceId,
    /// The agent's version.
    #[schema(minimum = 1)]
    agent_version: u64,
    /// The MCP server.
    mcp_server_id: ResourceId,
    /// What speaks against the change just made: policies of mode `warn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

fn skills(agent: &RecordRow) -> Result<Vec<SkillAttachment>, Failure> {
    let spec = Record::<Agent>::read(agent).map_err(Error::from)?.spec;
    let attached = spec.skills.into_iter().map(|attached| SkillAttachment {
        agent_id: agent.meta.id,
        agent_version: agent.meta.version,
        skill_id: attached.skill,
        skill_version_id: match attached.version {
            SkillPin::Current => None,
            SkillPin::Pinned(version) => Some(version),
        },
        warnings: Vec::new(),
    });
    Ok(attached.collect())
}

fn mcp_servers(agent: &RecordRow) -> Result<Vec<McpServerAttachment>, Failure> {
    let spec = Record::<Agent>::read(agent).map_err(Error::from)?.spec;
    let attached = spec.mcp_servers.into_iter().map(|server| McpServerAttachment {
        agent_id: agent.meta.id,
        agent_version: agent.meta.version,
        mcp_server_id: server,
        warnings: Vec::new(),
    });
    Ok(attached.collect())
}

async fn agent(app: &App, caller: &Caller, id: ResourceId) -> Result<RecordRow, Failure> {
    Ok(app.loom.get(caller, &ResourceKey::of::<Agent>(id)).await?)
}

/// What is attached, with the agent's ETag; 404 if it is not.
fn found<T: Serialize>(
    agent: &RecordRow,
    attachment: Option<T>,
    what: &str,
    id: ResourceId,
) -> Result<Response, Failure> {
    // In the words of the core, when it is to be taken away.
    let missing = || Error::NotFound { what: format!("{what} of the agent"), reference: id.to_string() };
    let mut response = Json(attachment.ok_or_else(missing)?).into_response();
    set_etag(&mut response, agent.meta.version);
    Ok(response)
}

/// 201 for what was attached, 200 for what has another version now or was so already.
fn attached<T: Serialize>(
    outcome: Outcome,
    below: &str,
    id: ResourceId,
    view: impl FnOnce(&RecordRow, Vec<String>) -> Result<Option<T>, Failure>,
) -> Result<Response, Failure> {
    let (agent, warnings, new) = match outcome {
        Outcome::Pending { request_id } => return Ok(pending(request_id)),
        Outcome::Applied(applied) => (applied.record, applied.warnings, applied.created),
        Outcome::Unchanged { record } => (record, Vec::new(), false),
    };
    let missing = || Error::Internal { message: "an attachment has no agent".to_owned() };
    let agent = agent.ok_or_else(missing)?;
    let view = view(&agent, warnings)?.ok_or_else(missing)?;
    let mut response = Json(view).into_response();
    set_etag(&mut response, agent.meta.version);
    if new {
        set_created(&mut response, &format!("/agents/{}/{below}/{id}", agent.meta.id));
    }
    Ok(response)
}

/// 204, or 202.
fn detached(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Pending { request_id } => pending(request_id),
        Outcome::Applied(_) | Outcome::Unchanged { .. } => StatusCode::NO_CONTENT.into_response(),
    }
}

/// In the words of the body: it has one skill, not a list.
fn about_one(app: &App, error: Error) -> Failure {
    match error {
        Error::Invalid(mut invalid) if invalid.field.ends_with("].version") => {
            invalid.field = "skill_version_id".to_owned();
            invalid.into()
        }
        error => flat(app, &Agent::KIND, error),
    }
}

/// List the skills an agent has: all of them, at most 20.
#[utoipa::path(get, path = "/agents/{id}/skills", tag = "agents", operation_id = "listAgentSkills",
    params(("id" = Uuid, Path, description = "The agent.")),
    responses((status = 200, description = "The skills, in the agent's order.", body = Page<SkillAttachment>)))]
async fn list_skills(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ResourceId>,
) -> Result<Json<Page<SkillAttachment>>, Failure> {
    Ok(Json(Page { items: skills(&agent(&app, &caller, id).await?)?, next_cursor: None }))
}

/// Read which version of a skill an agent has.
#[utoipa::path(get, path = "/agents/{id}/skills/{skill_id}", tag = "agents", operation_id = "getAgentSkill",
    params(("id" = Uuid, Path, description = "The agent."), ("skill_id" = Uuid, Path, description = "The skill.")),
    responses((status = 200, description = "The attachment.", body = SkillAttachment, headers(("ETag" = String, description = "The agent's version.")))))]
async fn get_skill(
    State(app): State<App>,
    By(caller): By,
    At((id, skill)): At<(ResourceId, ResourceId)>,
) -> Result<Response, Failure> {
    let agent = agent(&app, &caller, id).await?;
    let attachment = skills(&agent)?.into_iter().find(|attached| attached.skill_id == skill);
    found(&agent, attachment, "skill", skill)
}

/// Give an agent a skill; a second time changes the version it has.
#[utoipa::path(post, path = "/agents/{id}/skills", tag = "agents", operation_id = "attachSkill",
    params(("id" = Uuid, Path, description = "The agent."), TermsHeaders, IfMatchHeader),
    request_body = AttachSkill,
    responses(
        (status = 201, description = "It is attached.", body = SkillAttachment,
            headers(("ETag" = String, description = "The agent's version."), ("Location" = String, description = "Where it is.")),
            links(
                ("get" = (operation_id = "getAgentSkill", parameters(("id" = "$response.body#/agent_id"), ("skill_id" = "$response.body#/skill_id")))),
                ("detach" = (operation_id = "detachSkill", parameters(("id" = "$response.body#/agent_id"), ("skill_id" = "$response.body#/skill_id")))),
            )),
        (status = 200, description = "It has this version of it now, or was so already.", body = SkillAttachment, headers(("ETag" = String, description = "The agent's version."))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn attach_skill(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ResourceId>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
    Body(body): Body<AttachSkill>,
) -> Result<Response, Failure> {
    let skill = body.skill_id;
    let action = Action::AttachSkill { agent: id, skill, version: body.skill_version_id, expect };
    let outcome = app.loom.submit_with(&caller, action, &terms).await;
    let outcome = outcome.map_err(|error| about_one(&app, error))?;
    attached(outcome, "skills", skill, |agent, warnings| {
        let attachment = skills(agent)?.into_iter().find(|attached| attached.skill_id == skill);
        Ok(attachment.map(|attachment| SkillAttachment { warnings, ..attachment }))
    })
}

/// Take a skill from an agent.
#[utoipa::path(delete, path = "/agents/{id}/skills/{skill_id}", tag = "agents", operation_id = "detachSkill",
    params(("id" = Uuid, Path, description = "The agent."), ("skill_id" = Uuid, Path, description = "The skill."), TermsHeaders, IfMatchHeader),
    responses((status = 204, description = "It is detached."), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn detach_skill(
    State(app): State<App>,
    By(caller): By,
    At((id, skill)): At<(ResourceId, ResourceId)>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let action = Action::DetachSkill { agent: id, skill, expect };
    Ok(detached(app.loom.submit_with(&caller, action, &terms).await?))
}

/// List the MCP servers an agent has: all of them, at most 20.
#[utoipa::path(get, path = "/agents/{id}/mcp-servers", tag = "agents", operation_id = "listAgentMcpServers",
    params(("id" = Uuid, Path, description = "The agent.")),
    responses((status = 200, description = "The MCP servers, in the agent's order.", body = Page<McpServerAttachment>)))]
async fn list_mcp_servers(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ResourceId>,
) -> Result<Json<Page<McpServerAttachment>>, Failure> {
    Ok(Json(Page { items: mcp_servers(&agent(&app, &caller, id).await?)?, next_cursor: None }))
}

/// Read that an agent has an MCP server.
#[utoipa::path(get, path = "/agents/{id}/mcp-servers/{reg_id}", tag = "agents", operation_id = "getAgentMcpServer",
    params(("id" = Uuid, Path, description = "The agent."), ("reg_id" = Uuid, Path, description = "The MCP server.")),
    responses((status = 200, description = "The attachment.", body = McpServerAttachment, headers(("ETag" = String, description = "The agent's version.")))))]
async fn get_mcp_server(
    State(app): State<App>,
    By(caller): By,
    At((id, server)): At<(ResourceId, ResourceId)>,
) -> Result<Response, Failure> {
    let agent = agent(&app, &caller, id).await?;
    let attachment = mcp_servers(&agent)?.into_iter().find(|attached| attached.mcp_server_id == server);
    found(&agent, attachment, "MCP server", server)
}

/// Give an agent an MCP server.
#[utoipa::path(post, path = "/agents/{id}/mcp-servers", tag = "agents", operation_id = "attachMcpServer",
    params(("id" = Uuid, Path, description = "The agent."), TermsHeaders, IfMatchHeader),
    request_body = AttachMcpServer,
    responses(
        (status = 201, description = "It is attached.", body = McpServerAttachment,
            headers(("ETag" = String, description = "The agent's version."), ("Location" = String, description = "Where it is.")),
            links(
                ("get" = (operation_id = "getAgentMcpServer", parameters(("id" = "$response.body#/agent_id"), ("reg_id" = "$response.body#/mcp_server_id")))),
                ("detach" = (operation_id = "detachMcpServer", parameters(("id" = "$response.body#/agent_id"), ("reg_id" = "$response.body#/mcp_server_id")))),
            )),
        (status = 200, description = "It was so already.", body = McpServerAttachment, headers(("ETag" = String, description = "The agent's version."))),
        (status = 202, description = "It waits for approval.", body = Pending)))]
async fn attach_mcp_server(
    State(app): State<App>,
    By(caller): By,
    At(id): At<ResourceId>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
    Body(body): Body<AttachMcpServer>,
) -> Result<Response, Failure> {
    let server = body.mcp_server_id;
    let action = Action::AttachMcpServer { agent: id, mcp_server: server, expect };
    let outcome = app.loom.submit_with(&caller, action, &terms).await;
    let outcome = outcome.map_err(|error| about_one(&app, error))?;
    attached(outcome, "mcp-servers", server, |agent, warnings| {
        let attachment = mcp_servers(agent)?.into_iter().find(|attached| attached.mcp_server_id == server);
        Ok(attachment.map(|attachment| McpServerAttachment { warnings, ..attachment }))
    })
}

/// Take an MCP server from an agent.
#[utoipa::path(delete, path = "/agents/{id}/mcp-servers/{reg_id}", tag = "agents", operation_id = "detachMcpServer",
    params(("id" = Uuid, Path, description = "The agent."), ("reg_id" = Uuid, Path, description = "The MCP server."), TermsHeaders, IfMatchHeader),
    responses((status = 204, description = "It is detached."), (status = 202, description = "It waits for approval.", body = Pending)))]
async fn detach_mcp_server(
    State(app): State<App>,
    By(caller): By,
    At((id, server)): At<(ResourceId, ResourceId)>,
    IfMatch(expect): IfMatch,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let action = Action::DetachMcpServer { agent: id, mcp_server: server, expect };
    Ok(detached(app.loom.submit_with(&caller, action, &terms).await?))
}
