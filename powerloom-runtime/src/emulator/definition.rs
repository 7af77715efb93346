//! The fields that define an agent: checked, completed, and merged with what was there before.

use crate::emulator::fields::{Body, Sent, list, metadata, objects, set, text};
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Db, Table};
use crate::emulator::tools::{check_servers, check_skills, resolve_servers, resolve_tools};
use serde_json::{Map, Value, json};

/// The fields of a create or update body, besides `version`.
pub(crate) const FIELDS: [&str; 10] = [
    "name",
    "model",
    "system",
    "description",
    "tools",
    "mcp_servers",
    "skills",
    "metadata",
    "multiagent",
    "execution_identity",
];

/// The definition that results from `body` on top of `old`, which is null for a new agent.
///
/// A field that was not sent keeps its old value; arrays and objects are replaced as a whole; metadata is merged.
pub(crate) fn resolve(db: &Db, body: &Body, old: &Value) -> Result<Map<String, Value>, Refusal> {
    let kept = |key: &str, empty: Value| old.get(key).cloned().unwrap_or(empty);
    let mut new = Map::new();
    let name = match body.get("name") {
        None if !old.is_null() => text(old, "name").to_owned(),
        _ => body.required("name", 1, 256)?,
    };
    new.insert("name".to_owned(), json!(name));
    let model = match body.get("model") {
        None if !old.is_null() => kept("model", Value::Null),
        None => return Err(Refusal::invalid("model: field required")),
        Some(sent) => resolve_model(sent, old.get("model"))?,
    };
    new.insert("model".to_owned(), model);
    for (key, limit) in [("system", 100_000), ("description", 2048)] {
        let value = match body.optional(key, limit)? {
            Sent::Absent => kept(key, Value::Null),
            Sent::Null => Value::Null,
            Sent::Text(text) if text.is_empty() => Value::Null,
            Sent::Text(text) => json!(text),
        };
        new.insert(key.to_owned(), value);
    }
    let tools = body.get("tools").map_or_else(|| Ok(kept("tools", json!([]))), resolve_tools)?;
    let servers =
        body.get("mcp_servers").map_or_else(|| Ok(kept("mcp_servers", json!([]))), resolve_servers)?;
    let skills =
        body.get("skills").map_or_else(|| Ok(kept("skills", json!([]))), |sent| resolve_skills(db, sent))?;
    check_servers(&tools, &servers)?;
    check_skills(&tools, &skills)?;
    new.insert("tools".to_owned(), tools);
    new.insert("mcp_servers".to_owned(), servers);
    new.insert("skills".to_owned(), skills);
    new.insert("metadata".to_owned(), metadata(&kept("metadata", json!({})), body.get("metadata"), false)?);
    let multiagent = match body.get("multiagent") {
        None => kept("multiagent", Value::Null),
        Some(sent) => resolve_multiagent(sent, &kept("multiagent", Value::Null))?,
    };
    new.insert("multiagent".to_owned(), multiagent);
    let identity = match body.get("execution_identity") {
        None => kept("execution_identity", json!({"type": "service_account"})),
        Some(sent) => resolve_identity(sent)?,
    };
    new.insert("execution_identity".to_owned(), identity);
    Ok(new)
}

/// Resolves a model to its object form. An effort that was not sent stays if the model's id stays.
pub(crate) fn resolve_model(sent: &Value, old: Option<&Value>) -> Result<Value, Refusal> {
    let id = match sent {
        Value::String(id) => id.as_str(),
        Value::Object(_) => text(sent, "id"),
        _ => return Err(Refusal::invalid("model: must be a string or an object")),
    };
    if id.is_empty() || id.chars().count() > 256 {
        return Err(Refusal::invalid("model: a model id of 1 to 256 characters is required"));
    }
    let same = old.filter(|old| text(old, "id") == id);
    let effort = match sent.get("effort") {
        None | Some(Value::Null) => {
            same.and_then(|old| old.pointer("/effort/type")).and_then(Value::as_str).unwrap_or("high")
        }
        Some(Value::String(effort)) => effort,
        Some(effort) => text(effort, "type"),
    };
    if !["low", "medium", "high", "xhigh", "max"].contains(&effort) {
        return Err(Refusal::invalid(format!("model.effort: unknown effort `{effort}`")));
    }
    let speed = match sent.get("speed") {
        None | Some(Value::Null) => "standard",
        Some(speed) => speed.as_str().unwrap_or_default(),
    };
    if !["standard", "fast"].contains(&speed) {
        return Err(Refusal::invalid("model.speed: must be standard or fast"));
    }
    let mut model = json!({"id": id, "effort": {"type": effort}, "speed": speed});
    match sent.get("inference_geo") {
        None | Some(Value::Null) => {}
        Some(Value::String(geo)) if geo == "us" || geo == "global" => {
            set(&mut model, "inference_geo", geo.as_str());
        }
        Some(_) => return Err(Refusal::invalid("model.inference_geo: must be us or global")),
    }
    Ok(model)
}

