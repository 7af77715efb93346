//! Credentials: minted here, sealed, never shown.

use crate::world::{code, denied, kind, world};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::record::RecordRow;
use powerloom_core::store::RecordQuery;
use serde_json::json;

fn binding(agent: &RecordRow, server: &RecordRow) -> serde_json::Value {
    json!({ "agent": agent.meta.id, "mcp_server": server.meta.id })
}

/// Rows P63, P66, P67: the bearer is minted here and kept sealed; no row, audit entry or answer has it.
#[tokio::test]
async fn a_bearer_is_minted_sealed_and_shown_nowhere() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    let server = w.server(w.root(), "pg-analytics").await;
    let outcome = w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await.unwrap();
    let row = outcome.record().unwrap().clone();
    let sealed = w.cp.store().secret(w.org.id, row.meta.id).await.unwrap().expect("it is kept");
    assert_eq!(row.status["fingerprint"].as_str().unwrap().len(), 64);
    let entries = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let everything =
        format!("{outcome:?} {row:?} {sealed:?} {entries:?} {}", serde_json::to_string(&outcome).unwrap());
    assert!(
        !everything.contains("mcp_")
            || !everything.split("mcp_").skip(1).any(|rest| {
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).count() >= 43
            })
    );
}

/// C34, sem. 2.4: the first credential makes the agent's vault, the next ones share it.
#[tokio::test]
async fn an_agent_has_one_vault_for_all_its_credentials() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    for name in ["one", "two"] {
        let server = w.server(w.root(), name).await;
        w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await.unwrap();
    }
    let vaults = RecordQuery { kind: Some(kind("Vault")), ..Default::default() };
    assert_eq!(w.cp.store().list_records(w.org.id, &vaults).await.unwrap().len(), 1);
    let server = w.server(w.root(), "three").await;
    w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await.unwrap();
    let again = w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await;
    assert_eq!(code(again), "name_taken");
}

#[tokio::test]
async fn a_vault_holds_twenty_credentials_and_no_more() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    for number in 0..21 {
        let server = w.server(w.root(), &format!("server-{number}")).await;
        let answer = w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await;
        assert_eq!(answer.is_ok(), number < 20, "{number}: {answer:?}");
    }
}

/// Rule 2.2.9: it needs `credential:create` at the agent and `mcp:use` at the server.
#[tokio::test]
async fn a_credential_needs_the_use_of_the_server() {
    let w = world().await;
    let (mine, theirs) = (w.ou(w.root(), "mine").await, w.ou(w.root(), "theirs").await);
    let (ada, as_ada) = w.user(mine, "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", mine).await;
    let agent = w.agent(mine, "pg-writer").await;
    let server = w.server(theirs, "pg-analytics").await;
    let answer = w.try_create(&as_ada, "Credential", None, None, binding(&agent, &server)).await;
    assert!(denied(answer).contains("mcp:use"));
}

/// Row P65: a deployment has a registration of its own name; credentials are bound to that.
#[tokio::test]
async fn a_deployment_owns_a_registration_of_its_name() {
    let w = world().await;
    let spec = json!({
        "template_kind": "postgres", "config": { "database_url_secret": "pg-analytics-dsn" },
        "policy": { "allowed_tables": ["metrics"] },
    });
    let deployment = w.create("MCPDeployment", w.root(), "pg-analytics", spec.clone()).await;
    let key = format!("{}/pg-analytics", w.root());
    let store = w.cp.store();
    let server =
        store.record_by_unique_key(w.org.id, &kind("MCPServerRegistration"), &key).await.unwrap().unwrap();
    assert_eq!(server.status["deployment"], json!(deployment.meta.id));
    let by_hand = json!({ "url": "https://example.com/mcp" });
    let taken =
        w.try_create(&w.admin, "MCPServerRegistration", Some(w.root()), Some("pg-analytics"), by_hand).await;
    assert_eq!(code(taken), "name_taken");
    assert_eq!(code(w.archive(&w.admin, &server.key()).await), "in_use");
    let agent = w.agent(w.root(), "pg-writer").await;
    w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await.unwrap();
    w.archive(&w.admin, &deployment.key()).await.unwrap();
    assert!(!w.row(&server.key()).await.is_live());
}

/// Row P57: a secret is named, never given.
#[tokio::test]
async fn a_secret_given_in_the_clear_is_refused_and_not_repeated() {
    let w = world().await;
    let spec = json!({ "template_kind": "postgres", "config": { "database_url_secret": "postgres://u:hunter2@db/x" } });
    let error = w.try_create(&w.admin, "MCPDeployment", Some(w.root()), Some("pg"), spec).await.unwrap_err();
    assert!(
        error.code() == "invalid" && !format!("{error} {error:?} {}", error.envelope()).contains("hunter2")
    );
}

