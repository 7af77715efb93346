//! Credentials: the secrets in a vault. They go in and never come out again.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::credential_auth::{CredentialAuth, NewAuth, UpdateAuth};
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::page::{Page, all, push};
use crate::cma::patch::Patch;
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

impl CmaClient {
    /// The credentials in vaults.
    #[must_use]
    pub const fn credentials(&self) -> Credentials<'_> {
        Credentials(self)
    }
}

/// Calls on credentials; from [`CmaClient::credentials`].
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a>(&'a CmaClient);

impl Credentials<'_> {
    /// Puts a credential into a vault; at most 20 fit. Nothing tries the secret: a bad one shows in a session.
    ///
    /// # Errors
    /// 409 if an active credential of the vault has the same server URL, or the same secret name.
    pub async fn create(&self, vault: &str, credential: &CreateCredential) -> Result<Credential, CmaError> {
        let call = Call::post("vaults").id("vault", vault)?.then("credentials").json(credential)?;
        self.0.json(call, "the credential").await
    }

    /// Reads a credential, without its secrets.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn retrieve(&self, vault: &str, id: &str) -> Result<Credential, CmaError> {
        self.0.json(one(Call::get("vaults"), vault, id)?, "the credential").await
    }

    /// Changes secrets, name or metadata; running sessions take new secrets up. What identifies a credential (server
    /// URL, secret name) cannot change: archive it and create another.
    ///
    /// # Errors
    /// 400 for a part that cannot change; 404 if there is none of that id.
    pub async fn update(
        &self,
        vault: &str,
        id: &str,
        update: &UpdateCredential,
    ) -> Result<Credential, CmaError> {
        self.0.json(one(Call::post("vaults"), vault, id)?.json(update)?, "the credential").await
    }

    /// Wipes the secret, keeps the rest, and frees the server URL or secret name for another.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn archive(&self, vault: &str, id: &str) -> Result<Credential, CmaError> {
        self.0.json(one(Call::post("vaults"), vault, id)?.then("archive"), "the credential").await
    }

    /// Deletes a credential.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn delete(&self, vault: &str, id: &str) -> Result<(), CmaError> {
        self.0.bytes(one(Call::delete("vaults"), vault, id)?, "the deletion").await.map(drop)
    }

    /// Lets the service try an `mcp_oauth` credential; the answer is in the service's form, its `status` is `valid`,
    /// `invalid` or `unknown`.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn validate_mcp_oauth(&self, vault: &str, id: &str) -> Result<Value, CmaError> {
        self.0.json(one(Call::post("vaults"), vault, id)?.then("mcp_oauth_validate"), "the validation").await
    }

    /// One page of the credentials of a vault, newest first.
    ///
    /// # Errors
    /// 404 if there is no such vault.
    pub async fn list(&self, vault: &str, list: &ListCredentials) -> Result<Page<Credential>, CmaError> {
        self.0.json(credentials(vault, list, list.page.as_deref())?, "the credentials").await
    }

    /// Every credential of a vault, page after page.
    #[must_use]
    pub fn all(
        &self,
        vault: &str,
        list: ListCredentials,
    ) -> BoxStream<'static, Result<Credential, CmaError>> {
        let vault = vault.to_owned();
        all(self.0.clone(), "the credentials", move |page| {
            credentials(&vault, &list, page.or(list.page.as_deref()))
        })
    }
}

fn one(call: Call, vault: &str, id: &str) -> Result<Call, CmaError> {
    call.id("vault", vault)?.then("credentials").id("credential", id)
}

fn credentials(vault: &str, list: &ListCredentials, page: Option<&str>) -> Result<Call, CmaError> {
    Ok(Call::get("vaults").id("vault", vault)?.then("credentials").query(list.query(page)))
}

/// A new credential.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CreateCredential {
    /// The secret, and what it opens.
    pub auth: NewAuth,
    /// What it is called: at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The caller's own words about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl CreateCredential {
    /// A credential without a name.
    pub fn new(auth: NewAuth) -> Self {
        Self { auth, display_name: None, metadata: BTreeMap::new() }
    }
}

/// A partial change of a credential.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateCredential {
    /// New secrets; the kind must be the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<UpdateAuth>,
    /// What it is called.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub display_name: Patch<String>,
    /// A value sets the key, `None` deletes it, other keys stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Option<String>>,
}

/// A credential as the service shows it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Credential {
    /// `vcrd_…`
    pub id: String,
    /// `vlt_…`
    #[serde(default)]
    pub vault_id: String,
    /// What it is called.
    #[serde(default)]
    pub display_name: Option<String>,
    /// What it opens.
    #[serde(default)]
    pub auth: Option<CredentialAuth>,
    /// The caller's own words about it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// When it was archived, if it was.
    #[serde(default)]
    pub archived_at: Option<Timestamp>,
}

/// Which credentials to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListCredentials {
    /// 1 to 100 a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
}

impl ListCredentials {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "include_archived", self.include_archived);
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}
