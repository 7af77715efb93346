//! The table, the document and the router have the same operations.

use crate::every_route::house::House;
use powerloom_server::{Config, router};
use reqwest::Method;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// What is served and not described: the description itself.
const UNDESCRIBED: [&str; 1] = ["GET /openapi.json"];

/// Every method a request may have that a route could be for. `CONNECT` is the handshake of a stream over HTTP/2 and nothing else.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

impl House {
    /// Every operation of the document, such as `GET /agents/{id}`.
    async fn described(&self) -> BTreeSet<String> {
        let document = self.world().get("/openapi.json").await.expect(200).body;
        let mut operations = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert!(operations.len() > 100, "{operations:?}");
        operations
    }

    /// The paths the router knows. There is no list of them but what it says of itself.
    fn routed(&self) -> BTreeSet<String> {
        let config = Config::new(self.world().tokens.clone());
        let said = format!("{:?}", router(self.world().loom.clone(), config, CancellationToken::new()));
        let paths: BTreeSet<String> = said
            .split("RouteId(")
            .skip(1)
            .filter_map(|rest| rest.split_once("): \"")?.1.split_once('"'))
            .map(|(path, _)| path.to_owned())
            // What is behind these answers that there is no such path: see below.
            .filter(|path| path != "/" && !path.contains("__private__axum"))
            .collect();
        assert!(paths.contains("/agents/{id}/skills/{skill_id}"), "the router says no paths: {said}");
        paths
    }
}

/// Whoever adds a route adds a row.
#[tokio::test]
async fn every_operation_of_the_document_has_one_row_and_each_row_is_one_of_its_paths() {
    let house = House::new().await;
    let described = house.described().await;
    let mut rows = BTreeMap::new();
    for row in &house.rows {
        let earlier = rows.insert(row.operation.clone(), row);
        assert!(earlier.is_none(), "{} has two rows", row.operation);
        let plain = row.path.split('?').next().unwrap();
        let fits = row
            .template()
            .split('/')
            .zip(plain.split('/'))
            .all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()));
        let as_long = row.template().split('/').count() == plain.split('/').count();
        assert!(fits && as_long, "{} is no path of {}", row.path, row.operation);
    }
    let rows: BTreeSet<String> = rows.into_keys().collect();
    let missing: Vec<_> = described.difference(&rows).collect();
    assert!(missing.is_empty(), "operations without a row: {missing:#?}");
    let gone: Vec<_> = rows.difference(&described).collect();
    assert!(gone.is_empty(), "rows without an operation: {gone:#?}");
}

/// A route nobody describes is one nobody looks at.
#[tokio::test]
async fn the_router_has_no_route_the_document_lacks() {
    let house = House::new().await;
    let described = house.described().await;
    let paths: BTreeSet<String> = described
        .iter()
        .chain(&UNDESCRIBED.map(str::to_owned))
        .map(|it| it.split_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(house.routed(), paths);
    for nothing in ["/", "/nothing", "/nothing/there"] {
        assert_eq!(house.world().get(nothing).await.expect(404).code(), "not_found");
    }
    for path in paths {
        let given = house.rows.iter().find(|row| row.template() == path).map_or(&path, |row| &row.path);
        for method in METHODS {
            let known = |method: &str| {
                let operation = format!("{method} {path}");
                described.contains(&operation) || UNDESCRIBED.contains(&operation.as_str())
            };
            if known(method) || (method == "HEAD" && known("GET")) {
                continue;
            }
            let method: Method = method.parse().unwrap();
            let request = house.world().request(method.clone(), given).bearer_auth(&house.world().admin);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 405, "{method} {path} is served and not described");
        }
    }
}
