//! What holds for every kind: one check, many payloads.

use crate::world::{World, again, org};
use powerloom_core::reconcile::state::RemoteRef;
use powerloom_core::runtime::{Payload, Push, Runtime, RuntimeErrorClass};
use serde_json::Value;

/// Guarantees 2, 3 and 4: what is pushed is seen, over and over, until it is removed, and twice removed.
///
/// `first` is pushed, replaced by `second`, and put back; each edit must show as drift, and the next push mends it.
pub async fn check_life(world: &World, first: &Push, second: &Payload, edits: &[(&str, Value)]) {
    let mut remote = world.put(first).await;
    assert_eq!(world.seen(first, &remote).await.as_ref(), Some(&first.payload));
    assert_eq!(
        world.put(&again(first, first.payload.clone(), Some(&remote))).await,
        remote,
        "nothing changed"
    );
    for payload in [second, &first.payload] {
        let push = again(first, payload.clone(), Some(&remote));
        remote = world.put(&push).await;
        assert_eq!(world.seen(&push, &remote).await.as_ref(), Some(payload));
    }
    for (pointer, value) in edits {
        world.edit(&remote.id, pointer, value.clone());
        let drifted = world.seen(first, &remote).await;
        assert!(drifted.is_some() && drifted.as_ref() != Some(&first.payload), "{pointer} = {value}");
        assert_eq!(drifted, world.seen(first, &remote).await, "the same drift must be seen the same way");
        remote = world.put(&again(first, first.payload.clone(), Some(&remote))).await;
        assert_eq!(world.seen(first, &remote).await.as_ref(), Some(&first.payload), "{pointer} = {value}");
    }
    check_end(world, first, &remote).await;
}

async fn check_end(world: &World, push: &Push, remote: &RemoteRef) {
    let find = async || {
        let found = world.runtime.find(org(), &push.key, &push.payload, &push.placed).await;
        found.unwrap().map(|found| found.id)
    };
    assert_eq!(find().await.as_ref(), Some(&remote.id));
    for _ in 0..2 {
        world.runtime.remove(&push.key, remote).await.unwrap();
        assert_eq!(world.seen(push, remote).await, None);
    }
    assert_eq!(find().await, None);
    let late = again(push, push.payload.clone(), Some(remote));
    assert_eq!(world.runtime.push(&late).await.unwrap_err().class, RuntimeErrorClass::Gone);
    let never = RemoteRef { id: format!("{}x", remote.id), ..remote.clone() };
    world.runtime.remove(&push.key, &never).await.unwrap();
    assert_eq!(world.seen(push, &never).await, None);
}

/// Guarantees 1 and 6: a create whose answer is lost is found again, and brought to `now` if that changed meanwhile.
pub async fn check_lost_answer(world: &World, first: &Push, now: &Payload, path: &str, table: &str) {
    world.lose_answer(path);
    let lost = world.runtime.push(first).await.unwrap_err();
    assert_eq!((lost.class, lost.maybe_applied), (RuntimeErrorClass::Transient, true));
    let push = again(first, now.clone(), None);
    let remote = world.put(&push).await;
    assert_eq!(world.live(table).len(), 1);
    assert_eq!(world.seen(&push, &remote).await.as_ref(), Some(now));
    let found = world.runtime.find(org(), &push.key, &push.payload, &push.placed).await.unwrap().unwrap();
    assert_eq!(found, remote);
}
