//! Undoing changes in the mind: from the records as they are to those of an earlier moment.
//!
//! Backwards rather than forwards: the records decide today, so they are believed as far as the chain does not say
//! otherwise, and details that were erased long ago do not matter to a question about last week. What is undone is
//! compared with what the chain says was done; where the two differ, nothing is told.

use crate::audit::{AuditDecision, AuditEntry, Change};
use crate::authz::AuthzSnapshot;
use crate::authz_cache::authz_data;
use crate::clock::Timestamp;
use crate::door::marks::TOLD_AS;
use crate::error::{Conflict, Error, Result};
use crate::id::{OrgId, ResourceId};
use crate::record::{KindName, Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::agent::Agent;
use crate::resource::catalogue::Catalogue;
use crate::resource::group::{Group, GroupMembership};
use crate::resource::kind::AuthzPart;
use crate::resource::ou::Ou;
use crate::resource::role::Role;
use crate::resource::role_binding::RoleBinding;
use crate::resource::user::User;
use crate::store::StoreError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The kinds that decide.
pub(super) const DECIDING: [KindName; 7] =
    [Ou::KIND, User::KIND, Group::KIND, GroupMembership::KIND, Role::KIND, Agent::KIND, RoleBinding::KIND];

/// Ends of verbs that change nothing about what anybody may do.
const HARMLESS: [&str; 6] =
    ["attach_skill", "detach_skill", "attach_mcp_server", "detach_mcp_server", "invoke", "reset_sync"];

/// The records that decide, archived ones too, as they were at some moment.
#[derive(Debug)]
pub(super) struct Past {
    rows: BTreeMap<ResourceKey, RecordRow>,
}

/// Whether an entry may have changed what anybody may do.
pub(super) fn matters(entry: &AuditEntry) -> bool {
    entry.row.decision == AuditDecision::Allow
        && DECIDING.iter().any(|kind| kind.as_str() == entry.row.resource_kind)
        && !HARMLESS.contains(&word(entry))
}

/// What was done, without to what: `create` of `agent.create`.
fn word(entry: &AuditEntry) -> &str {
    entry.row.verb.rsplit_once('.').map_or(entry.row.verb.as_str(), |(_, word)| word)
}

impl Past {
    pub(super) fn new(rows: Vec<RecordRow>) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.key(), row)).collect() }
    }

    /// The authorization of that moment.
    pub(super) fn compile(&self, org: OrgId) -> Result<AuthzSnapshot> {
        let data = authz_data(self.rows.values())?;
        AuthzSnapshot::compile(org, 0, data).map_err(|error| Error::AuthzData { message: error.to_string() })
    }

    /// When a binding stops to count, if ever.
    pub(super) fn expiry(&self, binding: ResourceId) -> Option<Timestamp> {
        let row = self.rows.get(&ResourceKey::of::<RoleBinding>(binding))?;
        Record::<RoleBinding>::read(row).ok()?.spec.expires_at
    }

    /// Undoes one entry that [`matters`], the newest not undone yet.
    ///
    /// # Errors
    /// [`Conflict::HistoryLost`] if its details were erased or are of a kind this version does not know; a damaged
    /// store if the records are not what the chain says they became.
    pub(super) fn undo(&mut self, catalogue: &Catalogue, entry: &AuditEntry) -> Result<()> {
        let key = key_of(entry)?;
        let word = word(entry);
        if word == "create" {
            // Its details say nothing more than what is there, so they may be gone.
            let row = self.rows.remove(&key).ok_or_else(|| differs(entry, "is not there"))?;
            return match entry.payload {
                Some(_) => same_spec(catalogue, entry, &row, &change_of(entry)?.after),
                None => Ok(()),
            };
        }
        let change = change_of(entry)?;
        let row = self.rows.get_mut(&key).ok_or_else(|| differs(entry, "is not there"))?;
        match word {
            "update" => put_back(catalogue, entry, row, &change),
            "archive" => {
                revive(entry, row)?;
                for other in also_archived(&change) {
                    if let Some(row) = self.rows.get_mut(&other?) {
                        revive(entry, row)?;
                    }
                }
                Ok(())
            }
            // The reconciler's word: it is gone from the runtime too.
            "archived" => {
                let stage = change.before.get("stage").cloned().unwrap_or_default();
                let stage =
                    serde_json::from_value(stage).map_err(|_| lost(entry, "it does not say what it was"))?;
                if row.meta.stage != Stage::Archived {
                    return Err(differs(entry, "is not archived"));
                }
                row.meta.stage = stage;
                Ok(())
            }
            "move" => {
                let ou = |name| {
                    let id = change.detail.as_ref()?.get(name)?.as_str()?;
                    id.parse::<ResourceId>().ok()
                };
                let (Some(from), Some(to)) = (ou("from"), ou("to")) else {
                    return Err(lost(entry, "it does not say from where the OU was moved"));
                };
                if row.meta.ou != to {
                    return Err(differs(entry, "is elsewhere"));
                }
                row.meta.ou = from;
                Ok(())
            }
            _ => Err(lost(entry, "this version does not know the change")),
        }
    }
}

