//! All tables of a store.

use crate::tables::table::Table;
use bytes::Bytes;
use powerloom_core::audit::{AuditEntry, AuditHead};
use powerloom_core::digest::Digest;
use powerloom_core::id::{OrgId, ResourceId, SessionId};
use powerloom_core::reconcile::state::{Lease, SyncState};
use powerloom_core::record::{KindName, RecordRow, ResourceKey};
use powerloom_core::secret::SealedSecret;
use powerloom_core::session::event::{EventSeq, SessionEvent};
use powerloom_core::session::record::SessionRecord;
use powerloom_core::session::ticket::TicketRow;
use powerloom_core::store::{IdempotencyRow, OrgRow};

/// Organization, OU, record: who is governed by an OU.
pub(crate) type MemberKey = (OrgId, ResourceId, ResourceKey);
/// Organization, target, record: who refers to a target.
pub(crate) type RefKey = (OrgId, ResourceKey, ResourceKey);

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty,)*) => {
        /// All tables of a store, or those rows of them that a batch of calls can touch.
        #[derive(Debug, Default)]
        pub(crate) struct Tables {
            $($(#[$doc])* pub(crate) $name: Table<$key, $value>,)*
        }

        impl Tables {
            /// Empty tables that remember what is changed in them.
            pub(crate) fn working_set() -> Self {
                let mut tables = Self::default();
                $(tables.$name.track();)*
                tables
            }

            /// Makes the changes since the last decision part of the rows.
            pub(crate) fn accept(&mut self) {
                $(self.$name.accept();)*
            }

            /// Forgets the changes since the last decision.
            pub(crate) fn reject(&mut self) {
                $(self.$name.reject();)*
            }
        }
    };
}

tables! {
    orgs: OrgId => OrgRow,
    /// The slugs that are taken.
    slugs: String => OrgId,
    records: (OrgId, ResourceKey) => RecordRow,
    /// The unique keys that are taken: those of records that are not archived.
    names: (OrgId, KindName, String) => ResourceId,
    /// References of records that are not archived.
    refs: RefKey => (),
    /// Which records that are not archived an OU governs.
    members: MemberKey => (),
    sync: (OrgId, ResourceKey) => SyncState,
    /// `last_seq` in here is what it was when the record was put; [`last_seq`](Self::last_seq) is what counts.
    sessions: (OrgId, SessionId) => SessionRecord,
    last_seq: (OrgId, SessionId) => EventSeq,
    events: (OrgId, SessionId, EventSeq) => SessionEvent,
    /// The runtime's event ids that a log has.
    event_ids: (OrgId, SessionId, String) => (),
    tickets: Digest => TicketRow,
    streams: (OrgId, SessionId) => Lease,
    secrets: (OrgId, ResourceId) => SealedSecret,
    blobs: (OrgId, Digest) => Bytes,
    idempotency: (OrgId, String) => IdempotencyRow,
    heads: OrgId => AuditHead,
    audit: (OrgId, u64) => AuditEntry,
    /// Which entries touch an OU; it outlives the erasure of their payload.
    audit_ous: (OrgId, ResourceId, u64) => (),
    /// Audit rows that are not in `audit` and whose payload is to be erased.
    erased: (OrgId, u64) => (),
}

impl Tables {
    /// The newest entry of an organization's chain.
    pub(crate) fn head(&self, org: OrgId) -> AuditHead {
        self.heads.get(&org).copied().unwrap_or(AuditHead::GENESIS)
    }

    /// The authorization epoch of an organization; 0 before there is one.
    pub(crate) fn authz_epoch(&self, org: OrgId) -> u64 {
        self.orgs.get(&org).map_or(0, |row| row.authz_epoch)
    }

    /// A session as readers see it: with the number of the last event in its log.
    pub(crate) fn session(&self, org: OrgId, id: SessionId) -> Option<SessionRecord> {
        let mut session = self.sessions.get(&(org, id))?.clone();
        session.last_seq = self.last_seq.get(&(org, id)).copied().unwrap_or(EventSeq::START);
        Some(session)
    }
}
