//! Reads of declared things.

use crate::conformance::world::{AGENT, SKILL, org, put, record, resource, sealed, staged, write};
use crate::record::{RecordRow, ResourceKey, Stage};
use crate::store::{Order, RecordCursor, RecordQuery, Store, Write};

/// Records 1: a read sees every commit that returned before it began, exactly as it was written.
pub async fn a_record_reads_as_it_was_written(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut row = record(org, AGENT, "a");
    row.refs = vec![ResourceKey { kind: SKILL, id: resource() }];
    for version in 1..=10 {
        row.meta.version = version;
        write(store, org, vec![put(&row)]).await;
        assert_eq!(store.record(org, &row.key()).await.unwrap(), Some(row.clone()));
    }
    let other = record(org, SKILL, "b");
    write(store, org, vec![put(&other)]).await;
    let missing = ResourceKey { kind: AGENT, id: resource() };
    let found = store.records(org, &[row.key(), missing.clone(), other.key(), row.key()]).await.unwrap();
    assert!(found.len() == 2 && found.contains(&row) && found.contains(&other));
    assert_eq!(store.record(org, &missing).await.unwrap(), None);
    assert!(store.records(org, &[]).await.unwrap().is_empty());
}

fn cursor(row: &RecordRow) -> RecordCursor {
    RecordCursor { kind: row.kind.clone(), name: row.meta.name.clone(), id: row.meta.id }
}

/// Records 3: pages show every record once, in the order of kind, name and id.
pub async fn records_are_listed_in_order_page_by_page(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut rows = Vec::new();
    for (kind, name) in [(SKILL, "a"), (AGENT, "ö"), (AGENT, "b"), (AGENT, "a"), (AGENT, "B"), (SKILL, "a")]
    {
        let mut row = record(org, kind, name);
        row.unique_key = row.meta.id.to_string();
        write(store, org, vec![put(&row)]).await;
        rows.push(row);
    }
    rows.sort_by_key(|row| (row.kind.clone(), row.meta.name.clone(), row.meta.id));
    assert_eq!(store.list_records(org, &RecordQuery::default()).await.unwrap(), rows);
    for kind in [None, Some(AGENT)] {
        let wanted: Vec<_> =
            rows.iter().filter(|row| kind.as_ref().is_none_or(|kind| row.kind == *kind)).collect();
        for order in [Order::Ascending, Order::Descending] {
            let mut wanted = wanted.clone();
            if order == Order::Descending {
                wanted.reverse();
            }
            let mut after = None;
            for row in wanted {
                let query =
                    RecordQuery { kind: kind.clone(), after, order, limit: 1, ..RecordQuery::default() };
                assert_eq!(store.list_records(org, &query).await.unwrap(), std::slice::from_ref(row));
                after = Some(cursor(row));
            }
            let query = RecordQuery { kind: kind.clone(), after, order, ..RecordQuery::default() };
            assert!(store.list_records(org, &query).await.unwrap().is_empty());
        }
    }
}

/// By kind, by OU, with and without the archived.
pub async fn lists_are_filtered(store: &dyn Store) {
    let org = org(store, "acme").await;
    let (live, skill) = (record(org, AGENT, "live"), record(org, SKILL, "skill"));
    let archiving = staged(&record(org, AGENT, "archiving"), Stage::Archiving);
    let archived = staged(&record(org, AGENT, "archived"), Stage::Archived);
    write(store, org, [&live, &skill, &archiving, &archived].map(put).to_vec()).await;
    let names = async |query: RecordQuery| {
        let found = store.list_records(org, &query).await.unwrap();
        found.into_iter().map(|row| row.meta.name).collect::<Vec<_>>()
    };
    let agents = RecordQuery { kind: Some(AGENT), ..RecordQuery::default() };
    assert_eq!(names(agents.clone()).await, ["archiving", "live"]);
    assert_eq!(
        names(RecordQuery { archived: true, ..agents.clone() }).await,
        ["archived", "archiving", "live"]
    );
    assert_eq!(names(RecordQuery { ou: Some(live.meta.ou), ..agents }).await, ["live"]);
    assert_eq!(names(RecordQuery { ou: Some(skill.meta.ou), ..RecordQuery::default() }).await, ["skill"]);
    let of_archived = RecordQuery { ou: Some(archived.meta.ou), ..RecordQuery::default() };
    assert!(names(of_archived).await.is_empty());
}

/// Referrers that are not archived, ordered by kind, name and id.
pub async fn referrers_are_listed_in_order(store: &dyn Store) {
    let org = org(store, "acme").await;
    let target = record(org, SKILL, "target");
    let mut rows = [record(org, SKILL, "a"), record(org, AGENT, "b"), record(org, AGENT, "a")];
    for row in &mut rows {
        row.refs = vec![ResourceKey { kind: AGENT, id: resource() }, target.key()];
    }
    write(store, org, rows.iter().map(put).collect()).await;
    rows.reverse();
    assert_eq!(store.referrers(org, &target.key()).await.unwrap(), rows);
    write(store, org, vec![put(&staged(&rows[0], Stage::Archived))]).await;
    assert_eq!(store.referrers(org, &target.key()).await.unwrap(), rows[1..]);
    assert!(store.referrers(org, &rows[0].key()).await.unwrap().is_empty());
}

/// Ordered by owner, strictly after the cursor.
pub async fn secrets_are_listed_in_order_page_by_page(store: &dyn Store) {
    let org = org(store, "acme").await;
    let mut owners: Vec<_> = (0..5).map(|_| resource()).collect();
    for owner in &owners {
        write(store, org, vec![Write::PutSecret { owner: *owner, sealed: sealed(3) }]).await;
    }
    owners.sort();
    let mut after = None;
    for pair in owners.chunks(2) {
        let found: Vec<_> =
            store.secrets(org, after, 2).await.unwrap().into_iter().map(|(owner, _)| owner).collect();
        assert_eq!(found, pair);
        after = found.last().copied();
    }
    assert!(store.secrets(org, after, 2).await.unwrap().is_empty());
}

/// By slug and all of them, in the order of their slugs.
pub async fn organizations_are_found_by_slug(store: &dyn Store) {
    let (b, a) = (org(store, "b").await, org(store, "a").await);
    let slugs: Vec<String> = store.orgs().await.unwrap().into_iter().map(|row| row.slug).collect();
    assert_eq!(slugs, ["a", "b"]);
    assert_eq!(store.org_by_slug("b").await.unwrap().unwrap().id, b);
    assert_eq!(store.org(a).await.unwrap().unwrap().slug, "a");
    assert_eq!(store.org_by_slug("c").await.unwrap(), None);
}
