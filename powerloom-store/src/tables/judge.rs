//! Whether a precondition holds.

use crate::tables::set::Tables;
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::record::{KindName, ResourceKey};
use powerloom_core::store::Precondition;
use std::collections::BTreeSet;

/// Below every key there is.
fn lowest() -> ResourceKey {
    ResourceKey { kind: KindName::known(""), id: ResourceId::from_uuid(uuid::Uuid::nil()) }
}

impl Tables {
    /// Whether `condition` holds for a commit of `org` at the moment `at`. Nothing undecided may be pending.
    pub(crate) fn holds(&self, org: OrgId, at: Timestamp, condition: &Precondition) -> bool {
        match condition {
            Precondition::RecordVersion { key, version } => {
                self.records.get(&(org, key.clone())).map_or(0, |row| row.meta.version) == *version
            }
            Precondition::Live(key) => {
                self.records.get(&(org, key.clone())).is_some_and(powerloom_core::record::RecordRow::is_live)
            }
            Precondition::ReferredBy { target, by } => {
                let found: BTreeSet<_> = self
                    .refs
                    .rows()
                    .range((org, target.clone(), lowest())..)
                    .take_while(|((of, to, _), ())| *of == org && to == target)
                    .map(|((_, _, from), ())| from)
                    .collect();
                found == by.iter().collect()
            }
            Precondition::EmptyOu(ou) => self
                .members
                .rows()
                .range((org, *ou, lowest())..)
                .take_while(|((of, under, _), ())| of == &org && under == ou)
                .all(|((_, _, member), ())| member.id == *ou),
            Precondition::AuthzEpoch(epoch) => self.authz_epoch(org) == *epoch,
            Precondition::IdempotencyFree(key) => {
                self.idempotency.get(&(org, key.clone())).is_none_or(|row| row.expires_at <= at)
            }
            Precondition::SessionVersion { id, version } => {
                self.sessions.get(&(org, *id)).map_or(0, |row| row.version) == *version
            }
            Precondition::SessionFence { id, fence } => {
                self.sessions.get(&(org, *id)).is_some_and(|row| row.lease.is_some() && row.fence == *fence)
            }
            Precondition::Ticket { digest, session } => self
                .tickets
                .get(digest)
                .is_some_and(|row| row.org == org && row.session == *session && at < row.expires_at),
            Precondition::StreamFree { session, holder } => self
                .streams
                .get(&(org, *session))
                .is_none_or(|lease| lease.owner == *holder || lease.until <= at),
        }
    }
}
