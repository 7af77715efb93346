//! Skill versions.

use crate::life::check_lost_answer;
use crate::world::{World, again, id, org, skill_version};
use powerloom_core::runtime::{Payload, Push, Runtime, RuntimeErrorClass};
use powerloom_core::skill_tree::content_hash;
use powerloom_runtime::emulator::{Edit, Fault, FaultRule};

async fn two(world: &World) -> (Push, Push, [powerloom_core::reconcile::state::RemoteRef; 2]) {
    let first = skill_version(50, 1, "Pay.");
    let one = world.put(&first).await;
    let mut second = skill_version(51, 2, "Pay more.");
    second.placed.insert(first.key.clone(), one.clone());
    let two = world.put(&second).await;
    (first, second, [one, two])
}

/// Row P51: versions of one skill are versions of one skill on the runtime.
#[tokio::test]
async fn the_first_version_makes_the_skill_and_the_next_joins_it() {
    let world = World::start().await;
    let (first, second, [one, two]) = two(&world).await;
    assert_eq!(one.parent, two.parent);
    let skills = world.live("skills");
    assert_eq!(skills.len(), 1);
    assert_eq!(skills[0]["display_name"], format!("refunds [{}]", id(500)));
    assert_eq!(world.seen(&first, &one).await, Some(first.payload.clone()));
    assert_eq!(world.put(&again(&second, second.payload.clone(), Some(&two))).await, two, "it never changes");
    world.emulator.edit(&Edit::remove(&two.id)).unwrap();
    assert_eq!(world.seen(&second, &two).await, None);
    let gone = world.runtime.push(&again(&second, second.payload.clone(), Some(&two))).await.unwrap_err();
    assert_eq!(gone.class, RuntimeErrorClass::Gone);
}

#[tokio::test]
async fn removing_the_last_version_removes_the_skill_and_twice_is_once() {
    let world = World::start().await;
    let (first, second, [one, two]) = two(&world).await;
    for (push, remote) in [(&first, &one), (&second, &two), (&second, &two), (&first, &one)] {
        world.runtime.remove(&push.key, remote).await.unwrap();
        assert_eq!(world.seen(push, remote).await, None);
    }
    assert!(world.live("skills").is_empty() && world.live("skill_versions").is_empty());
}

/// The push without its executable file: `find` knows no files, and the service keeps no modes.
fn plain(mut push: Push) -> Push {
    let Payload::SkillVersion(payload) = &mut push.payload else { panic!("{push:?}") };
    push.files.retain(|(file, _)| !file.executable);
    payload.content_hash = content_hash(&[push.files[0].0.clone()]);
    push
}

#[tokio::test]
async fn a_skill_whose_answer_was_lost_is_found_and_not_doubled() {
    let world = World::start().await;
    let push = plain(skill_version(50, 1, "Pay."));
    let now = push.payload.clone();
    check_lost_answer(&world, &push, &now, "/v1/skills", "skill_versions").await;
}

#[tokio::test]
async fn a_version_whose_answer_was_lost_is_found_by_its_files_whatever_their_modes() {
    let world = World::start().await;
    let (_, second, [_, two]) = two(&world).await;
    let mut third = skill_version(52, 3, "Pay.");
    third.placed.insert(second.key.clone(), two);
    world.lose_answer("/v1/skills/*/versions");
    assert!(world.runtime.push(&third).await.unwrap_err().maybe_applied);
    let found = world.put(&again(&third, third.payload.clone(), None)).await;
    assert_eq!(world.live("skill_versions").len(), 3);
    assert_eq!(world.live("skills")[0]["latest_version_id"], found.id.as_str());
}

/// The third version has the files of the first: the first is not taken for it.
#[tokio::test]
async fn an_older_version_with_the_same_files_is_not_adopted() {
    let world = World::start().await;
    let (_, second, [one, two]) = two(&world).await;
    let mut third = skill_version(52, 3, "Pay.");
    third.placed.insert(second.key.clone(), two);
    let cut = FaultRule::new("/v1/skills/*/versions", Fault::CutBefore).method("POST").count(1);
    world.emulator.faults().add(cut);
    assert!(world.runtime.push(&third).await.unwrap_err().maybe_applied);
    let made = world.put(&again(&third, third.payload.clone(), None)).await;
    assert_ne!(made.id, one.id);
    assert_eq!(world.live("skill_versions").len(), 3);
}

#[tokio::test]
async fn a_version_of_another_record_is_not_found_to_be_removed() {
    let world = World::start().await;
    let first = plain(skill_version(50, 1, "Pay."));
    let one = world.put(&first).await;
    let mut third = plain(skill_version(52, 3, "Pay."));
    let find =
        async |push: &Push| world.runtime.find(org(), &push.key, &push.payload, &push.placed).await.unwrap();
    assert_eq!(find(&third).await, None, "what came before is not known");
    third.placed.insert(first.key.clone(), one.clone());
    assert_eq!(find(&third).await, None);
    let three = world.put(&third).await;
    assert_eq!((find(&third).await, find(&first).await.is_some()), (Some(three), true));
}

#[tokio::test]
async fn a_skill_that_vanished_is_made_anew_with_its_version() {
    let world = World::start().await;
    let (first, _, [one, _]) = two(&world).await;
    world.emulator.edit(&Edit::remove(one.parent.clone().unwrap())).unwrap();
    assert_eq!(world.seen(&first, &one).await, None);
    let anew = world.put(&first).await;
    assert_ne!(anew.parent, one.parent);
    assert_eq!(world.runtime.find(org(), &first.key, &first.payload, &first.placed).await.unwrap(), None);
}
