//! Records of every kind.

use crate::held::{held, held_as, object};
use crate::world::{World, skill_files, world};
use powerloom_core::approval::{ApprovalRequest, Delegated, StandingConsent};
use powerloom_core::clock::Clock;
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::record::{Record, RecordRow, Schema};
use powerloom_core::resource::agent::Agent;
use powerloom_core::resource::api_token::ApiToken;
use powerloom_core::resource::approval_policy::ApprovalPolicy;
use powerloom_core::resource::credential::Credential;
use powerloom_core::resource::environment::Environment;
use powerloom_core::resource::group::{Group, GroupMembership};
use powerloom_core::resource::mcp_deployment::McpDeployment;
use powerloom_core::resource::mcp_server::McpServer;
use powerloom_core::resource::ou::Ou;
use powerloom_core::resource::role::Role;
use powerloom_core::resource::role_binding::RoleBinding;
use powerloom_core::resource::skill::Skill;
use powerloom_core::resource::skill_grant::SkillAccessGrant;
use powerloom_core::resource::skill_version::SkillVersion;
use powerloom_core::resource::user::User;
use powerloom_core::resource::vault::Vault;
use powerloom_core::store::RecordQuery;
use powerloom_core::token::{ApiTokenRequest, Expiry};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use utoipa::ToSchema;

/// One of everything, most of it with every field it may have.
async fn furnished() -> World {
    let w = world().await;
    let (root, admin) = (w.root(), w.admin.principal.to_string());
    let texts = |name: &str| json!({ "display_name": name, "description": "A description." });
    w.create("OU", root, "eng", json!({ "display_name": "Engineering" })).await;
    let user = json!({ "email": "ada@acme.com", "display_name": "Ada", "disabled": false });
    w.try_create(&w.admin, "User", Some(root), None, user).await.unwrap();
    let group = w.create("Group", root, "reviewers", texts("Reviewers")).await;
    w.derive("GroupMembership", json!({ "group": group.meta.id, "member": admin })).await;
    let mut role = texts("Readers");
    role["permissions"] = json!(["agent:*", "skill:read"]);
    let role = w.create("Role", root, "readers", role).await;
    let bind = json!({
        "principal": format!("group:{}", group.meta.id), "role": format!("role:{}", role.meta.id),
        "expires_at": "2027-01-01T00:00:00Z",
    });
    w.try_create(&w.admin, "RoleBinding", Some(root), None, bind).await.unwrap();
    let environment = json!({
        "description": "Closed.", "networking": "limited", "allowed_hosts": ["*.example.com"],
        "allow_package_managers": true, "packages": { "pip": ["ruff"] },
    });
    w.create("Environment", root, "closed", environment).await;

    let skill = w.create("Skill", root, "python-lint", texts("Python lint")).await;
    let publish = |body: &str| Action::PublishSkillVersion {
        skill: skill.meta.id,
        files: skill_files("python-lint", body),
    };
    let first = w.cp.submit(&w.admin, publish("one")).await.unwrap().record().unwrap().meta.id;
    w.cp.submit(&w.admin, publish("two")).await.unwrap();
    let floating = w.create("Skill", root, "unpublished", json!({})).await;
    w.derive("SkillAccessGrant", json!({ "skill": skill.meta.id, "principal": admin })).await;
    let server = w.server(root, "orders").await;
    let deployment = json!({
        "display_name": "Files", "template_kind": "files", "config": { "root": "/srv", "token_secret": "files/token" },
        "policy": { "read_only": true }, "isolation": "dedicated",
    });
    w.create("MCPDeployment", root, "files", deployment).await;
    let agent = json!({
        "display_name": "Clerk", "description": "Counts.", "model": "claude-sonnet-4-6", "system_prompt": "Be concise.",
        "agent_kind": "user", "owner": admin, "skills": [
            { "skill": skill.meta.id, "version": { "pinned": first } }, { "skill": floating.meta.id },
        ],
        "mcp_servers": [server.meta.id], "permission_boundary": ["agent:*", "*:*", "ou:read"],
        "session_timeout_seconds": 60,
    });
    let agent = w.create("Agent", root, "clerk", agent).await;
    w.derive("Credential", json!({ "agent": agent.meta.id, "mcp_server": server.meta.id })).await;
    let request = ApiTokenRequest {
        principal: w.admin.principal.clone(),
        name: "laptop".to_owned(),
        scopes: vec!["agent:*".parse().unwrap()],
        expires: Expiry::After(Duration::from_secs(3600)),
    };
    let tokens = w.tokens();
    let token = tokens.create_api_token(&w.admin, request).await.unwrap();
    tokens.authenticate(&token.text.reveal()).await.unwrap();

    let until = w.clock.now() + Duration::from_secs(3600);
    let verbs = vec!["skill.create".to_owned()];
    w.cp.approvals(&w.admin).consent(root, verbs, 2, until, Delegated::Too).await.unwrap();
    let mut policy = texts("Four eyes");
    for (field, value) in object(json!({
        "match": {
            "resource_kinds": ["Group"], "actions": ["create"], "ou_depth": "exact",
            "condition": "resource.name != 'x'",
        },
        "approvers": ["role:OrgAdmin", format!("group:{}", group.meta.id), format!("role:{}", role.meta.id)],
        "quorum": 2, "allow_self": true,
    })) {
        policy[field] = value;
    }
    w.create("ApprovalPolicy", root, "four-eyes", policy).await;
    let warn = json!({ "match": {}, "mode": "warn" });
    w.create("ApprovalPolicy", root, "warned", warn).await;
    let parked = w.try_create(&w.admin, "Group", Some(root), Some("held"), json!({})).await.unwrap();
    assert!(matches!(parked, Outcome::Pending { .. }));
    w
}

