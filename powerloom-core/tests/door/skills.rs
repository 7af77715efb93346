//! Skills, their versions, and what attaching them needs.

use crate::world::{World, code, denied, kind, skill_files, world};
use powerloom_core::door::mutation::Action;
use powerloom_core::door::outcome::Outcome;
use powerloom_core::door::submit::SubmitOptions;
use powerloom_core::error::Error;
use powerloom_core::record::RecordRow;
use serde_json::json;

async fn publish(w: &World, skill: &RecordRow, body: &str) -> Outcome {
    let files = skill_files(&skill.meta.name, body);
    w.cp.submit(&w.admin, Action::PublishSkillVersion { skill: skill.meta.id, files }).await.unwrap()
}

/// Rows P49, P50: every upload is a new immutable version; the same files are the same version.
#[tokio::test]
async fn every_upload_is_a_new_version_and_the_same_files_are_the_same_one() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({ "display_name": "Python Linter" })).await;
    let one = publish(&w, &skill, "one").await;
    let two = publish(&w, &skill, "two").await;
    assert_eq!(one.record().unwrap().spec["number"], 1);
    assert_eq!(two.record().unwrap().spec["number"], 2);
    let again = publish(&w, &skill, "two").await;
    assert!(matches!(&again, Outcome::Unchanged { .. }) && again.record() == two.record());
    let back = publish(&w, &skill, "one").await;
    assert_eq!(
        back.record().unwrap().meta.id,
        one.record().unwrap().meta.id,
        "an older version becomes current again"
    );
    let current = w.row(&skill.key()).await.status["current"]["number"].clone();
    assert_eq!(current, 1);
    let update = w.update(&w.admin, one.record().unwrap(), json!({ "number": 9 })).await;
    assert_eq!(code(update), "invalid", "a version cannot be changed");
}

/// Rows P52, P53, P38: attaching and detaching make the agent dirty; so does a new current version.
#[tokio::test]
async fn attaching_detaching_and_publishing_make_the_agent_dirty() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await;
    let first = publish(&w, &skill, "one").await.record().unwrap().clone();
    let follower = w.agent(w.root(), "follower").await;
    let pinned = w.agent(w.root(), "pinned").await;
    let bare = w.desired(&follower.key()).await;
    let attach = |agent: &RecordRow, version| Action::AttachSkill {
        agent: agent.meta.id,
        skill: skill.meta.id,
        version,
        expect: None,
    };
    w.cp.submit(&w.admin, attach(&follower, None)).await.unwrap();
    w.cp.submit(&w.admin, attach(&pinned, Some(first.meta.id))).await.unwrap();
    let (one, pin) = (w.desired(&follower.key()).await, w.desired(&pinned.key()).await);
    assert_ne!(one, bare);
    publish(&w, &skill, "two").await;
    assert_ne!(w.desired(&follower.key()).await, one, "who follows the skill gets the new version");
    assert_eq!(w.desired(&pinned.key()).await, pin, "who has pinned a version keeps it");
    assert!(matches!(
        w.cp.submit(&w.admin, attach(&follower, None)).await.unwrap(),
        Outcome::Unchanged { .. }
    ));
    w.cp.submit(
        &w.admin,
        Action::DetachSkill { agent: follower.meta.id, skill: skill.meta.id, expect: None },
    )
    .await
    .unwrap();
    assert_eq!(w.desired(&follower.key()).await, bare);
    let verbs: Vec<String> = w.trail().await.into_iter().map(|row| row.1).collect();
    assert!(
        verbs.contains(&"agent.attach_skill".to_owned()) && verbs.contains(&"agent.detach_skill".to_owned())
    );
}

/// Row P10, vector 4.3: what the trail says of an attachment.
#[tokio::test]
async fn the_trail_says_which_skills_an_agent_had_and_has() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await;
    let agent = w.agent(w.root(), "code-reviewer").await;
    let attach =
        Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
    w.cp.submit(&w.admin, attach).await.unwrap();
    let rows = w.cp.store().audit_rows(w.org.id, 0, 1000).await.unwrap();
    let change = rows.last().unwrap().change().unwrap();
    let whole = json!({
        "after": { "skills": ["python-lint"] }, "before": { "skills": [] }, "ous": [w.root()],
    });
    assert_eq!(change, whole);
}

/// Rule 2.2.9: attaching needs `agent:update` on the agent and `skill:use` on the skill, or a grant.
#[tokio::test]
async fn attaching_a_skill_needs_its_use_or_a_grant() {
    let w = world().await;
    let (mine, theirs) = (w.ou(w.root(), "mine").await, w.ou(w.root(), "theirs").await);
    let skill = w.create("Skill", theirs, "python-lint", json!({})).await;
    let (ada, as_ada) = w.user(mine, "ada@acme.com").await;
    w.bind(format!("user:{ada}"), "AgentBuilder", mine).await;
    let mut spec = w.agent_spec();
    spec["owner"] = json!(format!("user:{ada}"));
    let agent = w
        .try_create(&as_ada, "Agent", Some(mine), Some("helper"), spec)
        .await
        .unwrap()
        .record()
        .unwrap()
        .clone();
    let attach =
        || Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
    assert!(denied(w.cp.submit(&as_ada, attach()).await).contains("skill:use"));
    let grant = json!({ "skill": skill.meta.id, "principal": format!("ou:{mine}") });
    let own_grant = w.try_create(&as_ada, "SkillAccessGrant", None, None, grant.clone()).await;
    assert!(matches!(own_grant, Err(Error::Denied(_))), "nobody grants it to themselves");
    w.try_create(&w.admin, "SkillAccessGrant", None, None, grant).await.unwrap();
    w.cp.submit(&as_ada, attach()).await.unwrap();
}

