//! Members of groups over REST (sem. 2.1).

use crate::samples::id;
use crate::world::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_member_is_added_by_id_or_as_people_write_it_and_removed() {
    let world = World::start().await;
    let all = world.everything().await;
    let group = id(&all, "/groups");
    let path = format!("/groups/{group}/members");
    let grace = world.post("/users", all[1].body.clone()).await.expect(201).id().to_owned();
    let added = world.post(&path, json!({ "member_ref": "user:grace@acme.com" })).await.expect(201);
    assert_eq!(added.body["member"], json!(format!("user:{grace}")));
    assert_eq!(added.body["group_id"], json!(group));
    assert_eq!(world.get(added.header("location")).await.expect(200).body, added.body);
    world.post(&path, json!({ "member": "service:ci" })).await.expect(201);
    let twice = world.post(&path, json!({ "member": format!("user:{grace}") })).await.expect(409);
    assert_eq!(twice.code(), "name_taken");

    let other = world.post("/groups", all[2].body.clone()).await.expect(201).id().to_owned();
    world.post(&format!("/groups/{other}/members"), json!({ "member": "service:ci" })).await.expect(201);
    let (mut seen, mut next) = (0, format!("{path}?limit=2"));
    loop {
        let page = world.get(&next).await.expect(200).body;
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.iter().all(|item| item["group_id"] == json!(group)), "{items:?}");
        seen += items.len();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, 3);

    let elsewhere = format!("/groups/{other}/members/{}", added.id());
    assert_eq!(world.delete(&elsewhere).await.expect(404).code(), "not_found");
    world.delete(&format!("{path}/{}", added.id())).await.expect(204);
    assert_eq!(world.get(&path).await.expect(200).body["items"].as_array().unwrap().len(), 2);
    for (body, field) in [
        (json!({ "member": "service:ci", "group_id": other }), "group_id"),
        (json!({ "member": format!("ou:{}", world.acme.root_ou) }), "member"),
        (json!({ "member": "ada" }), "member"),
        (json!({ "member_ref": "ada" }), "member_ref"),
        (json!({}), "member"),
    ] {
        let refused = world.post(&path, body).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], field, "{}", refused.text);
    }
}

/// Whoever may change who is in a group need not be able to read it; and whoever may not is on the chain.
#[tokio::test]
async fn a_member_is_removed_by_whoever_may_though_they_cannot_read_it() {
    let world = World::start().await;
    let all = world.everything().await;
    let seat = format!("/groups/{}/members/{}", id(&all, "/groups"), id(&all, "/group-memberships"));
    let role =
        json!({ "ou_id": world.acme.root_ou, "name": "seats", "permissions": ["group:manage_members"] });
    let role = format!("role:{}", world.post("/roles", role).await.expect(201).id());
    let (_, nobody) = world.person("nobody@acme.com", &[]).await;
    let (_, usher) = world.person("usher@acme.com", &[role.as_str()]).await;
    let before = world.trail().await;
    world.as_of(&nobody, Method::DELETE, &seat, None).await.expect(403);
    assert_eq!(world.trail().await, before + 1, "the refusal is audited");
    world.as_of(&usher, Method::GET, seat.split("/members").next().unwrap(), None).await.expect(403);
    world.as_of(&usher, Method::DELETE, &seat, None).await.expect(204);
}
