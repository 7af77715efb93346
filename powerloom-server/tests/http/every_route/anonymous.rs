//! Without a bearer there is nothing but what anybody may know.

use crate::every_route::house::{House, STREAM};
use crate::world::Answer;
use reqwest::Method;

/// All that is answered without a bearer. A session's stream is not: it takes a ticket.
const ANONYMOUS: [&str; 3] = ["GET /healthz", "GET /readyz", "GET /.well-known/jwks.json"];

/// The answer without what differs from request to request.
fn said(answer: &Answer) -> (u16, &str, Vec<(String, String)>) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| *name != "request-id" && *name != "date");
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (answer.status, &answer.text, headers)
}

/// One answer, byte for byte, so that it says nothing of what there is.
#[tokio::test]
async fn without_a_bearer_every_operation_but_these_answers_the_same_401() {
    let house = House::new().await;
    let (world, before) = (house.world(), house.print().await);
    let bare = async |row: &crate::every_route::rows::Row, path: &str| {
        let mut request = world.request(row.method(), path);
        if let Some(body) = &row.body {
            request = request.json(body);
        }
        world.send(request).await
    };
    let mut first: Option<Answer> = None;
    for row in house.rows.iter().filter(|row| !ANONYMOUS.contains(&row.operation.as_str())) {
        if row.operation == STREAM {
            // Without a handshake nobody is told more than that; with one, see where tickets are tested.
            bare(row, &row.path).await.expect(426);
            continue;
        }
        let absent = row.path.replace(|digit: char| digit.is_ascii_digit(), "0");
        for path in [&row.path, &absent] {
            let refused = bare(row, path).await.expect(401);
            assert_eq!((refused.code(), refused.header("www-authenticate")), ("unauthenticated", "Bearer"));
            assert_eq!(
                said(&refused),
                said(first.get_or_insert_with(|| refused.clone())),
                "{} {path}",
                row.operation
            );
        }
    }
    for open in ANONYMOUS {
        let row = house.rows.iter().find(|row| row.operation == open).unwrap();
        bare(row, &row.path).await.expect(200);
    }
    world.send(world.request(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(house.print().await, before);
}
