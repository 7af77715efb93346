//! The control plane of an installation: the way in for every face.

use crate::approval::notifier::{ApprovalNotifier, Notices};
use crate::audit::AuditHead;
use crate::authz::{AuthzSnapshot, Decision, Resolution};
use crate::authz_cache::AuthzCache;
use crate::clock::{Clock, SystemClock};
use crate::door::authorizer::{AccessRequest, Authorizer, Rbac};
use crate::door::caller::Caller;
use crate::door::gate::{Gate, NoPolicy};
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::door::submit::SubmitOptions;
use crate::door::work::Work;
use crate::entropy::{Entropy, SystemEntropy};
use crate::error::{Error, Result};
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::limits::Limits;
use crate::log_tree::LogTrees;
use crate::page::{Page, Walk};
use crate::permission::Permission;
use crate::plane::Plane;
use crate::principal::PrincipalRef;
use crate::record::{RecordRow, ResourceKey};
use crate::resource::catalogue::Catalogue;
use crate::resource::kind::Kind;
use crate::secret::{KeyProvider, Sealer};
use crate::session::hub::Hub;
use crate::store::{MAX_PAGE, Order, OrgRow, RecordCursor, RecordQuery, Store};
use crate::verify_log::{VerifyReport, verify_log};
use std::sync::Arc;
use tokio::sync::Notify;

/// The way in: declare, ask, invoke, read back.
///
/// It is cheap to clone; clones share everything. Several of them, in several processes, may work on one store.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    pub(crate) plane: Arc<Plane>,
}

/// Puts a control plane together.
#[derive(Debug)]
#[must_use]
pub struct ControlPlaneBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    authorizer: Arc<dyn Authorizer>,
    gate: Arc<dyn Gate>,
    notices: Notices,
    keys: Option<Arc<dyn KeyProvider>>,
    catalogue: Catalogue,
    limits: Limits,
    salted: bool,
}

