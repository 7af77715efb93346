//! Two servers on one store: what one was at when it stopped, the other finishes.

use crate::stage::Stage;
use powerloom_core::session::event::{EventSeq, SESSION_ENDED};
use powerloom_core::session::invoke::Invoke;
use powerloom_core::session::status::SessionStatus;
use std::collections::BTreeSet;

const PROMPT: &str = "say one\nsay two\nwait 2500\nsay three\nsay four";

/// Invariant 5: no event of a session is lost or doubled, and its reader goes on where it was.
#[tokio::test]
async fn a_session_goes_on_with_the_other_server_without_a_lost_or_doubled_event() {
    let stage = Stage::set().await;
    let (one, two) = (stage.loom().await, stage.loom().await);
    let first = stage.server(&one).runtime(stage.runtime()).start().await.unwrap();
    let agent = stage.synced_agent(&first.url()).await;
    let second = stage.server(&two).runtime(stage.runtime()).start().await.unwrap();
    let caller = stage.org.admin_caller();

    let invoke = Invoke::new(agent["id"].as_str().unwrap().parse().unwrap(), PROMPT);
    let session = one.invoke(&caller, invoke).await.unwrap().started().unwrap().session_id;
    let mut reader = one.follow(&caller, session, EventSeq::START).await.unwrap();
    let mut seen = Vec::new();
    while seen.iter().filter(|kind| *kind == "agent.message").count() < 2 {
        seen.push(reader.next().await.unwrap().unwrap().event.kind.clone());
    }
    let before = one.session(&caller, session).await.unwrap();
    assert_eq!(before.status, SessionStatus::Running);

    assert!(first.shutdown().await.is_clean());
    let mut reader = two.follow(&caller, session, reader.after()).await.unwrap();
    while let Some(event) = reader.next().await {
        seen.push(event.unwrap().event.kind.clone());
    }

    let log = two.session_events(&caller, session, EventSeq::START, 500).await.unwrap();
    let kinds: Vec<String> = log.iter().map(|event| event.event.kind.clone()).collect();
    assert_eq!(seen, kinds, "the reader saw the log, whole and once");
    let numbers: Vec<u64> = log.iter().map(|event| event.seq.number()).collect();
    assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>());
    let ids: Vec<&String> = log.iter().filter_map(|event| event.event.event_id.as_ref()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no event of the runtime twice");
    assert_eq!(kinds.iter().filter(|kind| *kind == "agent.message").count(), 4, "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some(SESSION_ENDED));
    let after = two.session(&caller, session).await.unwrap();
    assert_eq!(after.status, SessionStatus::IdleEndTurn);
    assert!(after.fence > before.fence, "another pump has had it");
    assert!(second.shutdown().await.is_clean());
}
