//! Lists over REST are bounded, and a page may be empty and yet not be the last.

use crate::world::World;
use powerloom_core::id::ResourceId;
use powerloom_core::page::MAX_LOOKED_AT;
use powerloom_core::record::ResourceKey;
use powerloom_core::resource::skill::Skill;
use powerloom_core::store::{Commit, Write};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Whoever may read nothing, or only what comes late, is answered all the same: with pages, one of them empty.
#[tokio::test]
async fn a_list_is_answered_however_little_of_it_may_be_seen() {
    let world = World::start().await;
    let skill = json!({ "ou_id": world.acme.root_ou, "name": "alpha" });
    let id: ResourceId = world.post("/skills", skill).await.expect(201).id().parse().unwrap();
    let store = world.loom.store();
    let one = store.record(world.acme.id, &ResourceKey::of::<Skill>(id)).await.unwrap().unwrap();
    let numbers: Vec<u128> = (1..=MAX_LOOKED_AT as u128).collect();
    for batch in numbers.chunks(1000) {
        let mut commit = Commit::new(world.acme.id, one.meta.created_at);
        commit.write.extend(batch.iter().map(|number| {
            let mut row = one.clone();
            row.meta.id = ResourceId::from_uuid(Uuid::from_u128(*number));
            row.meta.name = format!("b{number:05}");
            row.unique_key = format!("{}/{}", row.meta.ou, row.meta.name);
            Write::PutRecord(Box::new(row))
        }));
        store.commit(commit).await.unwrap();
    }
    let lab = json!({ "ou_id": world.acme.root_ou, "name": "lab" });
    let lab = world.post("/ous", lab).await.expect(201).id().to_owned();
    let zeta = world.post("/skills", json!({ "ou_id": lab, "name": "zeta" })).await.expect(201);
    let (late_id, late) = world.person("late@acme.com", &[]).await;
    let (_, nobody) = world.person("nobody@acme.com", &[]).await;
    let binding = json!({ "ou_id": lab, "principal": format!("user:{late_id}"), "role": "AgentViewer" });
    world.post("/role-bindings", binding).await.expect(201);

    let pages = async |token: &str| -> Vec<Vec<Value>> {
        let (mut pages, mut next) = (Vec::new(), "/skills?limit=1".to_owned());
        loop {
            let page = world.as_of(token, Method::GET, &next, None).await.expect(200).body;
            pages.push(page["items"].as_array().unwrap().clone());
            let Some(cursor) = page["next_cursor"].as_str() else { return pages };
            next = format!("/skills?limit=1&cursor={cursor}");
        }
    };
    assert_eq!(pages(&nobody).await, [const { Vec::<Value>::new() }; 2]);
    let seen = pages(&late).await;
    assert!(seen[0].is_empty(), "{seen:?}");
    assert_eq!(seen.concat().iter().map(|skill| &skill["id"]).collect::<Vec<_>>(), [&zeta.body["id"]]);
    // Only those of the name are looked at: one page.
    for (token, found) in [(&nobody, 0), (&late, 1)] {
        let named = world.as_of(token, Method::GET, "/skills?name=zeta", None).await.expect(200).body;
        assert_eq!((named["items"].as_array().unwrap().len(), &named["next_cursor"]), (found, &Value::Null));
    }
}
