//! What lets a session's MCP servers act for whoever started it (sem. 2.15, C12, C34).

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use url::Url;

/// The part of a session's record that no reader is shown: present if a delegating MCP server is attached.
///
/// # Its life
/// | when | `handle` | `vault` |
/// |---|---|---|
/// | invoked | none | none |
/// | before anything is made on the runtime | its hash | may be there |
/// | `running` | its hash | there, with its id |
/// | settled | none: nothing opens anything from this commit on | still there |
/// | the runtime has let go of it | none | none |
///
/// A pump that takes over before `running` makes another handle, whose hash replaces the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data of a record")]
pub struct Delegation {
    /// The addresses of the delegating servers, frozen when the session was invoked.
    pub servers: Vec<String>,
    /// Hash of the handle, as long as it is good for anything.
    pub handle: Option<Digest>,
    /// The session's own vault, from the moment it may be on the runtime until it is known not to be.
    pub vault: Option<SessionVault>,
}

/// A vault on the runtime that one session has to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data of a record")]
pub struct SessionVault {
    /// The runtime's id of it, once that is known.
    pub id: Option<String>,
    /// More than one attempt was made to create it: it is looked for by our session's id before it is made or left.
    pub unsure: bool,
}

impl Delegation {
    /// The delegation to the servers at `urls`; `None` to no server.
    #[must_use]
    pub fn to(urls: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut servers: Vec<String> = Vec::new();
        for url in urls {
            // A vault has one credential for an address, however it is written.
            if !servers.iter().any(|known| normal(known) == normal(&url)) {
                servers.push(url);
            }
        }
        (!servers.is_empty()).then_some(Self { servers, handle: None, vault: None })
    }
}

/// As runtimes compare addresses: host in lower case, no default port, no slash at the end (sem. 2.5).
fn normal(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_once_however_it_is_written() {
        let to = |urls: &[&str]| Delegation::to(urls.iter().map(|url| (*url).to_owned()));
        assert_eq!(to(&[]), None);
        let one = to(&["https://meta.example.com/mcp", "HTTPS://META.example.com:443/mcp/"]).unwrap();
        assert_eq!(one.servers, ["https://meta.example.com/mcp"]);
        assert_eq!(to(&["https://a.example.com/1", "https://a.example.com/2"]).unwrap().servers.len(), 2);
    }
}
