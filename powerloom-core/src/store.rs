//! What a backend implements: the one file its author must read.
//!
//! State changes through one atomic write, [`Commits::commit`]; everything else here reads, or is the bookkeeping
//! of the two loops (claims and settlements), which is not part of the audited control plane. Above each trait
//! stand its numbered guarantees; each number has a case in the `conformance` feature's suite.
//!
//! Every method takes an [`OrgId`], and an id of another organization reads as absent. The exceptions are named
//! where they stand: workers serve all organizations, and a ticket is found by a secret only its holder knows.

use crate::audit::{AuditDraft, AuditEntry, AuditHead, AuditQuery, SALT_LEN};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error_kind::ErrorKind;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::invalid::Invalid;
use crate::reconcile::backoff::Backoff;
use crate::reconcile::state::{Observation, SyncOutcome, SyncState};
use crate::record::{KindName, RecordRow, ResourceKey};
use crate::secret::SealedSecret;
use crate::session::event::{EventSeq, NewEvent, SessionEvent};
use crate::session::record::SessionRecord;
use crate::session::ticket::TicketRow;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Most rows one page of any list may have.
pub const MAX_PAGE: usize = 1000;

/// An organization, and what is counted per organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OrgRow {
    /// Its id.
    pub id: OrgId,
    /// Its slug: the name of the root OU, unique in the installation.
    pub slug: String,
    /// The root OU.
    pub root_ou: ResourceId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Raised by every commit that says [`Write::BumpAuthzEpoch`].
    pub authz_epoch: u64,
    /// Set while the runtime refuses the organization's key (sem. 2.4): nothing of it is claimed until then.
    #[cfg_attr(feature = "schema", schema(required))]
    pub paused: Option<Pause>,
}

/// Why an organization's reconciling rests, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = OrgPause))]
pub struct Pause {
    /// What the runtime said.
    pub reason: String,
    /// From this moment on one more try is made.
    pub until: Timestamp,
}

/// A stored answer of an earlier call with the same key (sem. 2.14).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdempotencyRow {
    /// Principal, operation and the caller's key, in one string.
    pub key: String,
    /// Hash of the first call's input.
    pub fingerprint: Digest,
    /// What the first call was answered.
    pub outcome: Value,
    /// From this moment on the row does not exist any more.
    pub expires_at: Timestamp,
}

