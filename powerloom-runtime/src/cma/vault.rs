//! Vaults: sets of credentials a session is given when it is created.

use crate::cma::call::{Call, Query};
use crate::cma::client::CmaClient;
use crate::cma::error::CmaError;
use crate::cma::lenient::null_is_empty;
use crate::cma::page::{Page, all, push};
use futures::stream::BoxStream;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

impl CmaClient {
    /// The vaults of the key's workspace.
    #[must_use]
    pub const fn vaults(&self) -> Vaults<'_> {
        Vaults(self)
    }
}

/// Calls on vaults; from [`CmaClient::vaults`].
#[derive(Debug, Clone, Copy)]
pub struct Vaults<'a>(&'a CmaClient);

impl Vaults<'_> {
    /// Creates a vault. Not idempotent: see [`CmaError::maybe_applied`].
    ///
    /// # Errors
    /// 400 for a display name that is empty or longer than 255 characters.
    pub async fn create(&self, vault: &CreateVault) -> Result<Vault, CmaError> {
        self.0.json(Call::post("vaults").json(vault)?, "the vault").await
    }

    /// Reads a vault; it does not name its credentials.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn retrieve(&self, id: &str) -> Result<Vault, CmaError> {
        self.0.json(Call::get("vaults").id("vault", id)?, "the vault").await
    }

    /// Changes what `update` names.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn update(&self, id: &str, update: &UpdateVault) -> Result<Vault, CmaError> {
        self.0.json(Call::post("vaults").id("vault", id)?.json(update)?, "the vault").await
    }

    /// Archives a vault with all its credentials, whose secrets are wiped. Running sessions go on.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn archive(&self, id: &str) -> Result<Vault, CmaError> {
        self.0.json(Call::post("vaults").id("vault", id)?.then("archive"), "the vault").await
    }

    /// Deletes a vault with all its credentials.
    ///
    /// # Errors
    /// 404 if there is none of that id.
    pub async fn delete(&self, id: &str) -> Result<(), CmaError> {
        self.0.bytes(Call::delete("vaults").id("vault", id)?, "the deletion").await.map(drop)
    }

    /// One page of vaults, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that is not of this list.
    pub async fn list(&self, list: &ListVaults) -> Result<Page<Vault>, CmaError> {
        self.0.json(Call::get("vaults").query(list.query(list.page.as_deref())), "the vaults").await
    }

    /// Every vault, page after page.
    #[must_use]
    pub fn all(&self, list: ListVaults) -> BoxStream<'static, Result<Vault, CmaError>> {
        all(self.0.clone(), "the vaults", move |page| {
            Ok(Call::get("vaults").query(list.query(page.or(list.page.as_deref()))))
        })
    }
}

/// A new vault.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CreateVault {
    /// What it is called: 1 to 255 characters.
    pub display_name: String,
    /// The caller's own words about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl CreateVault {
    /// A vault with a name, and nothing else.
    pub fn new(display_name: impl Into<String>) -> Self {
        Self { display_name: display_name.into(), metadata: BTreeMap::new() }
    }
}

/// A partial change of a vault.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateVault {
    /// What it is called; cannot be cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A value sets the key, `None` deletes it, other keys stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Option<String>>,
}

/// A vault as the service holds it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Vault {
    /// `vlt_…`
    pub id: String,
    /// What it is called.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub display_name: String,
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

/// Which vaults to list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListVaults {
    /// 1 to 100 a page; the service's default is 20.
    pub limit: Option<u32>,
    /// The cursor to go on from.
    pub page: Option<String>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
}

impl ListVaults {
    fn query(&self, page: Option<&str>) -> Query {
        let mut query = Query::new();
        push(&mut query, "include_archived", self.include_archived);
        push(&mut query, "limit", self.limit);
        push(&mut query, "page", page);
        query
    }
}