/// Resolves skills: each must exist, and each version becomes a concrete one.
pub(crate) fn resolve_skills(db: &Db, sent: &Value) -> Result<Value, Refusal> {
    let skills = objects(sent, "skills")?;
    if skills.len() > 500 {
        return Err(Refusal::invalid("skills: at most 500"));
    }
    let mut resolved: Vec<Value> = Vec::new();
    for (index, skill) in skills.iter().enumerate() {
        let id = text(skill, "skill_id");
        let wanted =
            Some(text(skill, "version")).filter(|version| !version.is_empty() && *version != "latest");
        let version = match text(skill, "type") {
            "anthropic" if !id.is_empty() => wanted.unwrap_or("20251013").to_owned(),
            "custom" => {
                if db.get(Table::Skills, id).is_none() {
                    return Err(Refusal::not_found(format!("skills[{index}]: no skill `{id}`")));
                }
                let found = db.children(Table::SkillVersions, id).rev().find(|(key, row)| {
                    wanted.is_none_or(|wanted| *key == wanted || text(&row.hidden, "version") == wanted)
                });
                let (key, _) = found.ok_or_else(|| {
                    Refusal::not_found(format!("skills[{index}]: `{id}` has no such version"))
                })?;
                wanted.unwrap_or(key).to_owned()
            }
            _ => {
                return Err(Refusal::invalid(format!("skills[{index}]: a type and a skill_id are required")));
            }
        };
        if resolved.iter().any(|known| text(known, "skill_id") == id) {
            return Err(Refusal::invalid(format!("skills: `{id}` is there twice")));
        }
        resolved.push(json!({"type": text(skill, "type"), "skill_id": id, "version": version}));
    }
    Ok(Value::Array(resolved))
}

fn resolve_multiagent(sent: &Value, old: &Value) -> Result<Value, Refusal> {
    match text(sent, "type") {
        _ if sent.is_null() => Ok(Value::Null),
        "multiagent_20261001" if text(old, "type") == "multiagent_20261001" => {
            let mut merged = old.clone();
            merge(&mut merged, sent);
            Ok(merged)
        }
        "multiagent_20261001" => Ok(sent.clone()),
        "coordinator" if (1..=20).contains(&list(sent, "agents").len()) => Ok(sent.clone()),
        "coordinator" => Err(Refusal::invalid("multiagent.agents: must have 1 to 20 entries")),
        other => Err(Refusal::invalid(format!("multiagent.type: unknown type `{other}`"))),
    }
}

fn merge(old: &mut Value, sent: &Value) {
    match (old, sent) {
        (Value::Object(old), Value::Object(sent)) => {
            for (key, value) in sent {
                merge(old.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (old, sent) => *old = sent.clone(),
    }
}

fn resolve_identity(sent: &Value) -> Result<Value, Refusal> {
    match text(sent, "type") {
        _ if sent.is_null() => Ok(json!({"type": "service_account"})),
        "service_account" => Ok(json!({"type": "service_account"})),
        "aws_role" if (1..=2048).contains(&text(sent, "role_arn").len()) => Ok(sent.clone()),
        _ => {
            Err(Refusal::invalid("execution_identity: must be service_account, or aws_role with a role_arn"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_stays_with_its_model_only() {
        let old = resolve_model(&json!({"id": "m1", "effort": "max", "inference_geo": "us"}), None).unwrap();
        assert_eq!(
            old,
            json!({"id": "m1", "effort": {"type": "max"}, "speed": "standard", "inference_geo": "us"})
        );
        let same = resolve_model(&json!("m1"), Some(&old)).unwrap();
        assert_eq!(same, json!({"id": "m1", "effort": {"type": "max"}, "speed": "standard"}));
        let other = resolve_model(&json!("m2"), Some(&old)).unwrap();
        assert_eq!(other["effort"]["type"], "high");
    }

    #[test]
    fn a_team_of_the_same_type_is_merged_level_by_level() {
        let old = json!({"type": "multiagent_20261001", "advisor": {"model": "m", "on": true}});
        let sent = json!({"type": "multiagent_20261001", "advisor": {"on": false}});
        let merged = resolve_multiagent(&sent, &old).unwrap();
        assert_eq!(merged["advisor"], json!({"model": "m", "on": false}));
    }
}
