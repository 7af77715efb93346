//! From an issuer's name to its keys.

use crate::client::Client;
use crate::endpoint::{Cleartext, Endpoint};
use crate::oidc::error::OidcError;
use bytes::Bytes;
use powerloom_core::clock::Timestamp;
use powerloom_core::invalid::Invalid;
use powerloom_core::token::external::{ForeignKeySet, MAX_JWKS_LEN};
use reqwest::header::ACCEPT;
use serde::Deserialize;
use std::time::Duration;

/// Longest discovery document that is read: 64 KiB.
const MAX_DISCOVERY_LEN: usize = 64 * 1024;
const DISCOVERY: &str = "the discovery document";
const JWKS: &str = "the JWK set";

/// Where an issuer says what it is.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: String,
    endpoint: Endpoint,
    client: Client,
}

/// What is read of the document (OpenID Connect Discovery 1.0, 3).
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Discovery {
    pub(super) fn of(issuer: &str) -> Result<Self, OidcError> {
        let well_known = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let endpoint = Endpoint::parse("issuer", &well_known, Cleartext::Loopback)?;
        if endpoint.url().query().is_some() {
            return Err(Invalid::new("issuer", issuer, "a URL without query and fragment").into());
        }
        let client = Client::to(&endpoint).map_err(|source| OidcError::Setup { source })?;
        Ok(Self { issuer: issuer.to_owned(), endpoint, client })
    }

    /// Fetches the document, then the keys it points to; each within `limit`.
    pub(super) async fn fetch(&self, limit: Duration, now: Timestamp) -> Result<ForeignKeySet, OidcError> {
        let document = get(&self.client, &self.endpoint, limit, MAX_DISCOVERY_LEN, now, DISCOVERY).await?;
        let document: Document = serde_json::from_slice(&document)
            .map_err(|_| refused(DISCOVERY, "it has no `issuer` and `jwks_uri`"))?;
        if document.issuer != self.issuer {
            return Err(refused(DISCOVERY, "it names another issuer"));
        }
        let keys_at = Endpoint::parse("jwks_uri", &document.jwks_uri, Cleartext::Loopback)?;
        // An issuer elsewhere has no business on this machine.
        if keys_at.is_loopback() && !self.endpoint.is_loopback() {
            return Err(refused(DISCOVERY, "its `jwks_uri` points to this machine"));
        }
        let client = Client::to(&keys_at).map_err(|source| OidcError::Setup { source })?;
        let keys = get(&client, &keys_at, limit, MAX_JWKS_LEN, now, JWKS).await?;
        ForeignKeySet::from_jwks(&keys).map_err(|invalid| refused(JWKS, &invalid.to_string()))
    }
}

async fn get(
    client: &Client,
    endpoint: &Endpoint,
    limit: Duration,
    most: usize,
    now: Timestamp,
    what: &'static str,
) -> Result<Bytes, OidcError> {
    let request = client.http().get(endpoint.url().clone()).header(ACCEPT, "application/json");
    client.send(request, limit, most, now).await.map_err(|source| OidcError::Fetch { what, source })
}

fn refused(what: &'static str, problem: &str) -> OidcError {
    OidcError::Document { what, problem: problem.to_owned() }
}