#[tokio::test]
async fn a_secret_in_the_clear_is_refused_under_any_name() {
    let w = world().await;
    let secrets = [
        json!({ "password": "hunter2" }),
        json!({ "headers": { "Authorization": "Bearer hunter2" } }),
        json!({ "database_url": "postgres://writer:hunter2@db/x" }),
        json!({ "replicas": [{ "api_key": "hunter2" }] }),
        json!({ "tokens": ["hunter2"] }),
    ];
    for config in secrets {
        let spec = json!({ "template_kind": "postgres", "config": config });
        let error =
            w.try_create(&w.admin, "MCPDeployment", Some(w.root()), Some("pg"), spec).await.unwrap_err();
        assert!(error.code() == "invalid" && error.to_string().contains("_secret"), "{error}");
        assert!(!format!("{error} {error:?} {}", error.envelope()).contains("hunter2"));
    }
}

/// Sem. 2.6: a rotation changes the fingerprint and makes the credential dirty, nothing else.
#[tokio::test]
async fn a_rotated_credential_has_another_bearer() {
    let w = world().await;
    let agent = w.agent(w.root(), "pg-writer").await;
    let server = w.server(w.root(), "pg-analytics").await;
    let row = w
        .try_create(&w.admin, "Credential", None, None, binding(&agent, &server))
        .await
        .unwrap()
        .record()
        .unwrap()
        .clone();
    let (before, desired) = (row.status["fingerprint"].clone(), w.desired(&row.key()).await);
    let stale = Action::RotateCredential { credential: row.meta.id, expect: Some(9) };
    assert_eq!(code(w.cp.submit(&w.admin, stale).await), "version_mismatch");
    assert_eq!(w.row(&row.key()).await.status["fingerprint"], before);
    w.cp.submit(&w.admin, Action::RotateCredential { credential: row.meta.id, expect: None }).await.unwrap();
    let after = w.row(&row.key()).await.status["fingerprint"].clone();
    assert_ne!(after, before);
    assert_ne!(w.desired(&row.key()).await, desired);
    // What a bearer is recognized by is nobody's business: not in the trail, and not where the record is shown.
    let trail = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let told: String = trail.iter().map(|entry| format!("{:?}", entry.change())).collect();
    assert!(told.contains("sha256:"), "{told}");
    for whole in [&before, &after] {
        assert!(!told.contains(whole.as_str().unwrap()), "{told}");
    }
    let kind = w.cp.catalogue().kind(&row.kind).unwrap();
    assert_eq!(kind.shown(&row.status), json!({ "vault": row.status["vault"] }));
}

/// C5: after a rotation of the master key old secrets still open, new ones use the new key, and re-wrapping brings the
/// old ones along, a hundred at a time, until the old key can be destroyed.
#[tokio::test]
async fn a_rotated_master_key_takes_the_old_secrets_along() {
    let w = world().await;
    for number in 0..3 {
        let agent = w.agent(w.root(), &format!("agent-{number}")).await;
        for server in 0..18 {
            let server = w.server(w.root(), &format!("server-{number}-{server}")).await;
            w.try_create(&w.admin, "Credential", None, None, binding(&agent, &server)).await.unwrap();
        }
    }
    let old = key_ids(&w).await;
    assert_eq!((old.len(), old.values().sum::<usize>()), (1, 54));
    let unchanged = w.cp.submit(&w.admin, Action::RewrapSecrets {}).await.unwrap();
    assert!(matches!(unchanged, Outcome::Unchanged { .. }));
    let new = w.keys.rotate(&SystemEntropy);
    w.cp.submit(&w.admin, Action::RewrapSecrets {}).await.unwrap();
    assert_eq!(key_ids(&w).await.into_iter().collect::<Vec<_>>(), [(new.to_string(), 54)]);
    assert!(matches!(
        w.cp.submit(&w.admin, Action::RewrapSecrets {}).await.unwrap(),
        Outcome::Unchanged { .. }
    ));
    let (_, nobody) = w.user(w.root(), "nobody@acme.com").await;
    denied(w.cp.submit(&nobody, Action::RewrapSecrets {}).await);
}

/// How many secrets are under which master key.
async fn key_ids(w: &crate::world::World) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for (_, sealed) in w.cp.store().secrets(w.org.id, None, 1000).await.unwrap() {
        *counts.entry(sealed.key_id().to_string()).or_default() += 1;
    }
    counts
}