/// What must be true for a commit to happen. All are judged at the same instant as the writes.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that does not know a precondition must not compile")]
pub enum Precondition {
    /// The record exists with exactly this version, or (0) does not exist at all.
    RecordVersion {
        /// Which.
        key: ResourceKey,
        /// The version that was read.
        version: u64,
    },
    /// The record exists and is live.
    Live(ResourceKey),
    /// The records that are not archived and refer to this one are exactly these, in any order.
    ReferredBy {
        /// What is referred to.
        target: ResourceKey,
        /// By what.
        by: Vec<ResourceKey>,
    },
    /// No record that is not archived is governed by this OU, other than the OU itself.
    EmptyOu(ResourceId),
    /// The organization's authorization data has not changed since it was read.
    AuthzEpoch(u64),
    /// No unexpired idempotency row has this key.
    IdempotencyFree(String),
    /// The session exists with exactly this version, or (0) does not exist at all.
    SessionVersion {
        /// Which.
        id: SessionId,
        /// The version that was read.
        version: u64,
    },
    /// The session is claimed with exactly this fence.
    SessionFence {
        /// Which.
        id: SessionId,
        /// The fence of the claim.
        fence: u64,
    },
    /// A ticket of this digest exists for this session and is valid at the commit's time.
    Ticket {
        /// SHA-256 of the ticket.
        digest: Digest,
        /// The session it is presented for.
        session: SessionId,
    },
    /// Nobody else than `holder` holds an unexpired lease on the session's stream.
    StreamFree {
        /// The session.
        session: SessionId,
        /// Who asks.
        holder: String,
    },
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that does not know a write must not compile")]
pub enum Write {
    /// Creates an organization. Refused as [`Refused::Exists`] if the id or the slug is taken.
    CreateOrg(OrgRow),
    /// Inserts or replaces a record. Refused as [`Refused::NameTaken`] if another record of the kind that is not
    /// archived has the same `unique_key`.
    PutRecord(Box<RecordRow>),
    /// Raises the authorization epoch by one.
    BumpAuthzEpoch,
    /// [`SyncState::desire`], on a new record if there is none.
    Desire {
        /// Which.
        key: ResourceKey,
        /// What it should be.
        desired: Digest,
    },
    /// [`SyncState::remove`], if there is a record.
    Remove(ResourceKey),
    /// [`SyncState::reset`], if there is a record; and ends the organization's pause.
    ResetSync(ResourceKey),
    /// Inserts or replaces a session. `last_seq` is the store's own: it is what the log says. So are `lease` and
    /// `fence` of a session that exists: only claims move them, so a stale copy cannot undo one.
    PutSession(Box<SessionRecord>),
    /// Appends to a session's log with the next numbers; an event whose id the log has already is dropped.
    AppendEvents {
        /// The session; it exists, or the same commit puts it before.
        session: SessionId,
        /// The events, oldest first.
        events: Vec<NewEvent>,
    },
    /// Keeps a ticket.
    PutTicket(TicketRow),
    /// Takes a ticket away: nobody can use it again.
    TakeTicket(Digest),
    /// Takes or prolongs the lease of a session's one stream.
    HoldStream {
        /// The session.
        session: SessionId,
        /// Who holds it.
        holder: String,
        /// Until when.
        until: Timestamp,
    },
    /// Gives the lease of a session's stream back, if `holder` has it.
    ReleaseStream {
        /// The session.
        session: SessionId,
        /// Who held it.
        holder: String,
    },
    /// Keeps a sealed secret of a record, in the place of an earlier one.
    PutSecret {
        /// The record it belongs to.
        owner: ResourceId,
        /// The sealed form.
        sealed: SealedSecret,
    },
    /// Destroys a record's secret.
    DeleteSecret(ResourceId),
    /// Keeps bytes under their digest.
    PutBlob {
        /// SHA-256 of the bytes.
        digest: Digest,
        /// The bytes.
        bytes: Bytes,
    },
    /// Keeps an answer; an expired one under the same key is replaced, another one stays.
    PutIdempotency(IdempotencyRow),
    /// Erases payload and salt of an audit row; the chain stays valid (sem. 2.9).
    EraseAuditPayload(u64),
}

/// A draft for the audit chain, with the salt its entry is to have (sem. 2.9).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data between the door and a backend")]
pub struct AuditWrite {
    /// What happened.
    pub draft: AuditDraft,
    /// Fresh random bytes, or `None` for a chain whose erased payloads may be guessed back.
    pub salt: Option<[u8; SALT_LEN]>,
}

/// One change of the control plane: all of it happens, or none of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The organization everything in it belongs to.
    pub org: OrgId,
    /// The moment it happens; every expiry in it is judged by this.
    pub at: Timestamp,
    /// What must be true.
    pub expect: Vec<Precondition>,
    /// What changes, in this order.
    pub write: Vec<Write>,
    /// What the audit chain says about it, in this order.
    pub audit: Vec<AuditWrite>,
}