#[tokio::test]
async fn a_skill_in_use_is_not_archived_and_a_free_one_goes_with_its_versions() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await;
    let version = publish(&w, &skill, "one").await.record().unwrap().clone();
    let agent = w.agent(w.root(), "code-reviewer").await;
    let attach =
        Action::AttachSkill { agent: agent.meta.id, skill: skill.meta.id, version: None, expect: None };
    w.cp.submit(&w.admin, attach).await.unwrap();
    let error = w.archive(&w.admin, &skill.key()).await.unwrap_err();
    assert!(error.code() == "in_use" && error.to_string().contains("code-reviewer"), "{error}");
    w.cp.submit(&w.admin, Action::DetachSkill { agent: agent.meta.id, skill: skill.meta.id, expect: None })
        .await
        .unwrap();
    w.archive(&w.admin, &skill.key()).await.unwrap();
    assert!(!w.row(&version.key()).await.is_live());
    let state = w.cp.store().sync_state(w.org.id, &version.key()).await.unwrap().unwrap();
    assert!(state.removing);
}

#[tokio::test]
async fn a_version_cannot_be_declared_by_hand() {
    let w = world().await;
    let answer = w.try_create(&w.admin, "SkillVersion", None, None, json!({})).await;
    assert_eq!(code(answer), "invalid");
    assert!(w.cp.catalogue().kind(&kind("SkillVersion")).is_ok());
}

/// Row P52: what is so already is no change, in whatever place of the list it stands; what is not there cannot be taken away.
#[tokio::test]
async fn attaching_again_changes_nothing_and_what_is_not_attached_cannot_be_detached() {
    let w = world().await;
    let first = w.create("Skill", w.root(), "first", json!({})).await.meta.id;
    let second = w.create("Skill", w.root(), "second", json!({})).await.meta.id;
    let agent = w.agent(w.root(), "code-reviewer").await.meta.id;
    let attach = |skill| Action::AttachSkill { agent, skill, version: None, expect: None };
    w.cp.submit(&w.admin, attach(first)).await.unwrap();
    w.cp.submit(&w.admin, attach(second)).await.unwrap();
    let again = w.cp.submit(&w.admin, attach(first)).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");

    let detach = |expect| Action::DetachSkill { agent, skill: first, expect };
    let keyed = SubmitOptions::default().idempotency_key("once");
    let gone = w.cp.submit_with(&w.admin, detach(None), &keyed).await.unwrap();
    assert_eq!(w.cp.submit_with(&w.admin, detach(None), &keyed).await.unwrap().record(), gone.record());
    let error = w.cp.submit(&w.admin, detach(None)).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().contains(&first.to_string())), ("not_found", true));
    let server = Action::DetachMcpServer { agent, mcp_server: first, expect: None };
    assert_eq!(code(w.cp.submit(&w.admin, server).await), "not_found");
}

/// Sem. 2.14: an attachment may expect a version of the agent.
#[tokio::test]
async fn an_attachment_that_expects_another_version_changes_nothing() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await.meta.id;
    let url = json!({ "url": "https://mcp.acme.com" });
    let mcp_server = w.create("MCPServerRegistration", w.root(), "tools", url).await.meta.id;
    let row = w.agent(w.root(), "code-reviewer").await;
    let (agent, stale) = (row.meta.id, Some(row.meta.version + 1));
    for action in [
        Action::AttachSkill { agent, skill, version: None, expect: stale },
        Action::AttachMcpServer { agent, mcp_server, expect: stale },
        Action::DetachSkill { agent, skill, expect: stale },
        Action::DetachMcpServer { agent, mcp_server, expect: stale },
    ] {
        assert_eq!(code(w.cp.submit(&w.admin, action).await), "version_mismatch");
    }
    assert_eq!(w.row(&row.key()).await, row);
    let expected = Action::AttachSkill { agent, skill, version: None, expect: Some(row.meta.version) };
    assert!(matches!(w.cp.submit(&w.admin, expected).await.unwrap(), Outcome::Applied(_)));
}

/// Row P50: by number, not as names are sorted.
#[tokio::test]
async fn versions_are_listed_from_the_newest_to_the_oldest_a_page_at_a_time() {
    let w = world().await;
    let skill = w.create("Skill", w.root(), "python-lint", json!({})).await;
    let other = w.create("Skill", w.root(), "other", json!({})).await;
    for body in 1..=11 {
        publish(&w, &skill, &body.to_string()).await;
    }
    publish(&w, &other, "x").await;
    let list = async |below, limit| -> Vec<u64> {
        let rows = w.cp.skill_versions(&w.admin, skill.meta.id, below, limit).await.unwrap();
        rows.iter().map(|row| row.spec["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(list(None, 3).await, [11, 10, 9]);
    assert_eq!(list(Some(9), 100).await, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert!(list(Some(1), 100).await.is_empty());
    let unknown = w.cp.skill_versions(&w.admin, w.root(), None, 1).await;
    assert_eq!(unknown.unwrap_err().code(), "not_found");
}
