//! Identity providers whose access tokens are believed: `[[issuers]]` of the file.

use anyhow::{Context, bail};
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::store::Store;
use powerloom_core::token::external::{ForeignAlgorithm, IssuerConfig, OrgMapping, UserMapping};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerSettings {
    /// The `iss` of its tokens, letter by letter.
    pub(crate) issuer: String,
    /// The `aud` its tokens for us have; our own unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
    /// The slug of the organization all its tokens are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<String>,
    /// Or: the claim that says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization_claim: Option<String>,
    /// What its texts mean: slugs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) organizations: BTreeMap<String, String>,
    /// Users are found by their proven address, if it is of one of these domains.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) email_domains: BTreeSet<String>,
    /// Or: by this table from `sub` to the user's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) subjects: BTreeMap<String, ResourceId>,
    /// The algorithms its keys may have: `EdDSA`, `ES256`, `RS256`; all of them unless said otherwise.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) algorithms: BTreeSet<String>,
}

impl IssuerSettings {
    /// What the core is told of it.
    pub(crate) async fn resolve(&self, store: &dyn Store, audience: &str) -> anyhow::Result<IssuerConfig> {
        let name = &self.issuer;
        let org = match (&self.organization, &self.organization_claim) {
            (Some(slug), None) => OrgMapping::Fixed(organization(store, name, slug).await?),
            (None, Some(claim)) => {
                let mut orgs = BTreeMap::new();
                for (text, slug) in &self.organizations {
                    orgs.insert(text.clone(), organization(store, name, slug).await?);
                }
                OrgMapping::Claim { claim: claim.clone(), orgs }
            }
            _ => bail!("issuer `{name}`: say `organization` or `organization_claim`, and not both"),
        };
        let user = match (self.email_domains.is_empty(), self.subjects.is_empty()) {
            (false, true) => UserMapping::VerifiedEmail { domains: self.email_domains.clone() },
            (true, false) => UserMapping::Sub(self.subjects.clone()),
            _ => bail!("issuer `{name}`: say `email_domains` or `subjects`, and not both"),
        };
        let audience = self.audience.as_deref().unwrap_or(audience);
        let config = IssuerConfig::new(name, audience, org, user);
        if self.algorithms.is_empty() {
            return Ok(config);
        }
        let algorithms = self.algorithms.iter().map(|text| algorithm(name, text));
        Ok(config.with_algorithms(algorithms.collect::<anyhow::Result<Vec<_>>>()?))
    }
}

async fn organization(store: &dyn Store, issuer: &str, slug: &str) -> anyhow::Result<OrgId> {
    let found = store.org_by_slug(slug).await?;
    let found = found.with_context(|| {
        format!("issuer `{issuer}`: there is no organization `{slug}`; `weave bootstrap` makes one")
    })?;
    Ok(found.id)
}

fn algorithm(issuer: &str, text: &str) -> anyhow::Result<ForeignAlgorithm> {
    match text {
        "EdDSA" => Ok(ForeignAlgorithm::EdDsa),
        "ES256" => Ok(ForeignAlgorithm::Es256),
        "RS256" => Ok(ForeignAlgorithm::Rs256),
        _ => bail!(
            "issuer `{issuer}`: `algorithms` has `{text}`, which is not allowed: expected `EdDSA`, `ES256` or `RS256`"
        ),
    }
}