impl Commit {
    /// A commit that does nothing yet.
    #[must_use]
    pub fn new(org: OrgId, at: Timestamp) -> Self {
        Self { org, at, expect: Vec::new(), write: Vec::new(), audit: Vec::new() }
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Committed {
    /// The head of the audit chain after it; `None` if it wrote no audit row.
    pub audit_head: Option<AuditHead>,
    /// The events it appended, with their numbers; duplicates are not among them.
    pub events: Vec<SessionEvent>,
    /// The authorization epoch after it.
    pub authz_epoch: u64,
}

impl Committed {
    /// The answer of a backend.
    #[must_use]
    pub fn new(audit_head: Option<AuditHead>, events: Vec<SessionEvent>, authz_epoch: u64) -> Self {
        Self { audit_head, events, authz_epoch }
    }
}

/// Why a commit did not happen; nothing was written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The organization does not exist.
    #[error("organization `{0}` does not exist")]
    NoSuchOrg(OrgId),
    /// The organization exists already.
    #[error("an organization called `{slug}` exists already")]
    Exists {
        /// The slug that is taken.
        slug: String,
    },
    /// A precondition did not hold.
    #[error("what was read has changed since: {0:?}")]
    Precondition(Box<Precondition>),
    /// Another record of this kind has the name.
    #[error("a {kind} called `{unique_key}` exists already")]
    NameTaken {
        /// The kind.
        kind: KindName,
        /// The key that is taken.
        unique_key: String,
    },
    /// The session the events are for does not exist.
    #[error("session `{0}` does not exist")]
    NoSuchSession(SessionId),
    /// A change to be audited has no canonical form, so it cannot be hashed.
    #[error("the audit entry cannot be written")]
    Audit(#[source] Invalid),
}

/// What a store answers when it cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The commit was refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store cannot be reached or written now; nothing was written, unless `maybe_applied`.
    #[error("the store cannot be used: {message}")]
    Unavailable {
        /// What is wrong, without connection strings.
        message: String,
        /// The commit may have happened all the same: read before sending it again.
        maybe_applied: bool,
        /// The driver's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What is stored contradicts itself or cannot be read.
    #[error("the store is damaged: {message}")]
    Corrupt {
        /// What is wrong.
        message: String,
        /// The driver's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The store was written by a newer version of this software.
    #[error("the store has schema {found}, newer than {known}, the newest this version knows")]
    NewerSchema {
        /// What it has.
        found: i64,
        /// What is known.
        known: i64,
    },
}

impl StoreError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(Refused::NoSuchOrg(_) | Refused::NoSuchSession(_)) => ErrorKind::NotFound,
            Self::Refused(Refused::Audit(_)) => ErrorKind::Invalid,
            Self::Refused(Refused::Exists { .. } | Refused::NameTaken { .. }) => ErrorKind::Conflict,
            Self::Refused(Refused::Precondition(which)) => match which.as_ref() {
                Precondition::RecordVersion { .. } | Precondition::SessionVersion { .. } => {
                    ErrorKind::VersionMismatch
                }
                _ => ErrorKind::Conflict,
            },
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Corrupt { .. } | Self::NewerSchema { .. } => ErrorKind::Corrupt,
        }
    }
}

/// The answer of a store.
pub type StoreResult<T> = Result<T, StoreError>;

/// The one way in for changes.
///
/// # Guarantees every implementation gives
/// 1. **Atomic**: everything in a commit becomes visible together, or nothing of it.
/// 2. **Conditional**: if a precondition does not hold, the commit fails with [`Refused`] and writes nothing.
/// 3. **Unique**: two records of a kind that are not archived never share a `unique_key`.
/// 4. **Chained**: audit drafts get gapless numbers and the hash of the one before, in the same atomic write
///    ([`crate::audit`] computes them); concurrent commits make one linear chain per organization.
/// 5. **Gapless events**: events of a session get gapless numbers from 1; an event id is kept once per session.
/// 6. **Durable**: once `commit` has returned, a crash does not lose it (a store in memory excepted).
/// 7. **Independent**: a commit that is refused does not touch the others it may share a database transaction with.
/// 8. **Cancel-safe**: dropping the future leaves the commit done or not done, never half done.
/// 9. **Isolated**: nothing of another organization is read or written.
#[async_trait]
pub trait Commits: fmt::Debug + Send + Sync + 'static {
    /// Does all of `commit`, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names the first condition that did not hold.
    async fn commit(&self, commit: Commit) -> StoreResult<Committed>;
}

/// Which way a list of records goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a list goes this way or that")]
pub enum Order {
    /// The lowest first.
    #[default]
    Ascending,
    /// The highest first.
    Descending,
}

/// Which records a list shows, ordered by `(name, id)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordQuery {
    /// Only this kind; `None` lists all kinds, ordered by `(kind, name, id)`.
    pub kind: Option<KindName>,
    /// Only records governed by this OU, not by the ones below it.
    pub ou: Option<ResourceId>,
    /// Archived ones too.
    pub archived: bool,
    /// Which way it goes.
    pub order: Order,
    /// Strictly after this row of an earlier page, in the list's own order.
    pub after: Option<RecordCursor>,
    /// At most this many, and never more than [`MAX_PAGE`]; 0 means [`MAX_PAGE`].
    pub limit: usize,
}

/// The last row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCursor {
    /// Its kind.
    pub kind: KindName,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: ResourceId,
}

impl RecordCursor {
    /// Behind this row.
    #[must_use]
    pub fn of(row: &RecordRow) -> Self {
        Self { kind: row.kind.clone(), name: row.meta.name.clone(), id: row.meta.id }
    }
}

