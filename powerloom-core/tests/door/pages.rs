//! Lists are bounded, whoever asks and however little they may see.

use crate::world::{World, kind, world};
use powerloom_core::id::ResourceId;
use powerloom_core::page::MAX_LOOKED_AT;
use powerloom_core::record::RecordRow;
use powerloom_core::store::{Commit, RecordCursor, RecordQuery, Write};
use serde_json::json;
use uuid::Uuid;

/// As many skills in the root as are looked at for one page, all sorted before `zeta`, a skill of another OU.
async fn crowd(w: &World) -> RecordRow {
    let one = w.create("Skill", w.root(), "alpha", json!({})).await;
    let numbers: Vec<u128> = (0..MAX_LOOKED_AT as u128).collect();
    for batch in numbers.chunks(1000) {
        let mut commit = Commit::new(w.org.id, one.meta.created_at);
        commit.write.extend(batch.iter().map(|number| {
            let mut row = one.clone();
            row.meta.id = ResourceId::from_uuid(Uuid::from_u128(number + 1));
            row.meta.name = format!("b{number:05}");
            row.unique_key = format!("{}/{}", row.meta.ou, row.meta.name);
            Write::PutRecord(Box::new(row))
        }));
        w.cp.store().commit(commit).await.unwrap();
    }
    let lab = w.ou(w.root(), "lab").await;
    w.create("Skill", lab, "zeta", json!({})).await
}

#[tokio::test]
async fn a_page_looks_at_so_many_and_no_more_and_says_where_to_go_on() {
    let w = world().await;
    let zeta = crowd(&w).await;
    let (_, late) = w.user(w.root(), "late@acme.com").await;
    let role = w.role("late", &["skill:read"]).await;
    w.bind(&late.principal, &role, zeta.meta.ou).await;
    let mut query = RecordQuery { kind: Some(kind("Skill")), limit: 1, ..RecordQuery::default() };
    let first = w.cp.list_page(&late, &query).await.unwrap();
    assert!(first.rows.is_empty());
    let next = first.next.unwrap();
    // `alpha` and all but one of the others.
    assert_eq!(next.name, format!("b{:05}", MAX_LOOKED_AT - 2));
    query.after = Some(next);
    let second = w.cp.list_page(&late, &query).await.unwrap();
    assert_eq!(
        (second.rows.as_slice(), second.next),
        ([zeta.clone()].as_slice(), Some(RecordCursor::of(&zeta)))
    );
    query.after = Some(RecordCursor::of(&zeta));
    let last = w.cp.list_page(&late, &query).await.unwrap();
    assert_eq!((last.rows, last.next), (Vec::new(), None));
    // Whoever embeds it still has the list that is empty only at its end.
    query.after = None;
    assert_eq!(w.cp.list(&late, &query).await.unwrap(), std::slice::from_ref(&zeta));

    // By name, only those of the name are looked at.
    query.limit = 0;
    let named = async |caller, name: &str| {
        let page = w.cp.list_page_named(caller, name, &query).await.unwrap();
        assert_eq!(page.next, None, "{name}");
        page.rows.len()
    };
    assert_eq!((named(&late, "zeta").await, named(&late, "alpha").await), (1, 0));
    assert_eq!((named(&w.admin, "b07000").await, named(&w.admin, "b0700").await), (1, 0));
}
