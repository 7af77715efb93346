//! Every recorded request of the official client is made again with ours, and compared.
#![cfg(feature = "cma")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

#[path = "support/recorder.rs"]
mod recorder;

use powerloom_runtime::cma::*;
use recorder::{KEY, Part, Recorded, Recorder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const AGENT: &str = "agent_011CZkYpogX7uDKUyvBTophP";
const ENVIRONMENT: &str = "env_011CZkZ9X2dpNyB7HsEFoRfW";
const SESSION: &str = "sesn_011CZkZAtmR3yMPDzynEDxu7";
const VAULT: &str = "vlt_011CZkZDLs7fYzm1hXNPeRjv";
const CREDENTIAL: &str = "vcrd_011CZkZEMt8gZan2iYPQfSkw";
const SKILL: &str = "skill_01AbCdEfGhIjKlMnOpQrStUv";
const SKILL_VERSION: &str = "skver_01AbCdEfGhIjKlMnOpQrStUv";
const SERVER: &str = "https://mcp.example.com/orders";
const SKILL_MD: &str = "---\nname: refund-policy\ndescription: How to handle refund requests.\n---\n\n# Refund policy\n\nAlways check the order date first.\n";

/// Fixtures that no call of ours stands against, with the reason. There is none.
const WITHOUT_COUNTERPART: [(&str, &str); 0] = [];

/// Makes the call a fixture is named for.
async fn call(name: &str, client: &CmaClient) -> Result<(), CmaError> {
    let (agents, sessions, credentials) = (client.agents(), client.sessions(), client.credentials());
    match name {
        "agent_archive" => agents.archive(AGENT).await.map(drop),
        "agent_create_full" => agents.create(&full_agent()).await.map(drop),
        "agent_create_minimal" => {
            let mut agent = CreateAgent::new("Support agent", "claude-opus-5-5");
            agent.system = Some("You answer order questions.".into());
            agents.create(&agent).await.map(drop)
        }
        "agent_list" => {
            let mut list = ListAgents::default();
            list.limit = Some(2);
            list.include_archived = Some(true);
            list.created_at_gte = Some("2026-11-01T00:00:00Z".parse().unwrap());
            list.page = Some("page_MjAyNi0xMS0wMQ==".into());
            agents.list(&list).await.map(drop)
        }
        "agent_retrieve" => agents.retrieve(AGENT).await.map(drop),
        "agent_retrieve_version" => agents.retrieve_version(AGENT, 2).await.map(drop),
        "agent_update_with_version" => {
            let full = full_agent();
            let mut update = UpdateAgent::default();
            update.version = Some(3);
            update.system = Patch::Set("You answer order and refund questions.".into());
            update.tools = Patch::Set(full.tools[..2].to_vec());
            update.mcp_servers = Patch::Set(full.mcp_servers);
            update.skills = Patch::Set(full.skills[..1].to_vec());
            agents.update(AGENT, &update).await.map(drop)
        }
        "agent_versions_list" => {
            let mut list = ListVersions::default();
            list.limit = Some(5);
            agents.versions(AGENT, &list).await.map(drop)
        }
        "credential_archive" => credentials.archive(VAULT, CREDENTIAL).await.map(drop),
        "credential_create_mcp_oauth" => {
            let auth = TokenEndpointAuth::ClientSecretPost { client_secret: "s3cr3t".into() };
            let endpoint = "https://slack.com/api/oauth.v2.user.access";
            let mut refresh = NewRefresh::new(endpoint, "123.456", "xoxe-1-example", auth);
            refresh.scope = Some("channels:read chat:write".into());
            let mut credential = CreateCredential::new(NewAuth::McpOauth {
                mcp_server_url: "https://mcp.slack.com/mcp".into(),
                access_token: "xoxp-example".into(),
                expires_at: Some("2099-12-31T23:59:59Z".parse().unwrap()),
                refresh: Some(refresh),
            });
            credential.display_name = Some("slack".into());
            credentials.create(VAULT, &credential).await.map(drop)
        }
        "credential_create_static_bearer" => {
            let auth = NewAuth::StaticBearer { mcp_server_url: SERVER.into(), token: "tok_example".into() };
            let mut credential = CreateCredential::new(auth);
            credential.display_name = Some("orders token".into());
            credentials.create(VAULT, &credential).await.map(drop)
        }
        "credential_update_static_bearer" => {
            let mut update = UpdateCredential::default();
            update.auth = Some(UpdateAuth::StaticBearer { token: "tok_new".into() });
            credentials.update(VAULT, CREDENTIAL, &update).await.map(drop)
        }
        "environment_create_cloud" => {
            let mut environment = CreateEnvironment::new("acme-shared");
            environment.config =
                Some(EnvironmentConfig::Cloud { networking: Some(Networking::Unrestricted), packages: None });
            environment.description = Some("shared".into());
            environment.metadata = map(&[("org", "acme")]);
            client.environments().create(&environment).await.map(drop)
        }
        "environment_create_limited" => {
            let mut packages = Packages::default();
            packages.pip = Some(vec!["pandas==2.2.0".into()]);
            packages.apt = Some(vec!["graphviz".into()]);
            let mut environment = CreateEnvironment::new("acme-locked");
            environment.config = Some(EnvironmentConfig::Cloud {
                networking: Some(Networking::Limited {
                    allowed_hosts: Some(vec!["api.example.com".into(), "*.example.org".into()]),
                    allow_mcp_servers: Some(true),
                    allow_package_managers: Some(true),
                }),
                packages: Some(packages),
            });
            client.environments().create(&environment).await.map(drop)
        }
        "environment_delete" => client.environments().delete(ENVIRONMENT).await,
        "events_list" => {
            let mut list = ListEvents::default();
            list.limit = Some(100);
            list.order = Some(Order::Asc);
            list.types = vec!["agent.message".into(), "agent.mcp_tool_use".into()];
            client.events().list(SESSION, &list).await.map(drop)
        }
        "events_send_tool_confirmations" => {
            let events = [
                OutgoingEvent::allow("sevt_011CZkZGbm6Nh2WqTq3Xv9Lk"),
                OutgoingEvent::deny("sevt_011CZkZGbm6Nh2WqTq3Xv9Lm", "Use the staging project."),
            ];
            client.events().send(SESSION, &events).await.map(drop)
        }
        "events_send_user_message" => {
            let events = [OutgoingEvent::message("Where is my order #1234?")];
            client.events().send(SESSION, &events).await.map(drop)
        }
        "events_stream" | "legacy_events_stream" => client.events().stream(SESSION).await.map(drop),
        "file_upload" => client.files().upload(&UploadFile::new("data.csv", "a,b\n1,2\n")).await.map(drop),
        "legacy_agent_create" => {
            agents.create(&CreateAgent::new("Support agent", "claude-opus-5")).await.map(drop)
        }
        "session_archive" => sessions.archive(SESSION).await.map(drop),
        "session_create_pinned" => {
            let mut session = CreateSession::new(AgentRef::pinned(AGENT, 3), ENVIRONMENT);
            session.resources = vec![
                MountedResource::File {
                    file_id: "file_011CNha8iCJcU1wXNR6q4V8w".into(),
                    mount_path: Some("/workspace/data.csv".into()),
                },
                MountedResource::GithubRepository {
                    url: "https://github.com/example/repo".into(),
                    authorization_token: Some("ghp_exampletoken".into()),
                    checkout: Some(Checkout::Branch { name: "main".into() }),
                    mount_path: None,
                },
            ];
            sessions.create(&session).await.map(drop)
        }
        "session_create_vault_ids" => {
            let mut session = CreateSession::new(AGENT, ENVIRONMENT);
            session.vault_ids = vec![VAULT.into()];
            session.title = Some("Order 1234".into());
            session.metadata = map(&[("run", "r-1")]);
            sessions.create(&session).await.map(drop)
        }
        "session_delete" => sessions.delete(SESSION).await,
        "session_list" => {
            let mut list = ListSessions::default();
            list.agent_id = Some(AGENT.into());
            list.agent_version = Some(3);
            list.limit = Some(10);
            list.order = Some(Order::Asc);
            list.statuses = vec![SessionStatus::Idle, SessionStatus::Running];
            sessions.list(&list).await.map(drop)
        }
        "session_retrieve" => sessions.retrieve(SESSION).await.map(drop),
        "skill_create_files" => {
            let script = UploadFile::new("refund-policy/scripts/refund.py", "print(\"refund helper\")\n");
            client.skills().create(None, &[skill_md(), script]).await.map(drop)
        }
        "skill_retrieve" => client.skills().retrieve(SKILL).await.map(drop),
        "skill_version_create" => client.skill_versions().create(SKILL, &[skill_md()]).await.map(drop),
        "skill_version_retrieve" => client.skill_versions().retrieve(SKILL, SKILL_VERSION).await.map(drop),
        "vault_create" => {
            let mut vault = CreateVault::new("Acme production");
            vault.metadata = map(&[("external_user_id", "usr_abc123")]);
            client.vaults().create(&vault).await.map(drop)
        }
        other => panic!("no call stands against the fixture `{other}`"),
    }
}

fn full_agent() -> CreateAgent {
    let tool = |name: &str, enabled, policy| {
        let mut config = ToolConfig::new(name);
        config.enabled = enabled;
        config.permission_policy = policy;
        config
    };
    let mut model = ModelConfig::new("claude-opus-5-5");
    model.effort = Some(Effort::High);
    model.speed = Some("standard".into());
    let mut agent = CreateAgent::new("Support agent", model);
    agent.description = Some("Handles orders".into());
    agent.system = Some("You answer order questions.\nBe brief – use “quotes”.".into());
    agent.metadata = map(&[("org", "acme"), ("ref", "42")]);
    agent.mcp_servers = vec![McpServer::url("orders", SERVER)];
    agent.skills = vec![
        AgentSkill::Custom { skill_id: SKILL.into(), version: Some(SKILL_VERSION.into()) },
        AgentSkill::Anthropic { skill_id: "xlsx".into(), version: None },
    ];
    agent.tools = vec![
        Tool::AgentToolset {
            default_config: Some(ToolDefaults::new(false, PermissionPolicy::AlwaysAllow)),
            configs: vec![
                tool("bash", Some(true), Some(PermissionPolicy::AlwaysAsk)),
                tool("read", Some(true), None),
            ],
        },
        Tool::McpToolset {
            mcp_server_name: "orders".into(),
            default_config: Some(ToolDefaults::new(true, PermissionPolicy::AlwaysAllow)),
            configs: vec![tool("refund_order", None, Some(PermissionPolicy::AlwaysAsk))],
        },
        Tool::Custom {
            name: "lookup_customer".into(),
            description: "Look up a customer by e-mail.".into(),
            input_schema: json!({
                "type": "object", "properties": {"email": {"type": "string"}}, "required": ["email"],
            }),
        },
    ];
    agent
}

fn skill_md() -> UploadFile {
    UploadFile::new("refund-policy/SKILL.md", SKILL_MD)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cma-fixtures")
}

fn names() -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// Enough of every object at once for each answer to be read.
fn anything() -> Value {
    json!({"id": "any_1", "type": "any", "version": 1, "status": "idle", "data": [], "next_page": null})
}

async fn compare(name: &str, fixture: &Value, sent: &Recorded) {
    assert_eq!(sent.method, fixture["method"], "{name}: method");
    assert_eq!(sent.path, fixture["path"], "{name}: path");
    assert_eq!(sent.raw_query, fixture["raw_query"], "{name}: raw query");
    let query: Vec<(String, String)> = serde_json::from_value(fixture["query"].clone()).unwrap();
    assert_eq!(sent.query(), query, "{name}: query");

    for header in ["anthropic-version", "anthropic-beta", "accept"] {
        assert_eq!(sent.header(header), fixture["headers"][header].as_str(), "{name}: {header}");
    }
    let (scheme, other) = match fixture["auth_header"].as_str().unwrap() {
        "Authorization: Bearer <api key>" => (("authorization", format!("Bearer {KEY}")), "x-api-key"),
        "X-Api-Key: <api key>" => (("x-api-key", KEY.to_owned()), "authorization"),
        unknown => panic!("{name}: unknown scheme {unknown}"),
    };
    assert_eq!(sent.header(scheme.0), Some(scheme.1.as_str()), "{name}: authentication");
    assert_eq!(sent.header(other), None, "{name}: only one scheme");
    assert_eq!(sent.header("user-agent"), Some(concat!("powerloom/", env!("CARGO_PKG_VERSION"))), "{name}");

    let content_type = sent.header("content-type");
    match &fixture["body"] {
        Value::Null => {
            assert!(sent.body.is_empty() && content_type.is_none(), "{name}: a body that should not be");
            if sent.method == "POST" {
                assert_eq!(sent.header("content-length"), Some("0"), "{name}: the length of no body");
            }
        }
        Value::Object(body) if body.contains_key("multipart") => {
            assert!(content_type.unwrap().starts_with("multipart/form-data; boundary="), "{name}");
            assert!(sent.header("content-length").is_some(), "{name}: the length of a form is known");
            let text = |part: &Value, key: &str| part[key].as_str().map(str::to_owned);
            let parts: Vec<Part> = body["multipart"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| Part {
                    name: text(part, "name").unwrap(),
                    filename: text(part, "filename"),
                    content_type: text(part, "content_type"),
                    bytes: text(part, "text").unwrap().into_bytes(),
                })
                .collect();
            assert_eq!(sent.parts().await, parts, "{name}: parts");
            for part in body["multipart"].as_array().unwrap() {
                let disposition = part["content_disposition"].as_str().unwrap();
                let sent = String::from_utf8_lossy(&sent.body);
                assert!(sent.contains(disposition), "{name}: {disposition} is not in {sent}");
            }
        }
        body => {
            assert_eq!(content_type, fixture["headers"]["content-type"].as_str(), "{name}: content type");
            assert_eq!(&serde_json::from_slice::<Value>(&sent.body).unwrap(), body, "{name}: body");
            assert_eq!(
                sent.body.len(),
                fixture["body_raw"].as_str().unwrap().len(),
                "{name}: compact, as UTF-8"
            );
        }
    }
}

#[tokio::test]
async fn every_recorded_request_is_made_the_same_way() {
    let without: BTreeSet<&str> = WITHOUT_COUNTERPART.iter().map(|(name, _)| *name).collect();
    let names = names();
    assert_eq!(names.len(), 33, "the folder holds another number of fixtures");
    for name in names.iter().filter(|name| !without.contains(name.as_str())) {
        let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let fixture: Value = serde_json::from_str(&text).unwrap();
        let recorder = if name.ends_with("events_stream") {
            Recorder::start(|_| ([("content-type", "text/event-stream")], "")).await
        } else {
            Recorder::answering(anything()).await
        };
        let generation = match name.starts_with("legacy_") {
            true => HeaderGeneration::Legacy,
            false => HeaderGeneration::Current,
        };
        let client = recorder.builder().header_generation(generation).build().unwrap();
        call(name, &client).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let requests = recorder.requests();
        assert_eq!(requests.len(), 1, "{name}: one request");
        compare(name, &fixture, &requests[0]).await;
    }
}
