//! Watching with a bearer, where that is let.

use crate::sessions::client::{numbers, said};
use crate::sessions::stage::Stage;
use powerloom_server::Config;
use tokio_tungstenite::tungstenite::Error;

fn refused(outcome: Result<crate::sessions::client::TestSocket, Error>) -> (u16, String) {
    match outcome {
        Err(Error::Http(response)) => {
            let body =
                response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            (response.status().as_u16(), body)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// Beside the one client, any number: none of them disturbs another, and none needs a ticket.
#[tokio::test]
async fn any_number_may_watch_where_it_is_let() {
    let stage = Stage::with(Config::viewers).await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream");
    let mut client = stage.open(id, 0).await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        viewers.push(stage.client().try_open(&path, Some(&stage.world.admin)).await.unwrap());
    }
    let mut late =
        stage.client().try_open(&format!("{path}?after=2"), Some(&stage.world.admin)).await.unwrap();
    stage.runtime.message(id, "hello");
    stage.runtime.end_turn(id);
    let (all, closed) = client.drain().await;
    assert_eq!(said(&closed), (1000, "ended"));
    for mut viewer in viewers {
        assert_eq!(viewer.drain().await, (all.clone(), closed.clone()));
    }
    assert_eq!(numbers(&late.drain().await.0), numbers(&all[2..]));
}

/// What is wrong with a bearer is said before the upgrade, as on any route.
#[tokio::test]
async fn a_viewer_needs_a_good_bearer_and_the_permission() {
    let stage = Stage::with(Config::viewers).await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream");
    let (_, nobody) = stage.world.person("nobody@acme.com", &[]).await;
    let (_, operator) = stage.world.person("operator@acme.com", &["AgentOperator"]).await;
    let stranger = stage.world.token(stage.world.other.id, stage.world.other.admin).await;
    for (token, status, says) in [
        ("nonsense", 401, "unauthenticated"),
        (nobody.as_str(), 403, "session:stream"),
        (stranger.as_str(), 404, "does not exist"),
    ] {
        let (found, body) = refused(stage.client().try_open(&path, Some(token)).await);
        assert!(found == status && body.contains(says) && body.starts_with("{\"error\":"), "{found} {body}");
    }
    let (found, body) = refused(stage.client().try_open(&format!("{path}?after=99"), Some(&operator)).await);
    assert!(found == 400 && body.contains("after"), "{found} {body}");
    let mut viewer = stage.client().try_open(&path, Some(&operator)).await.unwrap();
    assert_eq!(viewer.next().await.unwrap().seq, 1);
}

/// Off unless said otherwise: then no bearer opens a stream, however good.
#[tokio::test]
async fn no_bearer_opens_a_stream_unless_it_is_let() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let path = format!("/sessions/{id}/stream");
    let (status, body) = refused(stage.client().try_open(&path, Some(&stage.world.admin)).await);
    assert!(status == 401 && body.contains("/sessions/{id}/ticket"), "{status} {body}");
    // A ticket counts before a bearer.
    let ticket = stage.ticket(id).await;
    let both = stage.client().try_open(&format!("{path}?ticket={ticket}"), Some(&stage.world.admin)).await;
    assert_eq!(both.unwrap().next().await.unwrap().seq, 1);
}
