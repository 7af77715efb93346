//! `/v1/vaults`: collections of credentials.

use crate::emulator::call::Call;
use crate::emulator::fields::{Body, archived, field, metadata, set};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Commit, Db, Row, Table};
use serde_json::{Value, json};

/// `POST /v1/vaults`
pub(crate) fn create(db: &mut Db, call: &Call) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &["display_name", "metadata"])?;
    let name = body.required("display_name", 1, 255)?;
    let metadata = metadata(&json!({}), body.get("metadata"), false)?;
    let (id, now) = (new_id("vlt"), db.now());
    let vault = json!({
        "type": "vault", "id": id, "display_name": name, "metadata": metadata,
        "created_at": now, "updated_at": now, "archived_at": null,
    });
    db.insert(Table::Vaults, &id, "", vault, Value::Null)
}

/// `GET /v1/vaults/{id}`
pub(crate) fn find<'a>(db: &'a Db, id: &str) -> Result<&'a Value, Refusal> {
    let row = db.get(Table::Vaults, id);
    row.map(|row| &row.public).ok_or_else(|| Refusal::not_found(format!("no vault `{id}`")))
}

/// The vault `id`, if it still accepts changes.
pub(crate) fn find_active<'a>(db: &'a Db, id: &str) -> Result<&'a Value, Refusal> {
    match find(db, id)? {
        vault if archived(vault) => Err(Refusal::invalid(format!("the vault `{id}` is archived"))),
        vault => Ok(vault),
    }
}

/// `POST /v1/vaults/{id}`
pub(crate) fn update(db: &mut Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    let body = Body::parse(&call.body, &["display_name", "metadata"])?;
    let old = find_active(db, id)?.clone();
    let mut new = old.clone();
    if body.get("display_name").is_some_and(|name| !name.is_null()) {
        set(&mut new, "display_name", body.required("display_name", 1, 255)?);
    }
    set(&mut new, "metadata", metadata(field(&old, "metadata"), body.get("metadata"), false)?);
    if new == old {
        return Ok(old);
    }
    set(&mut new, "updated_at", db.now());
    db.update(Table::Vaults, id, new)
}

/// `GET /v1/vaults`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let hidden = !call.query.flag("include_archived")?;
    let rows = db.top(Table::Vaults).filter(|(_, row)| !(hidden && archived(&row.public)));
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    page(rows, &call.query, PageRules::newest(100), "vaults", Value::clone)
}

/// `POST /v1/vaults/{id}/archive`: every credential in it is archived and its secret purged.
pub(crate) fn archive(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    let mut vault = find(db, id)?.clone();
    if archived(&vault) {
        return Ok(vault);
    }
    let now = db.now();
    let mut commit = Commit::default();
    for (key, row) in db.children(Table::Credentials, id) {
        let mut row = Row { hidden: Value::Null, ..row.clone() };
        if !archived(&row.public) {
            set(&mut row.public, "archived_at", now.as_str());
            set(&mut row.public, "updated_at", now.as_str());
        }
        commit.put(Table::Credentials, key, row);
    }
    set(&mut vault, "archived_at", now.as_str());
    set(&mut vault, "updated_at", now);
    if let Some(row) = db.get(Table::Vaults, id) {
        commit.put(Table::Vaults, id, Row { public: vault.clone(), ..row.clone() });
    }
    db.commit(commit)?;
    Ok(vault)
}

/// `DELETE /v1/vaults/{id}`: with all its credentials.
pub(crate) fn delete(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    find(db, id)?;
    let mut commit = Commit::default();
    for (key, _) in db.children(Table::Credentials, id) {
        commit.remove(Table::Credentials, key);
    }
    commit.remove(Table::Vaults, id);
    db.commit(commit)?;
    Ok(json!({"id": id, "type": "vault_deleted"}))
}
