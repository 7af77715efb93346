//! What is another organization's does not exist (R5): each operation says of it, byte for byte, what it says of what is not.

use crate::every_route::house::House;
use crate::every_route::rows::Row;
use crate::world::Answer;
use std::collections::BTreeSet;

/// Operations whose path names something by its place, which is counted in each organization by itself: theirs is theirs.
const BY_PLACE: [&str; 4] = [
    "GET /audit/{seq}",
    "POST /audit/{seq}/erase",
    "GET /audit/proofs/inclusion",
    "GET /audit/proofs/consistency",
];

/// Questions that have an answer about what is not, and the answer.
const ANSWERED: [(&str, &str); 2] = [
    ("POST /authz/history", "in the past there may have been an OU that is gone: nobody may anything there"),
    ("POST /authz/what-if", "the change would be refused, for there is no such thing"),
];

/// The ids in a text: a UUID is written in one way.
fn ids(text: &str) -> BTreeSet<String> {
    let is_id = |piece: &&[u8]| {
        piece.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
    };
    text.as_bytes().windows(36).filter(is_id).map(|id| String::from_utf8(id.to_vec()).unwrap()).collect()
}

/// The answer without the ids that were asked for, and without what differs from request to request.
fn said(answer: &Answer, asked: &[String]) -> (u16, String, Vec<(String, String)>) {
    let plain = |text: &str| {
        asked
            .iter()
            .enumerate()
            .fold(text.to_owned(), |text, (place, id)| text.replace(id, &format!("<{place}>")))
    };
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| *name != "request-id" && *name != "date");
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), plain(value.to_str().unwrap()))).collect();
    headers.sort();
    (answer.status, plain(&answer.text), headers)
}

fn replaced(row: &Row, from: &[String], to: &[String]) -> Row {
    let all =
        |text: &str| from.iter().zip(to).fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let body = row.body.as_ref().map(|body| serde_json::from_str(&all(&body.to_string())).unwrap());
    Row { operation: row.operation.clone(), path: all(&row.path), body, does: row.does }
}

#[tokio::test]
async fn another_organizations_administrator_is_told_of_ours_what_is_said_of_nothing() {
    let house = House::new().await;
    let world = house.world();
    let stranger = world.token(world.other.id, world.other.admin).await;
    let ours = world.loom.store().audit_head(world.acme.id).await.unwrap();
    let before = house.print().await;
    let theirs = before[1].clone();
    let mut asked_by_id = 0;
    for row in house.plain().filter(|row| !BY_PLACE.contains(&row.operation.as_str())) {
        let body = row.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let known: Vec<String> = ids(&row.path).union(&ids(&body)).cloned().collect();
        if known.is_empty() {
            // Not one word of ours may be in what they are answered about theirs.
            if row.method() == "GET" {
                let answer = house.ask(&stranger, row).await.expect(200);
                let told = ids(&answer.text);
                let leaked: Vec<_> =
                    house.rows.iter().flat_map(|row| ids(&row.path)).filter(|id| told.contains(id)).collect();
                assert!(leaked.is_empty(), "{} tells of {leaked:?}", row.operation);
            }
            continue;
        }
        asked_by_id += 1;
        let absent: Vec<String> =
            (0..known.len()).map(|place| format!("00000000-0000-7000-8000-0000000000{place:02x}")).collect();
        let of_ours = house.ask(&stranger, row).await;
        let of_nothing = house.ask(&stranger, &replaced(row, &known, &absent)).await;
        assert_eq!(said(&of_ours, &known), said(&of_nothing, &absent), "{} {body}", row.operation);
        let refused = matches!(of_ours.status, 400..=499);
        let answered = ANSWERED.iter().any(|(question, _)| *question == row.operation);
        assert_eq!(refused, !answered, "{}: {}", row.operation, of_ours.text);
    }
    let mut watched = Vec::new();
    let path = &house.stream().path;
    let of_ours = ids(path).pop_first().unwrap();
    for id in [of_ours.as_str(), "00000000-0000-7000-8000-000000000000"] {
        let head = house.watch(&stranger, &path.replace(&of_ours, id)).await;
        watched.push((head.status, head.body.to_string().replace(id, "<id>")));
    }
    assert_eq!((watched[0].0, &watched[0]), (404, &watched[1]));
    assert!(asked_by_id > 80, "{asked_by_id}");
    assert_eq!(world.loom.store().audit_head(world.acme.id).await.unwrap(), ours);
    let after = house.print().await;
    assert_eq!((&after[0], &after[2..]), (&before[0], &before[2..]));
    assert_eq!(after[1], theirs, "they have changed nothing of theirs either");
}
