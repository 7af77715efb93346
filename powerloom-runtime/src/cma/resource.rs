//! What is mounted in the sandbox of a session.

use crate::cma::secret::Secret;
use serde::Serialize;

/// A file, a repository or a memory store for a new session.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MountedResource {
    /// An uploaded file; by default at `/mnt/session/uploads/<file_id>`.
    File {
        /// `file_…`
        file_id: String,
        /// Where it is mounted.
        #[serde(skip_serializing_if = "Option::is_none")]
        mount_path: Option<String>,
    },
    /// A repository; by default at `/workspace/<name>`.
    GithubRepository {
        /// Its address.
        url: String,
        /// A token that may read it; never returned.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Secret::send_some")]
        authorization_token: Option<Secret>,
        /// What is checked out; the service's default is the default branch.
        #[serde(skip_serializing_if = "Option::is_none")]
        checkout: Option<Checkout>,
        /// Where it is mounted.
        #[serde(skip_serializing_if = "Option::is_none")]
        mount_path: Option<String>,
    },
    /// A memory store.
    MemoryStore {
        /// `memstore_…`
        memory_store_id: String,
        /// How it may be used, in the service's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        access: Option<String>,
        /// What it is for, for the model.
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<String>,
    },
}

/// What of a repository is checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Checkout {
    /// The head of a branch.
    Branch {
        /// The branch.
        name: String,
    },
    /// One commit.
    Commit {
        /// Its hash.
        sha: String,
    },
}
