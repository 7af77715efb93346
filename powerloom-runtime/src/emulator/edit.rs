//! Edits behind the clients' backs, to play drift.

use crate::emulator::error::EmulatorError;
use crate::emulator::fields::set;
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use powerloom_core::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One change of a stored object, past every rule of the service: no version is made and no check is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Edit {
    /// The object's id.
    pub id: String,
    /// New values by JSON Pointer (RFC 6901), such as `/metadata/owner`; the parent must exist.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Whether the object vanishes instead.
    #[serde(default)]
    pub remove: bool,
}

impl Edit {
    /// Writes `value` at `pointer` of the object `id`.
    #[must_use]
    pub fn set(id: impl Into<String>, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { id: id.into(), set: BTreeMap::from([(pointer.into(), value.into())]), remove: false }
    }

    /// Makes the object `id` vanish, without any trace.
    #[must_use]
    pub fn remove(id: impl Into<String>) -> Self {
        Self { id: id.into(), set: BTreeMap::new(), remove: true }
    }

    /// Makes the change and returns the object as it is now, or null if it is gone.
    pub(crate) fn apply(&self, db: &mut Db) -> Result<Value, EmulatorError> {
        let refused = |field: &str, value: &str, allowed: &str| {
            EmulatorError::Edit(Invalid::new(field, value, allowed))
        };
        let failed =
            |_: Refusal| EmulatorError::Edit(Invalid::hidden("id", "a state file that can be written"));
        let table = Table::ALL.into_iter().find(|table| db.get(*table, &self.id).is_some());
        let table = table.ok_or_else(|| refused("id", &self.id, "the id of a stored object"))?;
        if self.remove {
            db.remove(table, &self.id).map_err(failed)?;
            return Ok(Value::Null);
        }
        let mut public = db.get(table, &self.id).map(|row| row.public.clone()).unwrap_or_default();
        for (pointer, value) in &self.set {
            if let Some(place) = public.pointer_mut(pointer) {
                *place = value.clone();
                continue;
            }
            let parent =
                pointer.rsplit_once('/').and_then(|(parent, key)| Some((public.pointer_mut(parent)?, key)));
            match parent {
                Some((parent, key)) if parent.is_object() => set(parent, key, value.clone()),
                _ => return Err(refused("set", pointer, "a JSON Pointer whose parent exists")),
            }
        }
        db.update(table, &self.id, public).map_err(failed)
    }
}