impl ControlPlaneBuilder {
    /// Tells the time; the machine's clock unless said otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Gives randomness; the operating system's unless said otherwise.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Decides who may; [`Rbac`] unless said otherwise.
    pub fn authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer = authorizer;
        self
    }

    /// Holds changes back, beside the organization's approval policies and before them; nothing does unless said otherwise.
    pub fn gate(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Tells people of approval requests; they are only logged unless said otherwise.
    pub fn notifier(mut self, notifier: Arc<dyn ApprovalNotifier>) -> Self {
        self.notices = Notices::to(notifier);
        self
    }

    /// Gives the master key that seals secrets. Without one, credentials cannot be created.
    pub fn keys(mut self, keys: Arc<dyn KeyProvider>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Leaves the salt out of audit payloads, so that equal changes have equal hashes. For tests and vectors only.
    pub fn unsalted(mut self) -> Self {
        self.salted = false;
        self
    }

    /// Adds a kind of the embedder's own.
    ///
    /// # Errors
    /// [`Invalid`] if a kind of that name exists already.
    pub fn kind(mut self, kind: Arc<dyn Kind>) -> std::result::Result<Self, Invalid> {
        self.catalogue.register(kind)?;
        Ok(self)
    }

    /// Puts it together.
    #[must_use]
    pub fn build(self) -> ControlPlane {
        let sealer = self.keys.map(|keys| Sealer::new(keys, self.entropy.clone()));
        ControlPlane {
            plane: Arc::new(Plane {
                store: self.store,
                clock: self.clock,
                entropy: self.entropy,
                catalogue: self.catalogue,
                authorizer: self.authorizer,
                gate: self.gate,
                notices: self.notices,
                sealer,
                limits: self.limits,
                salted: self.salted,
                authz: AuthzCache::default(),
                log_trees: LogTrees::default(),
                reconcile_wake: Notify::new(),
                session_wake: Notify::new(),
                hub: Hub::default(),
            }),
        }
    }
}

impl ControlPlane {
    /// A control plane over `store`.
    pub fn builder(store: Arc<dyn Store>) -> ControlPlaneBuilder {
        ControlPlaneBuilder {
            store,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            authorizer: Arc::new(Rbac),
            gate: Arc::new(NoPolicy),
            notices: Notices::default(),
            keys: None,
            catalogue: Catalogue::default(),
            limits: Limits::default(),
            salted: true,
        }
    }

    /// Passes a change through the door.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Denied`] (which is audited), [`Error::NotFound`], [`Error::Conflict`],
    /// [`Error::VersionMismatch`]; or the store's. After any of them, nothing has changed; only a store that answers
    /// `maybe_applied` cannot say.
    ///
    /// # Cancel safety
    /// Dropped, the change has happened with its audit row, or not at all.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::mutation::Action;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let spec = serde_json::Map::new();
    /// let change = Action::create("OU".parse()?, acme.root_ou, &"engineering".parse()?, spec);
    /// let outcome = cp.submit(&acme.admin_caller(), change.clone()).await?;
    /// assert_eq!(outcome.record().map(|ou| ou.meta.name.as_str()), Some("engineering"));
    /// assert_eq!(cp.submit(&acme.admin_caller(), change).await.unwrap_err().code(), "name_taken");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn submit(&self, caller: &Caller, mutation: impl Into<Mutation>) -> Result<Outcome> {
        self.submit_with(caller, mutation, &SubmitOptions::default()).await
    }

    /// Passes a change through the door, with an idempotency key or a justification.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and `idempotency_mismatch` for a key that was used for another change.
    ///
    /// # Cancel safety
    /// As [`submit`](Self::submit); with an idempotency key, sending it again is safe.
    pub async fn submit_with(
        &self,
        caller: &Caller,
        mutation: impl Into<Mutation>,
        options: &SubmitOptions,
    ) -> Result<Outcome> {
        self.plane.submit(caller, &mutation.into(), options).await
    }

    /// The kinds that can be declared.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.plane.catalogue
    }

    /// The bounds it works within.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.plane.limits
    }

    /// The store underneath.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.plane.store
    }

    /// The clock everything is judged by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.plane.clock
    }

    /// The organization's authorization as of at most [`Limits::authz_staleness`] ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown organization, or the store's.
    pub async fn authz(&self, org: OrgId) -> Result<Arc<AuthzSnapshot>> {
        let plane = &self.plane;
        plane.authz.get(plane.store.as_ref(), org, plane.now(), plane.limits.authz_staleness).await
    }

    /// Decides whether the caller may, and says why.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown organization, or the store's.
    pub async fn decide(&self, caller: &Caller, permission: Permission, ou: ResourceId) -> Result<Decision> {
        let at = self.plane.now();
        let request = AccessRequest { caller, permission, ou, at };
        let decision = self.plane.decide(&*self.authz(caller.org).await?, &request);
        let unknown = matches!(decision.resolution, Resolution::UnknownPrincipal | Resolution::UnknownOu);
        if unknown && self.plane.catch_up(caller.org, at).await? {
            return Ok(self.plane.decide(&*self.authz(caller.org).await?, &request));
        }
        Ok(decision)
    }

    pub(crate) async fn require(
        &self,
        caller: &Caller,
        permission: Permission,
        ou: ResourceId,
    ) -> Result<()> {
        let decision = self.decide(caller, permission, ou).await?;
        if decision.is_allowed() { Ok(()) } else { Err(Error::Denied(Box::new(decision))) }
    }

    /// Explains whether `principal` may. Asking about somebody else needs `binding:read` there; asking about oneself
    /// counts what narrows the caller's token.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`] for an unknown principal.
    pub async fn explain(
        &self,
        caller: &Caller,
        principal: &PrincipalRef,
        permission: Permission,
        ou: ResourceId,
    ) -> Result<Decision> {
        let mut snapshot = self.authz(caller.org).await?;
        if snapshot.resolve(principal).is_none() && self.plane.catch_up(caller.org, self.plane.now()).await? {
            snapshot = self.authz(caller.org).await?;
        }
        let who = snapshot.resolve(principal);
        if who.as_ref() == Some(&caller.principal) {
            return self.decide(caller, permission, ou).await;
        }
        // First: whether somebody exists is not for everybody to know.
        self.require(caller, Permission::BINDING_READ, ou).await?;
        let who = who.ok_or_else(|| Error::not_found("principal", principal))?;
        Ok(snapshot.decide(&who, permission, ou, self.plane.now()))
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a record of another organization; [`Error::Denied`].
    pub async fn get(&self, caller: &Caller, key: &ResourceKey) -> Result<RecordRow> {
        let row = self.plane.row(caller.org, key).await?;
        let read = self.plane.kind_of(&row)?.permissions().read;
        self.require(caller, read, Work::judged_at(&row)).await?;
        Ok(row)
    }

    /// Whether the caller may read this record. One of a kind this program does not know has no permission to read it by.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn may_read(&self, caller: &Caller, row: &RecordRow) -> Result<bool> {
        let Ok(kind) = self.plane.kind_of(row) else { return Ok(false) };
        Ok(self.decide(caller, kind.permissions().read, Work::judged_at(row)).await?.is_allowed())
    }

    /// Lists the records the caller may read (C32). A page may be shorter than asked for and yet not be the last: go on
    /// from its last row until one is empty. It walks over the whole list if need be: see [`list_page`](Self::list_page).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, caller: &Caller, query: &RecordQuery) -> Result<Vec<RecordRow>> {
        let mut query = query.clone();
        loop {
            let page = self.list_page(caller, &query).await?;
            if !page.rows.is_empty() || page.next.is_none() {
                return Ok(page.rows);
            }
            query.after = page.next;
        }
    }

    /// A page of the records the caller may read (C32), of which no more than
    /// [`MAX_LOOKED_AT`](crate::page::MAX_LOOKED_AT) are looked at: it may be empty and yet not be the last.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_page(&self, caller: &Caller, query: &RecordQuery) -> Result<Page<RecordRow>> {
        self.walk(caller, query, |_| true).await
    }

    /// The same of the records of a kind with this name, wherever they are. Only they are looked at, however many others
    /// there are. `query` names the kind; its order does not matter.
    ///
    /// # Errors
    /// `invalid` without a kind, or those of the store.
    pub async fn list_page_named(
        &self,
        caller: &Caller,
        name: &str,
        query: &RecordQuery,
    ) -> Result<Page<RecordRow>> {
        let query = from_name(query, name)?;
        self.walk(caller, &query, |row| row.meta.name == name).await
    }

    /// A page of what the caller may read of the rows from the query's start to the first that is not `within`.
    pub(crate) async fn walk(
        &self,
        caller: &Caller,
        query: &RecordQuery,
        within: impl Fn(&RecordRow) -> bool,
    ) -> Result<Page<RecordRow>> {
        let most = if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) };
        let mut walk = Walk::new(self.plane.store.as_ref(), caller.org, query.clone());
        let mut rows = Vec::new();
        while rows.len() < most
            && let Some(row) = walk.next().await?
        {
            if !within(&row) {
                walk.end();
            } else if self.may_read(caller, &row).await? {
                rows.push(row);
            }
        }
        Ok(walk.page(rows))
    }

    /// The caller's organization, and whether its reconciling rests because the runtime refuses the key.
    ///
    /// # Errors
    /// [`Error::Denied`] without `organization:read` at the root.
    pub async fn organization(&self, caller: &Caller) -> Result<OrgRow> {
        let org = self.plane.org(caller.org).await?;
        self.require(caller, Permission::ORGANIZATION_READ, org.root_ou).await?;
        Ok(org)
    }

    /// Verifies the organization's whole chain, a page at a time. A `trusted` head kept elsewhere also shows a cut tail.
    ///
    /// # Errors
    /// [`Error::Denied`] without `audit:verify` at the root. A broken chain is not an error but the answer: see
    /// [`VerifyReport`].
    pub async fn verify_audit(&self, caller: &Caller, trusted: Option<AuditHead>) -> Result<VerifyReport> {
        self.require(caller, Permission::AUDIT_VERIFY, self.plane.org(caller.org).await?.root_ou).await?;
        Ok(verify_log(self.plane.store.as_ref(), caller.org, trusted).await?)
    }
}

/// The same query from where the names begin with `start`. Lists are in the order of names.
///
/// # Errors
/// [`Invalid`] if it names no kind.
pub(crate) fn from_name(query: &RecordQuery, start: &str) -> std::result::Result<RecordQuery, Invalid> {
    let kind = query.kind.clone().ok_or_else(|| Invalid::hidden("kind", "a kind"))?;
    let id = ResourceId::from_uuid(uuid::Uuid::nil());
    let first = RecordCursor { kind, name: start.to_owned(), id };
    let later = query.after.clone().filter(|after| after.name.as_str() >= start);
    Ok(RecordQuery { order: Order::Ascending, after: Some(later.unwrap_or(first)), ..query.clone() })
}
