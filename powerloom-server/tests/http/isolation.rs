//! What belongs to another organization does not exist (invariant 1): byte for byte what an id says that nothing has.

use crate::samples::{Sample, everything, id};
use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

/// What stands below an id.
const NEITHER: &str = "00000000-0000-7000-8000-0000000000fe";
/// An id that nothing has.
const ABSENT: &str = "00000000-0000-7000-8000-0000000000ff";

struct Two {
    world: World,
    mine: Vec<Sample>,
    theirs: Vec<Sample>,
    their_admin: String,
}

async fn two() -> Two {
    let world = World::start().await;
    let their_admin = world.token(world.other.id, world.other.admin).await;
    let theirs = everything(&world, &world.other, &their_admin).await;
    let mine = world.everything().await;
    Two { world, mine, theirs, their_admin }
}

/// The answer without what differs from request to request, and without the id.
fn said(answer: &Answer, id: &str) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(id, "<id>")))
        .filter(|(name, _)| name != "request-id" && name != "date")
        .collect();
    headers.sort();
    (answer.status, answer.text.replace(id, "<id>"), headers)
}

impl Two {
    /// Fails unless the same request is answered alike about what is theirs and about what is not.
    async fn alike(
        &self,
        method: Method,
        theirs: &str,
        ask: impl Fn(&str) -> (String, Option<Value>),
    ) -> u16 {
        let mut answers = Vec::new();
        for id in [theirs, ABSENT] {
            let (path, body) = ask(id);
            let answer = self.world.as_of(&self.world.admin, method.clone(), &path, body).await;
            answers.push(said(&answer, id));
        }
        assert_eq!(answers[0], answers[1], "{method} {}", ask("<id>").0);
        answers[0].0
    }
}

#[tokio::test]
async fn every_verb_of_every_collection_answers_a_foreign_id_as_an_absent_one() {
    let two = two().await;
    let their_trail = two.world.loom.store().audit_head(two.world.other.id).await.unwrap();
    for sample in &two.theirs {
        let one = |id: &str| format!("{}/{id}", sample.path);
        for (method, body) in [(Method::GET, None), (Method::PATCH, Some(json!({}))), (Method::DELETE, None)]
        {
            let status = two.alike(method.clone(), &sample.id, |id| (one(id), body.clone())).await;
            let fixed = status == 405 && method == Method::PATCH;
            assert!(status == 404 || fixed, "{method} {} {status}", sample.path);
        }
        let kind = two.world.as_of(&two.their_admin, Method::GET, &one(&sample.id), None).await.expect(200);
        let kind = kind.body["kind"].as_str().unwrap().to_owned();
        let generic = |id: &str| format!("/resources/{kind}/{id}");
        for (method, body) in [(Method::GET, None), (Method::PATCH, Some(json!({}))), (Method::DELETE, None)]
        {
            assert_eq!(two.alike(method, &sample.id, |id| (generic(id), body.clone())).await, 404, "{kind}");
        }
        let state = |id: &str| (format!("/sync/{kind}/{id}"), None);
        assert_eq!(two.alike(Method::GET, &sample.id, state).await, 404, "{kind}");
        let reset = |id: &str| (format!("/sync/{kind}/{id}/reset"), None);
        assert_eq!(two.alike(Method::POST, &sample.id, reset).await, 404, "{kind}");
    }
    let (skill, server) = (id(&two.mine, "/skills"), id(&two.mine, "/mcp-servers"));
    let files = json!({ "files": [{ "path": "SKILL.md", "content": "" }] });
    for (method, of, below, body) in [
        (Method::GET, "/agents", "/skills", None),
        (Method::POST, "/agents", "/skills", Some(json!({ "skill_id": skill }))),
        (Method::GET, "/agents", &format!("/skills/{skill}"), None),
        (Method::DELETE, "/agents", &format!("/skills/{skill}"), None),
        (Method::GET, "/agents", "/mcp-servers", None),
        (Method::POST, "/agents", "/mcp-servers", Some(json!({ "mcp_server_id": server }))),
        (Method::GET, "/agents", &format!("/mcp-servers/{server}"), None),
        (Method::DELETE, "/agents", &format!("/mcp-servers/{server}"), None),
        (Method::GET, "/skills", "/versions", None),
        (Method::POST, "/skills", "/versions", Some(files)),
        (Method::GET, "/skills", &format!("/versions/{NEITHER}"), None),
        (Method::POST, "/mcp-deployments", "/destroy", None),
        (Method::POST, "/credentials", "/rotate", None),
        (Method::POST, "/ous", "/move", Some(json!({ "to_ou_id": two.world.acme.root_ou }))),
        (Method::GET, "/groups", "/members", None),
        (Method::POST, "/groups", "/members", Some(json!({ "member": "service:ci" }))),
        (Method::DELETE, "/groups", &format!("/members/{NEITHER}"), None),
    ] {
        let theirs = id(&two.theirs, of);
        let status =
            two.alike(method.clone(), theirs, |id| (format!("{of}/{id}{below}"), body.clone())).await;
        assert_eq!(status, 404, "{method} {of}{below}");
    }
    assert_eq!(two.world.loom.store().audit_head(two.world.other.id).await.unwrap(), their_trail);
}

