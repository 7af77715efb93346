//! What a plan says: verbs, differences, order, and the names it resolves.

use crate::world::World;
use powerloom_core::invalid::Invalid;
use powerloom_core::manifest::{Plan, Verb, export};
use powerloom_core::permission::Permission;
use powerloom_core::record::{KindName, RecordRow};
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{
    Home, Kind, KindPermissions, ProjectError, Projection, Reference, Related,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

pub const BASE: &str = "
{kind: OU, metadata: {name: eng, ou_path: /acme}}
---
{kind: OU, metadata: {name: web, ou_path: /acme/eng}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme}, spec: {description: of the root}}
---
kind: Agent
metadata: {name: helper, ou_path: /acme/eng/web}
spec: {model: m-1, agent_kind: service, owner_principal_ref: 'user:admin@acme.com', skills: [lint]}
";

fn steps(plan: &Plan) -> Vec<(String, Verb)> {
    plan.steps.iter().map(|step| (step.target.to_string(), step.verb)).collect()
}

fn only(plan: &Plan) -> &powerloom_core::manifest::Step {
    assert_eq!(plan.steps.len(), 1, "{plan}");
    &plan.steps[0]
}

/// Row P27: absent is left alone, `null` clears, a list is the whole list.
#[tokio::test]
async fn a_partial_document_changes_what_it_carries_and_nothing_else() {
    let world = World::new();
    world.declare(BASE).await;
    let agent = "kind: Agent\nmetadata: {name: helper, ou_path: /acme/eng/web}\n";

    assert!(world.plan(agent).await.is_noop());
    let plan = world.plan(&format!("{agent}spec: {{description: Helps., skills: []}}\n")).await;
    let step = only(&plan);
    assert_eq!(step.verb, Verb::Update);
    assert_eq!(Value::Object(step.payload.clone()), json!({ "description": "Helps.", "skills": [] }));
    assert_eq!(step.changes[1].before, json!(["/acme/lint"]));
    assert!(world.apply_plan(&plan).await.is_complete());

    let plan = world.plan(&format!("{agent}spec: {{description: null, skills: null}}\n")).await;
    assert_eq!(Value::Object(only(&plan).payload.clone()), json!({ "description": null }));
    assert!(world.apply_plan(&plan).await.is_complete());
    assert_eq!(world.row("Agent", "helper").spec.get("description"), None);
    assert_eq!(world.row("Agent", "helper").spec["model"], "m-1");
}

#[tokio::test]
async fn several_documents_of_one_resource_add_up_unless_they_contradict() {
    let world = World::new();
    let one = "{kind: Skill, metadata: {name: s, ou_path: /acme}, spec: {display_name: S}}\n---\n";
    let plan = world
        .plan(&format!(
            "{one}{{kind: Skill, metadata: {{name: s, ou_path: /acme}}, spec: {{description: D}}}}"
        ))
        .await;
    assert_eq!(
        Value::Object(only(&plan).payload.clone()),
        json!({ "display_name": "S", "description": "D" })
    );
    let clash = world
        .try_plan(&format!(
            "{one}{{kind: Skill, metadata: {{name: s, ou_path: /acme}}, spec: {{display_name: T}}}}"
        ))
        .await
        .unwrap_err();
    assert_eq!(
        clash,
        "test.yaml:3:73: Skill s: `display_name` has another value at test.yaml:1:73: one resource is declared once"
    );
}

/// Sem. 2.3.4: nearest first, and a document counts like what exists.
#[tokio::test]
async fn a_bare_name_is_looked_up_from_the_ou_upwards() {
    let world = World::new();
    world.declare(BASE).await;
    let agent = "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {skills: [lint]}}";
    assert!(world.plan(agent).await.is_noop(), "found two levels up");

    let nearer = format!("{agent}\n---\n{{kind: Skill, metadata: {{name: lint, ou_path: /acme/eng}}}}");
    let plan = world.plan(&nearer).await;
    assert_eq!(plan.steps[1].changes[0].after, json!(["/acme/eng/lint"]));
    assert_eq!(plan.steps[1].depends_on[0].to_string(), "Skill /acme/eng/lint");
    assert!(world.apply_plan(&plan).await.is_complete());

    let absolute =
        "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {skills: [/acme/lint]}}";
    assert_eq!(only(&world.plan(absolute).await).verb, Verb::Update);
}