/// Reads declared things.
///
/// # Guarantees
/// 1. **Current**: a read sees every commit that returned before it began.
/// 2. **Isolated**: a record of another organization reads as absent.
/// 3. **Ordered**: a list is sorted as [`RecordQuery`] says; walking the pages shows every record that existed
///    throughout exactly once.
#[async_trait]
pub trait Records: fmt::Debug + Send + Sync + 'static {
    /// The organization.
    async fn org(&self, org: OrgId) -> StoreResult<Option<OrgRow>>;
    /// The organization with this slug. Takes no [`OrgId`]: it is how a program finds its own.
    async fn org_by_slug(&self, slug: &str) -> StoreResult<Option<OrgRow>>;
    /// All organizations, by slug. For workers and operators; no face shows it to a caller.
    async fn orgs(&self) -> StoreResult<Vec<OrgRow>>;
    /// One record, archived or not.
    async fn record(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<RecordRow>>;
    /// Those of `keys` that exist, in no particular order.
    async fn records(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<RecordRow>>;
    /// The record of a kind that is not archived and has this `unique_key`.
    async fn record_by_unique_key(
        &self,
        org: OrgId,
        kind: &KindName,
        key: &str,
    ) -> StoreResult<Option<RecordRow>>;
    /// A page of records.
    async fn list_records(&self, org: OrgId, query: &RecordQuery) -> StoreResult<Vec<RecordRow>>;
    /// The records that are not archived and refer to `target`, ordered by kind, name and id.
    async fn referrers(&self, org: OrgId, target: &ResourceKey) -> StoreResult<Vec<RecordRow>>;
    /// The sealed secret of a record.
    async fn secret(&self, org: OrgId, owner: ResourceId) -> StoreResult<Option<SealedSecret>>;
    /// Secrets ordered by owner, strictly after one: for re-wrapping after a key rotation.
    async fn secrets(
        &self,
        org: OrgId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> StoreResult<Vec<(ResourceId, SealedSecret)>>;
    /// The bytes kept under a digest.
    async fn blob(&self, org: OrgId, digest: &Digest) -> StoreResult<Option<Bytes>>;
    /// The answer kept under an idempotency key and not expired at `now`.
    async fn idempotency(&self, org: OrgId, key: &str, now: Timestamp)
    -> StoreResult<Option<IdempotencyRow>>;
}

/// Reads an audit chain. Appending is part of [`Commits::commit`]; changing and deleting do not exist.
///
/// # Guarantees
/// 1. **Gapless**: rows come in the order of their numbers, without a gap, from the first.
/// 2. **Verbatim**: the canonical bytes come back exactly as they were hashed.
/// 3. **Isolated**: a chain holds rows of its own organization only.
///
/// [`verify_log`](crate::verify_log::verify_log) has a whole implementation as its example.
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// The number and hash of the last row; [`AuditHead::GENESIS`] of an empty chain.
    async fn audit_head(&self, org: OrgId) -> StoreResult<AuditHead>;
    /// Rows with numbers strictly above `after`, oldest first, at most `limit`.
    async fn audit_rows(&self, org: OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>>;
    /// The newest rows that match, newest first.
    async fn audit_query(&self, org: OrgId, query: &AuditQuery) -> StoreResult<Vec<AuditEntry>>;
}

/// A worker asks for rows to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks.
    pub owner: String,
    /// The moment by which due and leased are judged.
    pub now: Timestamp,
    /// Until when the leases last.
    pub until: Timestamp,
    /// At most this many.
    pub limit: usize,
    /// Kinds this worker cannot serve.
    pub except: Vec<KindName>,
}

/// What came of one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The organization.
    pub org: OrgId,
    /// The resource.
    pub key: ResourceKey,
    /// The fence of the claim.
    pub fence: u64,
    /// The outcome.
    pub outcome: SyncOutcome,
}