fn key_of(entry: &AuditEntry) -> Result<ResourceKey> {
    let kind = DECIDING.into_iter().find(|kind| kind.as_str() == entry.row.resource_kind);
    let kind = kind.ok_or_else(|| lost(entry, "its kind decides nothing"))?;
    Ok(ResourceKey { kind, id: entry.row.resource_id.parse()? })
}

fn change_of(entry: &AuditEntry) -> Result<Change> {
    let payload = entry.payload.as_deref().ok_or_else(|| lost(entry, "its details were erased"))?;
    serde_json::from_slice(payload).map_err(|_| lost(entry, "its details cannot be read"))
}

/// What was archived along with it.
fn also_archived(change: &Change) -> impl Iterator<Item = Result<ResourceKey>> + '_ {
    let listed = change.detail.as_ref().and_then(|detail| detail.get("also_archived")?.as_array());
    listed.into_iter().flatten().filter_map(Value::as_str).filter_map(|text| {
        let (kind, id) = text.split_once('/')?;
        let kind = DECIDING.into_iter().find(|known| known.as_str() == kind)?;
        Some(id.parse().map(|id| ResourceKey { kind, id }).map_err(Error::from))
    })
}

fn revive(entry: &AuditEntry, row: &mut RecordRow) -> Result<()> {
    if row.is_live() {
        return Err(differs(entry, "is not archived"));
    }
    row.meta.stage = Stage::Live;
    Ok(())
}

fn put_back(catalogue: &Catalogue, entry: &AuditEntry, row: &mut RecordRow, change: &Change) -> Result<()> {
    let empty = Map::new();
    let before = change.before.as_object().unwrap_or(&empty);
    let after = change.after.as_object().unwrap_or(&empty);
    let decides = deciding_fields(catalogue, row)?;
    let spec = row.spec.as_object_mut().ok_or_else(|| differs(entry, "cannot be read"))?;
    // What stands beside the spec decides nothing: it stays as it is.
    let of_spec = |(name, _): &(&String, &Value)| !TOLD_AS.contains(&name.as_str());
    for (name, value) in after.iter().filter(of_spec) {
        let present = spec.get(name).unwrap_or(&Value::Null);
        if decides(name) && present != value {
            return Err(differs(entry, "is not what it was made"));
        }
    }
    for (name, value) in before.iter().filter(of_spec) {
        if value.is_null() {
            spec.remove(name);
        } else {
            spec.insert(name.clone(), value.clone());
        }
    }
    Ok(())
}

/// Refuses a record that is not what the chain says it was declared as, in what decides.
fn same_spec(catalogue: &Catalogue, entry: &AuditEntry, row: &RecordRow, after: &Value) -> Result<()> {
    let empty = Map::new();
    let declared = after.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let present = row.spec.as_object().unwrap_or(&empty);
    let decides = deciding_fields(catalogue, row)?;
    let differing = declared.keys().chain(present.keys()).any(|name| {
        let sides = (declared.get(name).unwrap_or(&Value::Null), present.get(name).unwrap_or(&Value::Null));
        decides(name) && sides.0 != sides.1
    });
    let named = after.get("name").and_then(Value::as_str) == Some(row.meta.name.as_str());
    if differing || !named { Err(differs(entry, "is not what it was declared as")) } else { Ok(()) }
}

/// The fields of a record's spec by which anything is decided.
fn deciding_fields(catalogue: &Catalogue, row: &RecordRow) -> Result<impl Fn(&str) -> bool + use<>> {
    let part = catalogue.kind(&row.kind)?.authz();
    Ok(move |name: &str| match part {
        AuthzPart::None => false,
        AuthzPart::Subject(fields) => fields.contains(&name),
        AuthzPart::Grant => true,
    })
}

fn lost(entry: &AuditEntry, reason: &str) -> Error {
    Conflict::HistoryLost { seq: entry.row.seq, reason: reason.to_owned() }.into()
}

fn differs(entry: &AuditEntry, how: &str) -> Error {
    let (seq, kind, id) = (entry.row.seq, &entry.row.resource_kind, &entry.row.resource_id);
    let message = format!("{kind} `{id}` {how}, against what audit entry {seq} says");
    StoreError::Corrupt { message, source: None }.into()
}
