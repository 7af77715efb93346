//! `/v1/files`, in short: upload, list, read, delete.

use crate::emulator::call::{Answer, Call};
use crate::emulator::fields::{field, set, text};
use crate::emulator::headers::{FILES, MANAGED_AGENTS};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Row, Table};
use crate::emulator::upload::Upload;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// `POST /v1/files`
pub(crate) fn create(db: &mut Db, upload: Upload) -> Result<Value, Refusal> {
    let seconds = match upload.text("expires_in_seconds").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => return Err(Refusal::invalid("expires_in_seconds: must be a whole number")),
    };
    let file = upload.files.into_iter().next().ok_or_else(|| Refusal::invalid("file: field required"))?;
    let expires = seconds.map(|seconds| {
        Timestamp::now()
            .saturating_add(SignedDuration::from_secs(i64::from(seconds)))
            .unwrap_or(Timestamp::MAX)
    });
    store(db, &file.name, &file.content_type, &file.bytes, json!({"expires_at": expires}))
}

/// Stores a file and returns its object; the fields of `more` are added to it.
pub(crate) fn store(
    db: &mut Db,
    name: &str,
    media: &str,
    bytes: &[u8],
    more: Value,
) -> Result<Value, Refusal> {
    let id = new_id("file");
    let mut file = json!({
        "type": "file", "id": id, "filename": name, "mime_type": media, "size_bytes": bytes.len(),
        "created_at": db.now(), "downloadable": field(&more, "scope").is_object(),
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        set(&mut file, key, value.clone());
    }
    db.insert(Table::Files, &id, "", file, json!({"content": STANDARD.encode(bytes)}))
}

/// `GET /v1/files/{id}`
pub(crate) fn find<'a>(db: &'a Db, id: &str) -> Result<&'a Row, Refusal> {
    let row = db.get(Table::Files, id).ok_or_else(|| Refusal::not_found(format!("no file `{id}`")))?;
    if text(&row.public, "expires_at").parse().is_ok_and(|at: Timestamp| at <= Timestamp::now()) {
        return Err(Refusal::not_found(format!("the file `{id}` has expired")).with_code("file_expired"));
    }
    Ok(row)
}

/// `GET /v1/files`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let (ids, scope) = (call.query.all("ids"), call.query.first("scope_id"));
    if ids.len() > 100
        || (!ids.is_empty() && (call.query.first("page").or(call.query.first("limit")).is_some()))
    {
        return Err(Refusal::invalid("ids: at most 100, and without page and limit"));
    }
    if scope.is_some() && !call.betas.has(MANAGED_AGENTS) {
        return Err(Refusal::invalid(format!("scope_id: needs the beta `{MANAGED_AGENTS}`")));
    }
    let rows = db.top(Table::Files).filter(|(id, row)| {
        (ids.is_empty() || ids.contains(id))
            && scope.is_none_or(|scope| text(field(&row.public, "scope"), "id") == scope)
            && find(db, id).is_ok()
    });
    let rows = rows.map(|(_, row)| (row.seq, &row.public)).collect();
    let mut answer = page(rows, &call.query, PageRules::newest(1000), "files", Value::clone)?;
    if call.betas.has(FILES) {
        let more = !field(&answer, "next_page").is_null();
        set(&mut answer, "has_more", more);
    }
    Ok(answer)
}

/// `GET /v1/files/{id}/content`: only of what an agent wrote; an uploaded file cannot be had back.
pub(crate) fn download(db: &Db, id: &str) -> Result<Answer, Refusal> {
    let row = find(db, id)?;
    if field(&row.public, "downloadable") != &json!(true) {
        let message = format!("the file `{id}` was uploaded and cannot be downloaded");
        return Err(Refusal::invalid(message).with_code("file_not_downloadable"));
    }
    let bytes = STANDARD.decode(text(&row.hidden, "content")).unwrap_or_default();
    let (content_type, filename) = (text(&row.public, "mime_type"), text(&row.public, "filename"));
    Ok(Answer::Bytes { content_type: content_type.to_owned(), filename: filename.to_owned(), bytes })
}

/// `DELETE /v1/files/{id}`
pub(crate) fn delete(db: &mut Db, id: &str) -> Result<Value, Refusal> {
    find(db, id)?;
    db.remove(Table::Files, id)?;
    Ok(json!({"id": id, "type": "file_deleted"}))
}
