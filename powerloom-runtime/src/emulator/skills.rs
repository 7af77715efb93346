//! `/v1/skills`: bundles with versions, in two shapes. Which one a client gets depends on its beta header.

use crate::emulator::bundle::Bundle;
use crate::emulator::call::{Answer, Call};
use crate::emulator::fields::{field, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::page::{PageRules, page};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Commit, Db, Row, Table};
use crate::emulator::upload::Upload;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `POST /v1/skills`
pub(crate) fn create(db: &mut Db, call: &Call, upload: Upload) -> Result<Value, Refusal> {
    let old_shape = call.betas.old_skills();
    let title = upload.text("display_name").or_else(|| upload.text("display_title")).map(str::to_owned);
    let most = if old_shape { 64 } else { 255 };
    if title.as_ref().is_some_and(|title| title.chars().count() > most) {
        return Err(Refusal::invalid(format!("display_name: at most {most} characters")));
    }
    let taken =
        |title: &String| db.top(Table::Skills).any(|(_, row)| text(&row.public, "display_name") == title);
    if old_shape && title.as_ref().is_some_and(taken) {
        return Err(Refusal::invalid("display_title: another skill has it"));
    }
    let bundle = Bundle::of(upload.files)?;
    let (id, now) = (new_id("skill"), db.now());
    let version = new_id("skver");
    let skill = json!({
        "type": "skill", "id": id, "display_name": title.unwrap_or_else(|| bundle.name.clone()),
        "latest_version_id": version, "source": {"type": "custom"}, "created_at": now, "updated_at": now,
    });
    let mut commit = Commit::default();
    let row = Row {
        seq: db.next_seq(),
        parent: String::new(),
        public: skill,
        hidden: json!({"name": bundle.name}),
    };
    commit.put(Table::Skills, &id, row);
    commit.put(Table::SkillVersions, &version, version_row(db.next_seq(), &id, &version, &bundle, &now));
    db.commit(commit)?;
    retrieve(db, call, &id)
}

/// `GET /v1/skills/{id}`
pub(crate) fn retrieve(db: &Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    find(db, id).map(|row| shown(db, call, row))
}

/// `GET /v1/skills`
pub(crate) fn list(db: &Db, call: &Call) -> Result<Value, Refusal> {
    let source = call.query.first("source");
    let rows = db.top(Table::Skills).filter(|_| source.is_none_or(|source| source == "custom"));
    let rows = rows.map(|(_, row)| (row.seq, row)).collect();
    let answer = page(rows, &call.query, PageRules::newest(1000), "skills", |row| shown(db, call, row))?;
    Ok(with_more(call, answer))
}

/// `DELETE /v1/skills/{id}`: with all versions, or in the old shape only without any.
pub(crate) fn delete(db: &mut Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    find(db, id)?;
    let mut commit = Commit::default();
    for (version, _) in db.children(Table::SkillVersions, id) {
        if call.betas.old_skills() {
            return Err(Refusal::invalid("the skill still has versions: delete them first"));
        }
        commit.remove(Table::SkillVersions, version);
    }
    commit.remove(Table::Skills, id);
    db.commit(commit)?;
    Ok(json!({"id": id, "type": "skill_deleted"}))
}

/// `POST /v1/skills/{id}/versions`: a whole new snapshot under the same name.
pub(crate) fn create_version(db: &mut Db, call: &Call, id: &str, upload: Upload) -> Result<Value, Refusal> {
    let mut skill = find(db, id)?.clone();
    let bundle = Bundle::of(upload.files)?;
    if bundle.name != text(&skill.hidden, "name") {
        let name = text(&skill.hidden, "name");
        return Err(Refusal::invalid(format!("SKILL.md: the name must stay `{name}`")));
    }
    let (version, now) = (new_id("skver"), db.now());
    set(&mut skill.public, "latest_version_id", version.as_str());
    set(&mut skill.public, "updated_at", now.as_str());
    let row = version_row(db.next_seq(), id, &version, &bundle, &now);
    let answer = shown_version(call, &row);
    let mut commit = Commit::default();
    commit.put(Table::Skills, id, skill);
    commit.put(Table::SkillVersions, &version, row);
    db.commit(commit)?;
    Ok(answer)
}

/// `GET /v1/skills/{id}/versions/{version}`
pub(crate) fn retrieve_version(db: &Db, call: &Call, id: &str, version: &str) -> Result<Value, Refusal> {
    find_version(db, id, version).map(|(_, row)| shown_version(call, row))
}

