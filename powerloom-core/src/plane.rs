//! What the door and the loops share: the ports, the catalogue, the bounds, and what is kept in memory.

use crate::approval::notifier::Notices;
use crate::authz::{AuthzSnapshot, Decision};
use crate::authz_cache::AuthzCache;
use crate::clock::{Clock, Timestamp};
use crate::door::authorizer::{AccessRequest, Authorizer};
use crate::door::gate::Gate;
use crate::entropy::Entropy;
use crate::error::{Error, Result};
use crate::id::OrgId;
use crate::limits::Limits;
use crate::log_tree::LogTrees;
use crate::record::{RecordRow, ResourceKey, Schema};
use crate::resource::catalogue::Catalogue;
use crate::resource::environment::{Environment, SHARED_ENVIRONMENT};
use crate::resource::kind::Kind;
use crate::secret::Sealer;
use crate::session::hub::Hub;
use crate::store::{OrgRow, Store};
use std::sync::Arc;
use tokio::sync::Notify;

/// The parts of one control plane.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) catalogue: Catalogue,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    /// An embedder's own gate, asked before the approval policies.
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) notices: Notices,
    pub(crate) sealer: Option<Sealer>,
    pub(crate) limits: Limits,
    /// Audit payloads get a salt, so that an erased one cannot be guessed back.
    pub(crate) salted: bool,
    pub(crate) authz: AuthzCache,
    /// For proofs about the audit chains.
    pub(crate) log_trees: LogTrees,
    /// Something may have become dirty.
    pub(crate) reconcile_wake: Notify,
    /// A session was started, or is to be stopped.
    pub(crate) session_wake: Notify,
    pub(crate) hub: Hub,
}

impl Plane {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Decides whether a caller may. Whatever the authorizer says, nothing beyond the caller's reach: a delegated call
    /// never does what no tool of its kind may (rows M24–M27).
    pub(crate) fn decide(&self, snapshot: &AuthzSnapshot, request: &AccessRequest<'_>) -> Decision {
        let decision = self.authorizer.decide(snapshot, request);
        let within = request.caller.reach().contains(request.permission);
        if within || !decision.is_allowed() { decision } else { decision.beyond_ceiling() }
    }

    /// The same parts over another store, with nothing in memory yet.
    pub(crate) fn over(&self, store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            catalogue: self.catalogue.clone(),
            authorizer: self.authorizer.clone(),
            gate: self.gate.clone(),
            notices: self.notices.clone(),
            sealer: self.sealer.clone(),
            limits: self.limits.clone(),
            salted: self.salted,
            authz: AuthzCache::default(),
            reconcile_wake: Notify::new(),
            session_wake: Notify::new(),
            hub: Hub::default(),
            log_trees: LogTrees::default(),
        }
    }

    /// Loads the authorization data anew for somebody it does not know; whether it did.
    pub(crate) async fn catch_up(&self, org: OrgId, now: Timestamp) -> Result<bool> {
        self.authz.catch_up(self.store.as_ref(), org, now, self.limits.authz_staleness).await
    }

    /// The organization; an unknown one does not exist.
    pub(crate) async fn org(&self, org: OrgId) -> Result<OrgRow> {
        self.store.org(org).await?.ok_or_else(|| Error::not_found("organization", org))
    }

    /// The record, archived or not.
    pub(crate) async fn row(&self, org: OrgId, key: &ResourceKey) -> Result<RecordRow> {
        self.store.record(org, key).await?.ok_or_else(|| Error::not_found(key.kind.as_str(), key.id))
    }

    /// The kind of a row.
    pub(crate) fn kind_of(&self, row: &RecordRow) -> Result<&Arc<dyn Kind>> {
        Ok(self.catalogue.kind(&row.kind)?)
    }

    pub(crate) fn sealer(&self) -> Result<&Sealer> {
        self.sealer.as_ref().ok_or_else(|| Error::Internal {
            message: "no master key is configured: give the control plane a key provider".to_owned(),
        })
    }

    /// The environment every agent of the organization shares (row P37).
    pub(crate) async fn environment(&self, org: &OrgRow) -> Result<Option<ResourceKey>> {
        let unique = format!("{}/{SHARED_ENVIRONMENT}", org.root_ou);
        let row = self.store.record_by_unique_key(org.id, &Environment::KIND, &unique).await?;
        Ok(row.map(|row| row.key()))
    }
}