#[tokio::test]
async fn a_body_or_a_filter_that_names_what_is_theirs_names_nothing() {
    let two = two().await;
    let (ou, admin) = (two.world.acme.root_ou, two.world.acme.admin);
    let their = |path: &str| id(&two.theirs, path).to_owned();
    let agent = format!("/agents/{}", id(&two.mine, "/agents"));
    let group = format!("/groups/{}", id(&two.mine, "/groups"));
    let spec = |field: &str, value: Value| {
        let mut body = json!({
            "ou_id": ou, "name": "spy", "model": "m", "agent_kind": "user", "owner_principal_id": admin,
        });
        body[field] = value;
        ("/agents".to_owned(), Some(body))
    };
    let policy = |to: String| {
        let body = json!({ "ou_id": ou, "name": "p", "match": {}, "approvers": [to] });
        ("/approval-policies".to_owned(), Some(body))
    };
    type Ask<'a> = Box<dyn Fn(&str) -> (String, Option<Value>) + 'a>;
    let asks: Vec<(String, Ask<'_>)> = vec![
        (their("/ous"), Box::new(|id| spec("ou_id", json!(id)))),
        (their("/users"), Box::new(|id| spec("owner_principal_id", json!(id)))),
        (their("/skills"), Box::new(|id| spec("skills", json!([{ "skill": id }])))),
        (their("/mcp-servers"), Box::new(|id| spec("mcp_servers", json!([id])))),
        (their("/skills"), Box::new(|id| (format!("{agent}/skills"), Some(json!({ "skill_id": id }))))),
        (
            their("/mcp-servers"),
            Box::new(|id| (format!("{agent}/mcp-servers"), Some(json!({ "mcp_server_id": id })))),
        ),
        (
            their("/agents"),
            Box::new(|id| {
                let server = id_of(&two.mine, "/mcp-servers");
                ("/credentials".to_owned(), Some(json!({ "agent_id": id, "mcp_server_id": server })))
            }),
        ),
        (
            their("/mcp-servers"),
            Box::new(|id| {
                let agent = id_of(&two.mine, "/agents");
                ("/credentials".to_owned(), Some(json!({ "agent_id": agent, "mcp_server_id": id })))
            }),
        ),
        (
            their("/users"),
            Box::new(|id| (format!("{group}/members"), Some(json!({ "member": format!("user:{id}") })))),
        ),
        (
            their("/users"),
            Box::new(|id| {
                let body = json!({ "ou_id": ou, "principal": format!("user:{id}"), "role": "OrgAdmin" });
                ("/role-bindings".to_owned(), Some(body))
            }),
        ),
        (
            their("/roles"),
            Box::new(|id| {
                let body = json!({ "ou_id": ou, "principal": format!("user:{admin}"), "role": format!("role:{id}") });
                ("/role-bindings".to_owned(), Some(body))
            }),
        ),
        (
            their("/skills"),
            Box::new(|id| {
                (
                    "/skill-grants".to_owned(),
                    Some(json!({ "skill_id": id, "principal": format!("user:{admin}") })),
                )
            }),
        ),
        (their("/users"), Box::new(|id| policy(format!("user:{id}")))),
        (their("/groups"), Box::new(|id| policy(format!("group:{id}")))),
        (their("/roles"), Box::new(|id| policy(format!("role:{id}")))),
        (
            their("/ous"),
            Box::new(|id| {
                (format!("/ous/{}/move", id_of(&two.mine, "/ous")), Some(json!({ "to_ou_id": id })))
            }),
        ),
    ];
    let before = two.world.trail().await;
    for (theirs, ask) in &asks {
        let status = two.alike(Method::POST, theirs, ask).await;
        assert_eq!(status, 404, "{:?}", ask("<id>"));
    }
    assert_eq!(two.world.trail().await, before);
    for sample in &two.theirs {
        let (mine, theirs) = (two.world.acme.root_ou.to_string(), two.world.other.root_ou.to_string());
        let listed = |ou: &str| (format!("{}?ou_id={ou}", sample.path), None);
        two.alike(Method::GET, &theirs, listed).await;
        let list = two.world.get(&format!("{}?ou_id={mine}", sample.path)).await.expect(200);
        assert!(!list.text.contains(&sample.id));
    }
    two.alike(Method::GET, &their("/agents"), |id| (format!("/credentials?agent_id={id}"), None)).await;
}

fn id_of(samples: &[Sample], path: &str) -> String {
    id(samples, path).to_owned()
}