/// `GET /v1/skills/{id}/versions`: newest first, in the old shape oldest first.
pub(crate) fn list_versions(db: &Db, call: &Call, id: &str) -> Result<Value, Refusal> {
    find(db, id)?;
    let rows = db.children(Table::SkillVersions, id).map(|(_, row)| (row.seq, row)).collect();
    let rules = PageRules { newest_first: !call.betas.old_skills(), ..PageRules::newest(1000) };
    let answer = page(rows, &call.query, rules, id, |row| shown_version(call, row))?;
    Ok(with_more(call, answer))
}

/// `DELETE /v1/skills/{id}/versions/{version}`: the only version stays, except in the old shape.
pub(crate) fn delete_version(db: &mut Db, call: &Call, id: &str, version: &str) -> Result<Value, Refusal> {
    let mut skill = find(db, id)?.clone();
    let (key, row) = find_version(db, id, version)?;
    let (key, shown) =
        (key.to_owned(), if call.betas.old_skills() { text(&row.hidden, "version") } else { key });
    let answer = json!({"id": shown, "type": "skill_version_deleted"});
    let newest = db.children(Table::SkillVersions, id).map(|(key, _)| key).rfind(|other| *other != key);
    if newest.is_none() && !call.betas.old_skills() {
        return Err(Refusal::invalid("the only version of a skill cannot be deleted"));
    }
    set(&mut skill.public, "latest_version_id", newest);
    let mut commit = Commit::default();
    commit.put(Table::Skills, id, skill);
    commit.remove(Table::SkillVersions, &key);
    db.commit(commit)?;
    Ok(answer)
}

/// `GET /v1/skills/{id}/versions/{version}/content`
pub(crate) fn download(db: &Db, id: &str, version: &str) -> Result<Answer, Refusal> {
    let (_, row) = find_version(db, id, version)?;
    let filename = format!("{}.zip", text(&row.public, "name"));
    let bytes = Bundle::zip(field(&row.hidden, "files"))?;
    Ok(Answer::Bytes { content_type: "application/zip".to_owned(), filename, bytes })
}

fn find<'a>(db: &'a Db, id: &str) -> Result<&'a Row, Refusal> {
    db.get(Table::Skills, id).ok_or_else(|| Refusal::not_found(format!("no skill `{id}`")))
}

fn find_version<'a>(db: &'a Db, id: &'a str, version: &str) -> Result<(&'a str, &'a Row), Refusal> {
    find(db, id)?;
    let named = |key: &str, row: &Row| {
        version == "latest" || key == version || text(&row.hidden, "version") == version
    };
    let found = db.children(Table::SkillVersions, id).rfind(|(key, row)| named(key, row));
    found.ok_or_else(|| Refusal::not_found(format!("the skill `{id}` has no version `{version}`")))
}

fn version_row(seq: u64, skill: &str, id: &str, bundle: &Bundle, now: &str) -> Row {
    let micros = now.parse::<Timestamp>().map(Timestamp::as_microsecond).unwrap_or_default();
    let public = json!({
        "type": "skill_version", "id": id, "skill_id": skill, "name": bundle.name,
        "description": bundle.description, "created_at": now,
    });
    let hidden =
        json!({"version": micros.to_string(), "directory": bundle.directory, "files": bundle.to_value()});
    Row { seq, parent: skill.to_owned(), public, hidden }
}

fn shown(db: &Db, call: &Call, row: &Row) -> Value {
    if !call.betas.old_skills() {
        return row.public.clone();
    }
    let latest = db.get(Table::SkillVersions, text(&row.public, "latest_version_id"));
    json!({
        "type": "skill", "id": field(&row.public, "id"), "display_title": field(&row.public, "display_name"),
        "latest_version": latest.map(|version| field(&version.hidden, "version")), "source": "custom",
        "created_at": field(&row.public, "created_at"), "updated_at": field(&row.public, "updated_at"),
    })
}

fn shown_version(call: &Call, row: &Row) -> Value {
    let mut shown = row.public.clone();
    if call.betas.old_skills() {
        for key in ["version", "directory"] {
            set(&mut shown, key, field(&row.hidden, key).clone());
        }
    }
    shown
}

fn with_more(call: &Call, mut answer: Value) -> Value {
    if call.betas.old_skills() {
        let more = !field(&answer, "next_page").is_null();
        set(&mut answer, "has_more", more);
    }
    answer
}
