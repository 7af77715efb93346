//! Naming, within one question, what an earlier change of the question would make.

use crate::answers::what_if::WhatIf;
use crate::door::mutation::Mutation;
use crate::error::Result;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use serde_json::Value;
use uuid::Uuid;

/// Most changes one question has.
pub const MAX_MUTATIONS: usize = 50;

/// What all placeholders begin with: a UUID of version 8, which no id made by this program has.
const PREFIX: u128 = 0x706c_616e_6e65_8000_8000_0000_0000_0000;

impl WhatIf {
    /// Stands for the id of what change `index` of the question makes, wherever a later change of it wants an id. The
    /// first change has the index 0.
    #[must_use]
    pub const fn made_by(index: usize) -> ResourceId {
        ResourceId::from_uuid(Uuid::from_u128(PREFIX | index as u128))
    }
}

/// Puts ids in the place of placeholders; `made` holds what each earlier change made.
///
/// # Errors
/// Names the change whose placeholder stands for nothing, or for something that comes later.
pub(super) fn fill(mutation: &Mutation, index: usize, made: &[Option<ResourceId>]) -> Result<Mutation> {
    let field = || format!("mutations[{index}]");
    let unreadable = |error| Invalid::new(field(), error, "a change that JSON can hold");
    let mut value = serde_json::to_value(mutation).map_err(unreadable)?;
    for source in 0..MAX_MUTATIONS {
        let placeholder = WhatIf::made_by(source).to_string();
        match made.get(source).copied().flatten() {
            Some(id) => {
                replace(&mut value, &placeholder, &id.to_string());
            }
            None if mentions(&value, &placeholder) => {
                let allowed =
                    format!("ids of what earlier changes make; change {source} makes nothing before it");
                return Err(Invalid::hidden(field(), allowed).into());
            }
            None => {}
        }
    }
    Ok(serde_json::from_value(value).map_err(unreadable)?)
}

fn replace(value: &mut Value, placeholder: &str, id: &str) {
    match value {
        Value::String(text) if text.contains(placeholder) => *text = text.replace(placeholder, id),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, placeholder, id)),
        Value::Object(members) => members.values_mut().for_each(|item| replace(item, placeholder, id)),
        _ => {}
    }
}

fn mentions(value: &Value, placeholder: &str) -> bool {
    match value {
        Value::String(text) => text.contains(placeholder),
        Value::Array(items) => items.iter().any(|item| mentions(item, placeholder)),
        Value::Object(members) => members.values().any(|item| mentions(item, placeholder)),
        _ => false,
    }
}
