//! Files a session can be given.

use crate::cma::call::Call;
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::upload::{UploadFile, form};
use powerloom_core::clock::Timestamp;
use serde::Deserialize;
use std::slice;

impl CmaClient {
    /// The files of the key's workspace.
    #[must_use]
    pub const fn files(&self) -> Files<'_> {
        Files(self)
    }
}

/// Calls on files; from [`CmaClient::files`]. They are out of beta: no beta name is sent.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a>(&'a CmaClient);

impl Files<'_> {
    /// Uploads a file of at most 32 MiB. Not idempotent.
    ///
    /// # Errors
    /// 400 with the code `storage_quota_exceeded`.
    pub async fn upload(&self, file: &UploadFile) -> Result<File, CmaError> {
        let form = form("file", slice::from_ref(file))?;
        self.0.json(Call::post("files").without_beta().form(form), "the file").await
    }

    /// Reads what is known of a file.
    ///
    /// # Errors
    /// 404 if there is none of that id, or no more (`file_expired`).
    pub async fn retrieve(&self, id: &str) -> Result<File, CmaError> {
        self.0.json(Call::get("files").without_beta().id("file", id)?, "the file").await
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn delete(&self, id: &str) -> Result<(), CmaError> {
        let call = Call::delete("files").without_beta().id("file", id)?;
        self.0.bytes(call, "the deletion").await.map(drop)
    }
}

/// What is known of a file.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct File {
    /// `file_…`
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub filename: String,
    /// What it is.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub mime_type: String,
    /// How large it is, in bytes.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// When it was uploaded.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it is deleted, if it is.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}