/// Rows P29 and M35.
#[tokio::test]
async fn what_cannot_be_found_is_named_with_where_it_was_looked_for() {
    let world = World::new();
    world.declare(BASE).await;
    let text = "
kind: Agent
metadata: {name: new, ou_path: /acme/eng/web}
spec:
  model: m
  agent_kind: user
  owner_principal_ref: user:nobody@acme.com
  skills: [lnit, {skill: lint, version: 7}, lint, lint]
  mcp_servers: [/acme/eng/files]
---
{kind: Skill, metadata: {name: x, ou_path: /acme/web}}
---
{kind: RoleBinding, metadata: {ou_path: /acme}, spec: {role: lint-reader, principal_ref: 'group:/acme/lint'}}
---
{kind: Credential, metadata: {agent_path: helper, mcp_registration_path: x}}
---
{kind: OU, metadata: {path: /other}}
---
{kind: Skill, metadata: {name: lint, ou_path: /acme/eng}}
";
    insta::assert_snapshot!("not_found", world.try_plan(text).await.unwrap_err());
    assert_eq!(world.submitted(), 4, "nothing was applied but the base");
}

#[tokio::test]
async fn what_a_new_resource_needs_is_said_at_its_document() {
    let world = World::new();
    let text = "
{kind: Agent, metadata: {name: new, ou_path: /acme}, spec: {skills: []}}
---
{kind: User, metadata: {email: ada@acme.com}}
---
{kind: Role, metadata: {name: r, ou_path: /acme}, spec: {permissions: []}}
---
{kind: Agent, metadata: {name: spaced, ou_path: /acme}, spec: {model: a b, agent_kind: user, owner_principal_ref: 'user:admin@acme.com'}}
";
    insta::assert_snapshot!("required_on_create", world.try_plan(text).await.unwrap_err());
}

