//! Who has what: labels, and the fields a set manages (sem. 2.3.2). Pure.

use crate::labels::{Labels, OWNER};
use crate::manifest::document::Given;
use crate::manifest::set::SetOptions;
use crate::record::RecordRow;
use serde_json::{Map, Value};
use std::sync::LazyLock;

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The other set a record belongs to, if this one may not take it over.
pub(crate) fn other_owner<'r>(set: Option<&SetOptions>, row: &'r RecordRow) -> Option<&'r str> {
    let set = set.filter(|set| !set.take_ownership)?;
    row.meta.labels.owner().filter(|owner| *owner != set.owner)
}

/// What the set applied last, by spec field; nothing, if the record is not the set's.
pub(crate) fn applied<'r>(set: Option<&SetOptions>, row: &'r RecordRow) -> &'r Map<String, Value> {
    match set {
        Some(set) if row.meta.labels.owner() == Some(&set.owner) => &row.meta.managed,
        _ => &NOTHING,
    }
}

/// The labels a record is to have. What a document says is all of them, but for the owner: that stays unless it is
/// named.
///
/// # Errors
/// The document names another owner than the set.
pub(crate) fn labels(
    set: Option<&SetOptions>,
    given: Option<&Given<Labels>>,
    row: Option<&RecordRow>,
) -> Result<Labels, String> {
    let held = row.map(|row| row.meta.labels.clone()).unwrap_or_default();
    let labels = given.map_or_else(|| held.clone(), |given| given.value.clone());
    let named = given.and_then(|given| given.value.owner());
    let owner = match (set, named) {
        (Some(set), Some(named)) if named != set.owner => {
            return Err(format!("its label `{OWNER}` is `{named}`, but it is in the set `{}`", set.owner));
        }
        (Some(set), _) => Some(set.owner.as_str()),
        (None, Some(named)) => Some(named),
        (None, None) => held.owner(),
    };
    match owner {
        Some(owner) => labels.with(OWNER, owner).map_err(|invalid| invalid.to_string()),
        None => Ok(labels),
    }
}
