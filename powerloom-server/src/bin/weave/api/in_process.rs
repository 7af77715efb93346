//! A store without a server: the same router, called in this process.

use crate::api::{Broken, Incoming, Transport};
use crate::failure::Usage;
use crate::options::variable;
use anyhow::Context;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::name::Email;
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use powerloom_core::secret::{EnvKeys, FileKeys, KeyProvider, MASTER_KEY_VARIABLE, MemoryKeys};
use powerloom_core::store::{OrgRow, Store};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_server::{Config, router};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The issuer of tokens that are good in this process alone: the key that signs them is forgotten with it.
const ISSUER: &str = "weave:in-process";

/// How long a token is good. Each request gets its own.
const LIFETIME: Duration = Duration::from_secs(60);

/// A router over a store.
pub(crate) struct InProcess {
    router: Router,
    tokens: TokenService,
    org: OrgId,
    user: ResourceId,
    host: String,
}

impl InProcess {
    /// The organization `org` of the store at `url`, as the user `email`.
    ///
    /// Without an organization it is the only one there is; without a user, the only enabled one who is answerable for
    /// everything: who may bind roles at the root. In `memory:`, which is always empty, both are made, `acme` and
    /// `admin@<organization>.com` unless named.
    ///
    /// # Errors
    /// [`Usage`] where there is none, or more than one; a store or keys that cannot be opened.
    pub(crate) async fn open(
        url: &str,
        org: Option<&str>,
        email: Option<&str>,
        master_keys: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let store =
            powerloom_store::open(url).await.with_context(|| format!("the store `{}`", kind_of(url)))?;
        let mut builder = ControlPlane::builder(Arc::clone(&store));
        if let Some(keys) = keys(master_keys, kind_of(url) == "memory")? {
            builder = builder.keys(keys);
        }
        let loom = builder.build();
        if kind_of(url) == "memory" {
            let slug = org.unwrap_or("acme");
            let admin = email.map_or_else(|| format!("admin@{slug}.com"), str::to_owned);
            loom.bootstrap(&slug.parse()?, &admin.parse()?).await?;
        }
        let org = organization(store.as_ref(), org).await?;
        let user = user(&loom, &org, email).await?;
        let signing = MemorySigningKeys::new(KeySet::new(SigningKey::generate_ed25519(&SystemEntropy)?));
        let tokens = TokenService::new(&loom, Arc::new(signing), TokenOptions::new(ISSUER, ISSUER))?;
        let config = Config::new(tokens.clone());
        let router = router(loom, config, CancellationToken::new());
        Ok(Self { router, tokens, org: org.id, user, host: format!("{} (no server)", shown(url)) })
    }
}

/// The master keys: a file, or a variable of the environment. A store that stays is never sealed with keys that are lost with
/// this process: without any it refuses secrets.
fn keys(file: Option<&Path>, forgets: bool) -> anyhow::Result<Option<Arc<dyn KeyProvider>>> {
    Ok(match file {
        Some(path) => Some(Arc::new(FileKeys::open(path, &SystemEntropy)?)),
        None if variable(MASTER_KEY_VARIABLE).is_some() => Some(Arc::new(EnvKeys::from_env()?)),
        None if forgets => Some(Arc::new(MemoryKeys::generate(&SystemEntropy))),
        None => None,
    })
}

/// `sqlite`, `memory`, …: the scheme of a store's URL.
fn kind_of(url: &str) -> &str {
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

/// A store's URL for people: without what may be a password.
pub(crate) fn shown(url: &str) -> &str {
    let url = url.split('?').next().unwrap_or_default();
    if matches!(kind_of(url), "sqlite" | "memory") { url } else { kind_of(url) }
}

async fn organization(store: &dyn Store, slug: Option<&str>) -> anyhow::Result<OrgRow> {
    if let Some(slug) = slug {
        let found = store.org_by_slug(slug).await?;
        return Ok(found.ok_or_else(|| Usage(format!("the store has no organization `{slug}`")))?);
    }
    let mut orgs = store.orgs().await?;
    match (orgs.pop(), orgs.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => {
            Err(Usage("the store has no organization yet: make one with `weave bootstrap`".to_owned()).into())
        }
        (Some(last), others) => {
            let mut slugs: Vec<&str> = others.iter().map(|org| org.slug.as_str()).collect();
            slugs.push(&last.slug);
            slugs.sort_unstable();
            Err(Usage(format!(
                "the store has several organizations, name one with `--org`: {}",
                slugs.join(", ")
            ))
            .into())
        }
    }
}

async fn user(loom: &ControlPlane, org: &OrgRow, email: Option<&str>) -> anyhow::Result<ResourceId> {
    let snapshot = loom.authz(org.id).await?;
    if let Some(email) = email {
        let address: Email = email.parse()?;
        let found = snapshot.user_by_email(&address);
        return Ok(found.ok_or_else(|| Usage(format!("`{}` has no user `{address}`", org.slug)))?);
    }
    let who = snapshot.who_can(Permission::BINDING_CREATE, org.root_ou, loom.clock().now());
    let mut admins: Vec<(ResourceId, String)> = who
        .iter()
        .filter_map(|who| match who {
            Principal::User(id) => {
                Some((*id, snapshot.written(who).map_or_else(String::new, |name| name.as_str().to_owned())))
            }
            _ => None,
        })
        .collect();
    admins.sort_by(|a, b| a.1.cmp(&b.1));
    match admins.as_slice() {
        [(only, _)] => Ok(*only),
        [] => {
            Err(Usage(format!("nobody administers `{}`: say who you are with `--as <e-mail>`", org.slug))
                .into())
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(_, name)| name.trim_start_matches("user:")).collect();
            Err(Usage(format!(
                "say who you are with `--as <e-mail>`; administrators are {}",
                names.join(", ")
            ))
            .into())
        }
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Incoming, Broken> {
        let failed = |message: &str| Broken { message: message.to_owned(), never_sent: false, source: None };
        let token = self.tokens.mint_access(self.org, self.user, LIFETIME).await;
        let token = token.map_err(|error| Broken {
            message: "nobody can be acted as".to_owned(),
            never_sent: false,
            source: Some(Box::new(error)),
        })?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_| failed("the token cannot be sent"))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let response = match self.router.clone().oneshot(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let cut = |error: axum::Error| Broken {
            message: "the answer was cut off".to_owned(),
            never_sent: false,
            source: Some(Box::new(error)),
        };
        let body = body.into_data_stream().map_err(cut).boxed();
        Ok(Incoming { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("host", &self.host).finish_non_exhaustive()
    }
}