/// Sem. 2.3.6.
#[tokio::test]
async fn a_field_that_cannot_change_makes_a_replacement() {
    let world = World::new();
    let server = |url: &str| {
        format!(
            "{{kind: MCPServerRegistration, metadata: {{name: files, ou_path: /acme}}, spec: {{display_name: F, url: '{url}'}}}}"
        )
    };
    world.declare(&server("http://127.0.0.1:1/mcp")).await;
    let plan = world.plan(&server("http://127.0.0.1:2/mcp")).await;
    let step = only(&plan);
    assert_eq!((step.verb, step.reason.as_slice()), (Verb::Replace, ["url".to_owned()].as_slice()));
    insta::assert_snapshot!(plan.to_string(), @r#"
    -/+ MCPServerRegistration /acme/files (cannot change in place: url)
          ~ url: "http://127.0.0.1:1/mcp" -> "http://127.0.0.1:2/mcp"
    0 to create, 0 to update, 1 to replace, 0 to archive, 0 unchanged
    "#);
}

/// Sem. 2.2.3: a binding's effect is changed by replacing it.
#[tokio::test]
async fn a_binding_is_known_by_what_it_binds() {
    let world = World::new();
    let binding = |role: &str, effect: &str| {
        format!(
            "{{kind: RoleBinding, metadata: {{ou_path: /acme}}, spec: {{role: {role}, principal_ref: 'user:admin@acme.com', effect: {effect}}}}}"
        )
    };
    world.declare(&binding("AgentAuthor", "allow")).await;
    let plan = world.plan(&binding("AgentBuilder", "allow")).await;
    assert!(plan.is_noop(), "an alias is the same role: {plan}");
    assert_eq!(only(&plan).target.to_string(), "RoleBinding /acme user:admin@acme.com+AgentBuilder");
    assert_eq!(only(&world.plan(&binding("AgentBuilder", "deny")).await).verb, Verb::Replace);

    let custom =
        "{kind: Role, metadata: {name: reader, ou_path: /acme}, spec: {permissions: ['agent:read']}}\n---\n";
    let set = format!("{custom}{}", binding("reader", "allow"));
    world.declare(&set).await;
    assert!(world.plan(&set).await.is_noop());
    let role = world.row("Role", "reader").meta.id;
    assert!(world.rows().iter().any(|row| row.spec["role"] == json!(format!("role:{role}"))));
}

/// Row P65; sem. 2.3.5.
#[tokio::test]
async fn a_registration_belongs_to_the_deployment_of_its_name() {
    let world = World::new();
    let deployment =
        "{kind: MCPDeployment, metadata: {name: pg, ou_path: /acme}, spec: {template_kind: echo}}";
    let by_hand =
        "{kind: MCPServerRegistration, metadata: {name: pg, ou_path: /acme}, spec: {url: 'http://x.y/'}}";
    let both = world.try_plan(&format!("{deployment}\n---\n{by_hand}")).await.unwrap_err();
    assert!(both.contains("makes a registration of this name itself"), "{both}");
    world.declare(deployment).await;
    let later = world.try_plan(by_hand).await.unwrap_err();
    assert!(later.contains("owned by the deployment of the same name"), "{later}");
}

#[tokio::test]
async fn the_order_of_a_list_that_is_a_set_is_no_difference() {
    let world = World::new();
    world.declare(BASE).await;
    world.declare("{kind: Skill, metadata: {name: other, ou_path: /acme}}").await;
    let with = |skills: &str| {
        format!(
            "{{kind: Agent, metadata: {{name: helper, ou_path: /acme/eng/web}}, spec: {{skills: [{skills}]}}}}"
        )
    };
    world.declare(&with("lint, other")).await;
    assert!(world.plan(&with("other, lint")).await.is_noop());
}

/// Sem. 2.6: a pinned version is named by its number and stays that version.
#[tokio::test]
async fn a_skill_can_be_pinned_to_a_version() {
    let world = World::new();
    world.declare(BASE).await;
    let version = world.publish("lint", 3);
    let pinned = "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {skills: [{skill: lint, version: 3}]}}";
    let plan = world.plan(pinned).await;
    assert_eq!(only(&plan).changes[0].after, json!([{ "skill": "/acme/lint", "version": 3 }]));
    assert!(world.apply_plan(&plan).await.is_complete());
    assert_eq!(world.row("Agent", "helper").spec["skills"][0]["version"], json!({ "pinned": version }));
    assert!(world.plan(pinned).await.is_noop());
}

/// Invariant 7: no plan shows a secret.
#[tokio::test]
async fn a_plan_shows_no_secret() {
    let world = World::new();
    let text = "{kind: MCPDeployment, metadata: {name: pg, ou_path: /acme}, spec: {template_kind: postgres, config: {database_url_secret: pg-dsn}, policy: {password: hunter2, url: 'postgres://u:hunter2@h/d'}}}";
    let plan = world.plan(text).await;
    assert!(plan.to_string().contains("pg-dsn") && !plan.to_string().contains("hunter2"), "{plan}");
    assert!(plan.steps[0].changes.iter().all(|change| !change.after.to_string().contains("hunter2")));
}

#[tokio::test]
async fn a_plan_reads_back_from_its_json() {
    let plan = World::new().plan(BASE).await;
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    assert!(serde_json::from_str::<Plan>(&text.replace("\"v\":1", "\"v\":1,\"w\":1")).is_err());
}

/// One of every kind that a document can declare.
pub const EVERY_KIND: &str = "
{kind: User, metadata: {email: Ada@ACME.com, ou_path: /acme/eng}, spec: {display_name: Ada, disabled: true}}
---
{kind: Group, metadata: {name: team, ou_path: /acme/eng}, spec: {description: Builds.}}
---
{kind: GroupMembership, metadata: {group_path: /acme/eng/team, member_ref: 'user:ada@acme.com'}}
---
{kind: Role, metadata: {name: reader, ou_path: /acme}, spec: {permissions: ['skill:read', 'agent:*']}}
---
{kind: RoleBinding, metadata: {ou_path: /acme/eng}, spec: {principal_ref: 'group:/acme/eng/team', role: reader, expires_at: 2030-01-01T00:00:00Z}}
---
{kind: RoleBinding, metadata: {ou_path: /acme/eng}, spec: {principal_ref: 'service:ci', role: Viewer, effect: deny}}
---
{kind: Environment, metadata: {name: closed, ou_path: /acme}, spec: {networking: limited, allowed_hosts: [x.y], allow_package_managers: true, packages: {pip: [ruff]}}}
---
{kind: SkillAccessGrant, metadata: {skill_path: /acme/lint, principal_ref: 'ou:/acme/eng'}}
---
{kind: MCPServerRegistration, metadata: {name: files, ou_path: /acme}, spec: {url: 'http://127.0.0.1:1/mcp'}}
---
{kind: MCPDeployment, metadata: {name: pg, ou_path: /acme/eng}, spec: {template_kind: postgres, isolation: dedicated}}
---
{kind: Credential, metadata: {agent_path: /acme/eng/web/helper, mcp_registration_path: pg}}
---
kind: ApprovalPolicy
metadata: {name: production-gate, ou_path: /acme/eng/web}
spec:
  display_name: Production gate
  match: {resource_kinds: [Agent], actions: [create, update], condition: \"resource.spec.model.startsWith('claude-opus')\"}
  approvers: ['user:Ada@acme.com', 'role:OrgAdmin', 'role:reader', 'group:/acme/eng/team']
  quorum: 2
  ttl_seconds: 86400
---
kind: Agent
metadata: {name: keeper, ou_path: /acme/eng/web}
spec: {model: m, agent_kind: user, owner_principal_ref: 'group:/acme/eng/team', mcp_servers: [files, pg], permission_boundary: ['agent:read'], session_timeout_seconds: 60}
";

/// What is exported reads back as what is there: for every kind a document can declare.
#[tokio::test]
async fn every_kind_reads_back_from_its_own_manifest() {
    let world = World::new();
    world.declare(&format!("{BASE}---{EVERY_KIND}")).await;
    let rows = world.rows();
    for kind in world.catalogue.kinds().filter(|kind| kind.manifest()) {
        assert!(rows.iter().any(|row| row.kind == kind.name()), "no {} is declared", kind.name());
    }
    let documents = export(&rows, &world.catalogue, &world, world.org.id).await.unwrap();
    assert_eq!(documents.len(), rows.len() - 1, "all but the registration a deployment owns");
    insta::assert_json_snapshot!(
        "exported_agent",
        documents.iter().find(|d| d["metadata"]["name"] == "keeper").unwrap()
    );
    let text: Vec<String> = documents.iter().map(Value::to_string).collect();
    let plan = world.plan(&text.join("\n---\n")).await;
    assert!(plan.is_noop(), "{plan}");
    assert_eq!(plan.steps.len(), documents.len());
}

/// A stream may have a thousand documents; an agent may have twenty skills.
#[tokio::test]
async fn a_set_as_large_as_a_stream_may_be_is_one_plan() {
    let world = World::new();
    let mut documents: Vec<String> = Vec::new();
    for n in 0..500 {
        documents.push(format!("{{kind: Skill, metadata: {{name: s{n}, ou_path: /acme}}}}"));
        let skills: Vec<String> = (0..20).map(|k| format!("s{}", (n + k) % 500)).collect();
        documents.push(format!(
            "{{kind: Agent, metadata: {{name: a{n}, ou_path: /acme}}, spec: {{model: m, agent_kind: user, \
             owner_principal_ref: 'user:admin@acme.com', skills: [{}]}}}}",
            skills.join(", ")
        ));
    }
    let plan = world.plan(&documents.join("\n---\n")).await;
    assert_eq!((plan.steps.len(), plan.steps[999].depends_on.len()), (1000, 20));
}

/// A kind of an embedder's own that may refer to others of its kind.
#[derive(Debug)]
struct Thing(Vec<Field>);

impl Thing {
    fn new() -> Self {
        Self(vec![Field::new("after", Form::Reference(KindName::known("Thing")))])
    }
}

impl Kind for Thing {
    fn name(&self) -> KindName {
        KindName::known("Thing")
    }
    fn fields(&self) -> &[Field] {
        &self.0
    }
    fn permissions(&self) -> KindPermissions {
        let read = Permission::SKILL_READ;
        KindPermissions { read, create: read, update: read, archive: read }
    }
    fn home(&self) -> Home {
        Home::Named
    }
    fn rank(&self) -> u8 {
        50
    }
    fn on_runtime(&self) -> bool {
        false
    }
    fn authz(&self) -> powerloom_core::resource::kind::AuthzPart {
        powerloom_core::resource::kind::AuthzPart::None
    }
    fn followed(&self) -> bool {
        false
    }
    fn cascades(&self) -> bool {
        false
    }
    fn manifest(&self) -> bool {
        true
    }
    fn check(&self, spec: &Value) -> Result<Value, Invalid> {
        Ok(spec.clone())
    }
    fn references(&self, _spec: &Value) -> Result<Vec<Reference>, Invalid> {
        Ok(Vec::new())
    }
    fn derived_name(&self, _spec: &Value) -> Result<Option<String>, Invalid> {
        Ok(None)
    }
    fn project(&self, _row: &RecordRow, _related: &Related) -> Result<Option<Projection>, ProjectError> {
        Ok(None)
    }
}

/// Sem. 2.3.3.
#[tokio::test]
async fn documents_that_wait_for_each_other_are_named() {
    let mut world = World::new();
    world.catalogue.register(Arc::new(Thing::new())).unwrap();
    let thing = |name: &str, after: &str| {
        format!(
            "{{kind: Thing, metadata: {{name: {name}, ou_path: /acme}}, spec: {{after: {after}}}}}\n---\n"
        )
    };
    let circle =
        world.try_plan(&[thing("a", "b"), thing("b", "c"), thing("c", "a")].concat()).await.unwrap_err();
    assert_eq!(
        circle,
        "test.yaml:1:1: Thing a: these documents wait for each other: \
         Thing /acme/a -> Thing /acme/b -> Thing /acme/c -> Thing /acme/a"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sem. 2.3.3: a plan does not depend on the order in which its documents stand.
    #[test]
    fn the_order_of_the_documents_makes_no_difference(order in Just((0..9usize).collect::<Vec<_>>()).prop_shuffle()) {
        let documents: Vec<&str> = BASE.split("---\n").chain([
            "{kind: Group, metadata: {name: team, ou_path: /acme/eng}}",
            "{kind: GroupMembership, metadata: {group_path: /acme/eng/team, member_ref: 'agent:/acme/eng/web/helper'}}",
            "{kind: MCPDeployment, metadata: {name: pg, ou_path: /acme/eng}, spec: {template_kind: echo}}",
            "{kind: Credential, metadata: {agent_path: /acme/eng/web/helper, mcp_registration_path: pg}}",
            "{kind: Agent, metadata: {name: helper, ou_path: /acme/eng/web}, spec: {mcp_servers: [pg]}}",
        ]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let expected = world.plan(&documents.join("\n---\n")).await;
            let shuffled: Vec<&str> = order.iter().map(|index| documents[*index]).collect();
            assert_eq!(world.plan(&shuffled.join("\n---\n")).await, expected);
            assert_eq!(steps(&expected).len(), 8);
            assert!(world.apply_plan(&expected).await.is_complete());
            assert!(world.plan(&shuffled.join("\n---\n")).await.is_noop());
        });
    }
}
