//! The log of requests: what was asked, and how it was answered.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many requests are remembered one by one. Counts are kept for ever.
const REMEMBERED: usize = 10_000;

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Method and path with ids replaced, such as `POST /v1/agents/{id}`.
    pub route: String,
    /// The status of the answer; 0 where the connection was cut instead.
    pub status: u16,
    /// The `request-id` of the answer.
    pub request_id: String,
}

#[derive(Debug, Default)]
struct Log {
    recent: VecDeque<Request>,
    counts: BTreeMap<String, u64>,
}

/// What a running emulator was asked. Requests to `/_emulator` are not in it.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Log>);

impl RequestLog {
    /// The newest 10 000 requests, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Request> {
        self.log().recent.iter().cloned().collect()
    }

    /// How many requests each route got, refused ones and cut ones too.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.log().counts.clone()
    }

    /// How many requests came in by `route`, such as `POST /v1/agents`.
    #[must_use]
    pub fn count(&self, route: &str) -> u64 {
        self.log().counts.get(route).copied().unwrap_or(0)
    }

    /// Forgets all of it.
    pub fn clear(&self) {
        *self.log() = Log::default();
    }

    pub(crate) fn add(&self, method: &str, path: &str, status: u16, request_id: &str) {
        let route = format!("{method} {}", pattern(path));
        let mut log = self.log();
        *log.counts.entry(route.clone()).or_default() += 1;
        if log.recent.len() == REMEMBERED {
            log.recent.pop_front();
        }
        log.recent.push_back(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            route,
            status,
            request_id: request_id.to_owned(),
        });
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path with its ids replaced: they stand in the third and in the fifth place.
fn pattern(path: &str) -> String {
    let part = |(index, part): (usize, &str)| match index {
        3 | 5 if part != "stream" => "{id}".to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').enumerate().map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_the_path_without_its_ids() {
        assert_eq!(pattern("/v1/agents"), "/v1/agents");
        assert_eq!(pattern("/v1/agents/agent_1/archive"), "/v1/agents/{id}/archive");
        assert_eq!(pattern("/v1/vaults/vlt_1/credentials/vcrd_1"), "/v1/vaults/{id}/credentials/{id}");
        assert_eq!(pattern("/v1/sessions/sesn_1/events/stream"), "/v1/sessions/{id}/events/stream");
    }
}