/// Holds a record, and the row it was read from, to their schemas.
fn of<K>(row: &RecordRow) -> bool
where
    K: Schema<Spec: ToSchema, Status: ToSchema>,
{
    if row.kind != K::KIND {
        return false;
    }
    held(row);
    let record = Record::<K>::read(row).unwrap();
    held(&record);
    held_as(&K::Spec::name(), &row.spec);
    true
}

/// Every record of every kind, typed and as a row.
#[tokio::test]
async fn every_record_is_as_its_schema_says() {
    let w = furnished().await;
    let rows = w.cp.store().list_records(w.org.id, &RecordQuery::default()).await.unwrap();
    let all = [
        of::<Agent>,
        of::<ApiToken>,
        of::<ApprovalPolicy>,
        of::<ApprovalRequest>,
        of::<Credential>,
        of::<Environment>,
        of::<Group>,
        of::<GroupMembership>,
        of::<McpDeployment>,
        of::<McpServer>,
        of::<Ou>,
        of::<Role>,
        of::<RoleBinding>,
        of::<Skill>,
        of::<SkillAccessGrant>,
        of::<SkillVersion>,
        of::<StandingConsent>,
        of::<User>,
        of::<Vault>,
    ];
    for row in &rows {
        assert_eq!(all.iter().filter(|of| of(row)).count(), 1, "{}", row.kind);
    }
    let seen: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(seen.len(), all.len(), "one of each: {seen:?}");
}

/// What the organization, and the runtime's side of a record, look like.
#[tokio::test]
async fn rows_beside_the_records_are_as_their_schemas_say() {
    let w = furnished().await;
    held(&w.cp.organization(&w.admin).await.unwrap());
    let agents = RecordQuery { kind: Some(Agent::KIND), ..Default::default() };
    let agent = w.cp.store().list_records(w.org.id, &agents).await.unwrap().remove(0);
    let (state, status) = w.cp.sync_state(&w.admin, &agent.key()).await.unwrap();
    held(&state);
    held(&status);
    held(&w.tokens().jwks());
}

/// A row with labels and what a set manages.
#[tokio::test]
async fn a_labelled_record_is_as_its_schema_says() {
    let w = world().await;
    let mut change = powerloom_core::door::mutation::Mutation::from(Action::Create {
        kind: Skill::KIND,
        ou: Some(w.root()),
        name: Some("lint".to_owned()),
        spec: object(json!({ "description": "Finds faults." })),
    });
    change.labels = Some(serde_json::from_value(json!({ "owner": "web", "team.a/b": "é" })).unwrap());
    change.managed = Some(["description".to_owned()].into());
    held(&change);
    let outcome = w.cp.submit(&w.admin, change.clone()).await.unwrap();
    let written = held(&outcome);
    assert_eq!(written["record"]["meta"]["labels"]["owner"], "web");
    assert!(written["record"]["meta"]["managed"].get("description").is_some());
}
