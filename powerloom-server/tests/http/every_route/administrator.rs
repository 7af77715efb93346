//! A change is visible if and only if its row in the trail is.

use crate::every_route::house::House;
use crate::every_route::rows::Does;
use powerloom_core::audit::AuditDecision;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::SessionId;
use serde_json::json;

/// Invariant 2: each operation is done once, with a good body.
#[tokio::test]
async fn every_change_an_administrator_makes_is_in_the_trail_and_nothing_else_is() {
    let house = House::new().await;
    let world = house.world();
    // Otherwise no secret would be under an old key.
    house.master.rotate(&SystemEntropy);
    for row in house.plain() {
        let (what, head) = (row.operation.as_str(), world.trail().await);
        let answer = house.ask(&world.admin, row).await;
        assert!((200..300).contains(&answer.status), "{what} {}: {}", answer.status, answer.text);
        let told = house.trail_behind(world.acme.id, head).await;
        if row.does != Does::Changes {
            assert!(told.is_empty(), "{what} changes nothing: {told:?}");
            continue;
        }
        let first =
            told.first().unwrap_or_else(|| panic!("{what} {}: the trail says nothing", answer.status));
        let said = (first.row.decision, first.row.actor.as_str());
        assert_eq!(said, (AuditDecision::Allow, "user:admin@acme.com"), "{what}");
        if let ("POST /sessions/{id}/cancel", Some(id)) = (what, row.path.split('/').nth(2)) {
            // It ends by itself, and its end is in the trail too.
            house.stage.wait(id.parse::<SessionId>().unwrap()).await;
        }
    }
    let verified = world.post("/audit/verify", json!({})).await.expect(200).body;
    assert_eq!(verified["ok"], true, "{verified}");
}

/// What looks like a change and does not pass the door, asked by somebody who may do everything.
#[tokio::test]
async fn what_does_not_pass_the_door_changes_nothing_but_what_it_says() {
    let house = House::new().await;
    let world = house.world();
    let kept = || std::fs::read_dir(house.anchor.path()).unwrap().count();
    let before = house.print().await;
    let mut asked = 0;
    for row in house.plain() {
        let Does::Aside(why) = row.does else { continue };
        let earlier = kept();
        let answer = house.ask(&world.admin, row).await;
        assert!((200..300).contains(&answer.status), "{}: {}", row.operation, answer.text);
        assert_eq!(house.print().await, before, "{}, of which it is said: {why}", row.operation);
        match row.operation.as_str() {
            "POST /audit/checkpoints" => assert!(earlier == 0 && kept() > 0, "a checkpoint is kept"),
            "POST /sessions/{id}/ticket" => {
                // It opens that session's stream, once.
                let url = answer.body["ws_url"].as_str().unwrap();
                let mut socket = house.stage.client().open(url).await;
                assert_eq!(socket.next().await.unwrap().seq, 1);
                socket.close().await;
                house.stage.client().open(url).await.refusal().await;
            }
            _ => assert_eq!(kept(), earlier),
        }
        asked += 1;
    }
    assert_eq!(asked, 10, "each of them is here for a reason");
    assert_eq!(house.print().await, before);
}
