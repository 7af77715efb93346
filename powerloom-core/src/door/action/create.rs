//! Declaring a resource (rows P4, P33).

use crate::audit::Change;
use crate::authz_cache::binding_data;
use crate::door::marks::tell;
use crate::door::work::{AuthzEffect, Draft, Step, Work, find, refuse_archived};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::name::Name;
use crate::record::{KindName, Metadata, Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::agent::{Agent, SkillPin};
use crate::resource::credential::Credential;
use crate::resource::kind::{AuthzPart, Home, Kind, Reference};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::{McpServer, McpServerSpec, McpServerStatus};
use crate::resource::ou::Ou;
use crate::resource::role_binding::RoleBinding;
use crate::resource::skill_version::SkillVersion;
use crate::store::{Precondition, Write};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Checks and writes a `create`.
pub(crate) async fn create(
    work: &mut Work<'_>,
    kind: &KindName,
    ou: Option<ResourceId>,
    name: Option<&str>,
    spec: &Map<String, Value>,
) -> Step<Draft> {
    let kind = work.plane.catalogue.kind(kind)?.clone();
    if !kind.manifest() {
        return Err(Invalid::new("kind", kind.name(), "a kind that can be declared by itself").into());
    }
    let spec = kind.check(&Value::Object(spec.clone()))?;
    let references = kind.references(&spec)?;
    let name = name_of(&kind, name, &spec)?;
    let id = ResourceId::generate(work.now, work.plane.entropy.as_ref());
    let rows = work.referred(&references).await?;
    let (ou, home) = home_of(work, &kind, ou, &references, &rows).await?;
    let mut row = RecordRow {
        kind: kind.name(),
        meta: Metadata {
            id,
            org: work.org.id,
            ou,
            name: name.clone(),
            version: 1,
            generation: 1,
            stage: Stage::Live,
            created_at: work.now,
            updated_at: work.now,
            labels: Labels::default(),
            managed: Map::new(),
        },
        unique_key: kind.unique_key(ou, &name),
        refs: references.iter().map(|reference| reference.target.clone()).collect(),
        status: Value::Null,
        spec,
    };
    work.marks.set(kind.as_ref(), &mut row.meta, &row.spec, &Map::new())?;

    work.about(&kind.name(), id, "create", ou);
    work.require(kind.permissions().create, ou)?;
    work.require_use(&references, &rows).await?;
    work.guard_escalation(&row, None).await?;
    work.replay().await?;

    home.iter().chain(&rows).try_for_each(refuse_archived)?;
    refuse_taken_name(work, &kind, &row).await?;
    check_attachments(&row, &rows)?;
    if kind.name() == Ou::KIND {
        let path = work.snapshot.ou_path(ou).ok_or_else(|| Error::not_found("OU", ou))?;
        path.child(&name.parse()?)?;
    }
    let mut draft = Draft::new(Some(row.clone()), Change::default());
    draft.created = true;
    draft.expect.push(Precondition::Live(ResourceKey::of::<Ou>(ou)));
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
    draft.expect.extend(row.refs.iter().cloned().map(Precondition::Live));
    let mut puts = vec![row.clone()];
    if kind.name() == Credential::KIND {
        puts = work.furnish_credential(row, &mut draft).await?;
    } else if kind.name() == McpDeployment::KIND {
        let server = owned_registration(work, &row)?;
        refuse_taken_name(work, work.plane.catalogue.kind(&McpServer::KIND)?, &server).await?;
        puts.push(server);
    } else if kind.name() == McpServer::KIND {
        puts = vec![RecordRow { status: json!({ "server_name": row.meta.name, "deployment": null }), ..row }];
    }
    finish(work, &kind, draft, puts).await
}

/// Adds the rows, what they make dirty, and what is said about it.
async fn finish(
    work: &Work<'_>,
    kind: &Arc<dyn Kind>,
    mut draft: Draft,
    puts: Vec<RecordRow>,
) -> Step<Draft> {
    let Some(row) = puts.first() else { return Ok(draft) };
    match kind.authz() {
        AuthzPart::None => {}
        AuthzPart::Subject(_) => draft.authz = AuthzEffect::Grown,
        AuthzPart::Grant => {
            draft.write.push(Write::BumpAuthzEpoch);
            draft.authz = AuthzEffect::Other;
            // A seat in a group can take away as well: what is denied to the group.
            work.guard_last_org_admin(std::slice::from_ref(row)).await?;
            if row.kind == RoleBinding::KIND {
                draft.authz = AuthzEffect::Bound(binding_data(row)?);
            }
        }
    }
    draft.change.after = json!({ "name": row.meta.name, "ou": work.path(row.meta.ou), "spec": row.spec });
    tell(None, &row.meta, &mut draft.change);
    draft.record = Some(row.clone());
    work.desire(&puts, &mut draft).await?;
    draft.write.extend(puts.into_iter().map(|row| Write::PutRecord(Box::new(row))));
    Ok(draft)
}

/// The name the author gave, or the one that follows from the spec.
fn name_of(kind: &Arc<dyn Kind>, given: Option<&str>, spec: &Value) -> Result<String> {
    let derived = kind.derived_name(spec)?;
    match (kind.home(), given, derived) {
        (Home::Named, Some(given), _) => {
            Ok(given.parse::<Name>().map_err(|invalid| invalid.within("metadata"))?.to_string())
        }
        (Home::Named, None, _) => Err(Invalid::hidden("metadata.name", "a name: it is required").into()),
        (_, None, Some(derived)) => Ok(derived),
        (_, Some(given), _) => Err(Invalid::new(
            "metadata.name",
            given,
            format!("no name: that of a {} follows from its spec", kind.name()),
        )
        .into()),
        (_, None, None) => Err(Invalid::hidden("metadata.name", "a name: the kind gives none").into()),
    }
}

/// The OU the author gave, with its row, or that of the first reference.
async fn home_of(
    work: &Work<'_>,
    kind: &Arc<dyn Kind>,
    given: Option<ResourceId>,
    references: &[Reference],
    rows: &[RecordRow],
) -> Result<(ResourceId, Option<RecordRow>)> {
    match (kind.home(), given, references.first()) {
        (Home::Derived, None, Some(first)) => Ok((Work::judged_at(find(rows, first)?), None)),
        (Home::Derived, Some(given), _) => Err(Invalid::new(
            "metadata.ou",
            given,
            format!("no OU: that of a {} follows from its spec", kind.name()),
        )
        .into()),
        (_, Some(given), _) => Ok((given, Some(work.row(&ResourceKey::of::<Ou>(given)).await?))),
        (_, None, _) => Err(Invalid::hidden("metadata.ou", "an OU: it is required").into()),
    }
}

/// Two records of a kind never share a name; the store would refuse it too, this says it better.
pub(crate) async fn refuse_taken_name(work: &Work<'_>, kind: &Arc<dyn Kind>, row: &RecordRow) -> Result<()> {
    let holder = work.plane.store.record_by_unique_key(work.org.id, &kind.name(), &row.unique_key).await?;
    match holder {
        Some(holder) if holder.meta.id != row.meta.id => {
            Err(Conflict::NameTaken { kind: kind.name().to_string(), name: row.meta.name.clone() }.into())
        }
        _ => Ok(()),
    }
}

/// What an agent is attached to must go together. The server names of one agent are unique (row P39): the runtime knows
/// its servers by them. And a pinned version is one of the skill's: the use of one skill is not that of another.
pub(crate) fn check_attachments(agent: &RecordRow, rows: &[RecordRow]) -> Result<()> {
    if agent.kind != Agent::KIND {
        return Ok(());
    }
    let spec = <Agent as Schema>::Spec::deserialize(&agent.spec)
        .map_err(|error| Error::from(Invalid::new("spec", error, "a checked spec")))?;
    for (index, attached) in spec.skills.iter().enumerate() {
        let SkillPin::Pinned(pin) = attached.version else { continue };
        let version = rows.iter().find(|row| row.kind == SkillVersion::KIND && row.meta.id == pin);
        let of = version.map(Record::<SkillVersion>::read).transpose()?.map(|version| version.spec.skill);
        if of != Some(attached.skill) {
            let field = format!("spec.skills[{index}].version");
            return Err(Invalid::new(field, pin, "a version of the skill").into());
        }
    }
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == McpServer::KIND) {
        let server = Record::<McpServer>::read(row)?;
        if names.insert(server.status.server_name, &row.meta.name).is_some() {
            let allowed = "MCP servers with different names";
            return Err(Invalid::new("mcp_servers", &row.meta.name, allowed).within("spec").into());
        }
    }
    Ok(())
}

/// The registration a deployment owns: its own name, its own OU, no URL until something serves it (row P65).
fn owned_registration(work: &Work<'_>, deployment: &RecordRow) -> Result<RecordRow> {
    let kind = work.plane.catalogue.kind(&McpServer::KIND)?;
    let meta = Metadata {
        id: ResourceId::generate(work.now, work.plane.entropy.as_ref()),
        // It belongs to the deployment, not to a set of manifests.
        labels: Labels::default(),
        managed: Map::new(),
        ..deployment.meta.clone()
    };
    let display_name = deployment.spec.get("display_name").and_then(Value::as_str).map(str::to_owned);
    let spec = McpServerSpec { display_name, description: None, url: None, delegating: false };
    let status = McpServerStatus { server_name: meta.name.clone(), deployment: Some(deployment.meta.id) };
    let value = |result: serde_json::Result<Value>| {
        result.map_err(|error| Error::from(Invalid::new("spec", error, "what JSON can hold")))
    };
    Ok(RecordRow {
        unique_key: kind.unique_key(meta.ou, &meta.name),
        kind: McpServer::KIND,
        spec: value(serde_json::to_value(spec))?,
        status: value(serde_json::to_value(status))?,
        refs: vec![deployment.key()],
        meta,
    })
}