/// The bookkeeping of the reconciler. It serves all organizations, so `claim` and `sweep` take no [`OrgId`].
///
/// # Guarantees
/// 1. **Exclusive**: of two concurrent claims for one row, one gets it. A claimed row has passed [`SyncState::claim`]
///    durably before it is returned.
/// 2. **Fenced**: a settlement whose fence is not the row's changes nothing and answers `false`; so does a renewal.
/// 3. **Fair**: organizations are served in turn: none gets a second row of a claim while another has a due first one.
/// 4. **Paused**: rows of an organization whose pause has not passed are not claimed.
/// 5. **Atomic per row**: each settlement of a batch happens or not on its own.
#[async_trait]
pub trait SyncQueue: fmt::Debug + Send + Sync + 'static {
    /// Claims due rows, organizations in turn, within one the longest due first.
    async fn claim(&self, request: &ClaimRequest) -> StoreResult<Vec<SyncState>>;
    /// Prolongs the leases of claims; answers for each whether it still holds.
    async fn renew(&self, claims: &[(OrgId, ResourceKey, u64)], until: Timestamp) -> StoreResult<Vec<bool>>;
    /// Writes what came of claims; answers for each whether it was taken.
    async fn settle(
        &self,
        results: Vec<Settlement>,
        now: Timestamp,
        backoff: &Backoff,
    ) -> StoreResult<Vec<bool>>;
    /// Writes what a sweep saw; answers whether it was taken ([`SyncState::observe`]).
    async fn observe(
        &self,
        org: OrgId,
        key: &ResourceKey,
        version: u64,
        observation: Observation,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Rows in sync, ordered by organization and key, strictly after one: the pages of a drift sweep.
    async fn sweep(&self, after: Option<&(OrgId, ResourceKey)>, limit: usize) -> StoreResult<Vec<SyncState>>;
    /// The earliest moment at which some row falls due, for the reconciler's sleep. `None` if none ever will.
    async fn next_due(&self, now: Timestamp) -> StoreResult<Option<Timestamp>>;
    /// The state of one resource.
    async fn sync_state(&self, org: OrgId, key: &ResourceKey) -> StoreResult<Option<SyncState>>;
    /// The states of those of `keys` that have one, in no particular order.
    async fn sync_states(&self, org: OrgId, keys: &[ResourceKey]) -> StoreResult<Vec<SyncState>>;
    /// Sets or ends an organization's pause.
    async fn pause(&self, org: OrgId, pause: Option<Pause>) -> StoreResult<()>;
}

/// Which sessions a list shows, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionQuery {
    /// Only this agent's.
    pub agent: Option<ResourceId>,
    /// Only those that have not settled.
    pub active: bool,
    /// Strictly after (older than) this session of an earlier page.
    pub after: Option<SessionId>,
    /// At most this many, and never more than [`MAX_PAGE`]; 0 means [`MAX_PAGE`].
    pub limit: usize,
}

/// Reads sessions and their event logs. Appending is part of [`Commits::commit`].
///
/// # Guarantees
/// 1. **Gapless**: `events` returns consecutive numbers beginning right after `after`.
/// 2. **Stable**: an event once returned never changes.
/// 3. **Isolated**: a session of another organization reads as absent, its log as empty.
#[async_trait]
pub trait EventLog: fmt::Debug + Send + Sync + 'static {
    /// One session.
    async fn session(&self, org: OrgId, id: SessionId) -> StoreResult<Option<SessionRecord>>;
    /// A page of sessions.
    async fn sessions(&self, org: OrgId, query: &SessionQuery) -> StoreResult<Vec<SessionRecord>>;
    /// Events strictly after `after`, oldest first, at most `limit`.
    async fn events(
        &self,
        org: OrgId,
        session: SessionId,
        after: EventSeq,
        limit: usize,
    ) -> StoreResult<Vec<SessionEvent>>;
}

/// The bookkeeping of the session pumps.
///
/// # Guarantees
/// 1. **Exclusive**: of two concurrent claims for one session, one gets it; its fence is raised durably first.
/// 2. **Settled stays**: a session that has settled is claimed only while the runtime has something of it that must go
///    ([`SessionRecord::is_done`]).
#[async_trait]
pub trait SessionQueue: fmt::Debug + Send + Sync + 'static {
    /// Claims sessions that are not done and that nobody pumps, of all organizations, oldest first.
    async fn claim_sessions(&self, request: &ClaimRequest) -> StoreResult<Vec<SessionRecord>>;
    /// Prolongs the lease of a claim; `false` if it was overtaken.
    async fn renew_session(
        &self,
        org: OrgId,
        id: SessionId,
        fence: u64,
        until: Timestamp,
    ) -> StoreResult<bool>;
    /// Gives a claim back; `false` if it was overtaken.
    async fn release_session(&self, org: OrgId, id: SessionId, fence: u64) -> StoreResult<bool>;
    /// The ticket of this digest, whatever organization it is for: only its holder can name it.
    async fn ticket(&self, digest: &Digest) -> StoreResult<Option<TicketRow>>;
}

/// A whole backend.
pub trait Store: Commits + Records + AuditLog + SyncQueue + EventLog + SessionQueue {}

impl<T: Commits + Records + AuditLog + SyncQueue + EventLog + SessionQueue> Store for T {}
