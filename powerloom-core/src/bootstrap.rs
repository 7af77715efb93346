//! Making an organization: its root OU, its first OrgAdmin, its shared environment (row P37).

use crate::audit::{AuditDecision, AuditDraft, Change};
use crate::authz::Effect;
use crate::authz::RoleRef;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::name::{Email, Name};
use crate::plane::Plane;
use crate::principal::Principal;
use crate::record::{KindName, Metadata, RecordRow, Schema, Stage};
use crate::resource::environment::{Environment, EnvironmentSpec, SHARED_ENVIRONMENT};
use crate::resource::kind::{Kind, Related};
use crate::resource::ou::{Ou, OuSpec};
use crate::resource::role_binding::{RoleBinding, RoleBindingSpec};
use crate::resource::user::{User, UserSpec};
use crate::role::BuiltinRole;
use crate::store::{AuditWrite, Commit, OrgRow, Refused, StoreError, Write};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// An organization, ready to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its root OU.
    pub root_ou: ResourceId,
    /// Its first OrgAdmin.
    pub admin: ResourceId,
}

impl Organization {
    /// The first OrgAdmin as a caller.
    #[must_use]
    pub fn admin_caller(&self) -> Caller {
        Caller::user(self.id, self.admin)
    }
}

impl ControlPlane {
    /// Makes the organization called `slug` with `admin` as its OrgAdmin, or finds it if it was made so before.
    ///
    /// It has a root OU `/<slug>`, the admin with a binding of OrgAdmin there, and the environment all its agents share.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the organization exists and has no such user; the store's.
    ///
    /// # Cancel safety
    /// Dropped, the organization is there as a whole or not at all; calling again finds it.
    pub async fn bootstrap(&self, slug: &Name, admin: &Email) -> Result<Organization> {
        if let Some(found) = self.find_organization(slug, admin).await? {
            return Ok(found);
        }
        let (organization, commit) = new_organization(&self.plane, slug, admin)?;
        match self.plane.store.commit(commit).await {
            Ok(_) => {
                self.plane.reconcile_wake.notify_one();
                Ok(organization)
            }
            // Somebody else made it at the same moment.
            Err(StoreError::Refused(Refused::Exists { .. })) => self
                .find_organization(slug, admin)
                .await?
                .ok_or_else(|| Error::not_found("organization", slug)),
            Err(error) => Err(error.into()),
        }
    }

    async fn find_organization(&self, slug: &Name, admin: &Email) -> Result<Option<Organization>> {
        let store = &self.plane.store;
        let Some(org) = store.org_by_slug(slug.as_str()).await? else { return Ok(None) };
        let user = store.record_by_unique_key(org.id, &User::KIND, admin.as_str()).await?;
        let user = user.ok_or_else(|| Error::not_found("user", admin))?;
        Ok(Some(Organization { id: org.id, root_ou: org.root_ou, admin: user.meta.id }))
    }
}

fn new_organization(plane: &Plane, slug: &Name, email: &Email) -> Result<(Organization, Commit)> {
    let now = plane.now();
    let id = || ResourceId::generate(now, plane.entropy.as_ref());
    let (org, root_ou, admin) = (OrgId::generate(now, plane.entropy.as_ref()), id(), id());
    let meta = |id, name: &str| Metadata {
        id,
        org,
        ou: root_ou,
        name: name.to_owned(),
        version: 1,
        generation: 1,
        stage: Stage::Live,
        created_at: now,
        updated_at: now,
        labels: Labels::default(),
        managed: Map::new(),
    };
    let row = |kind: KindName, id, name: &str, spec: Value| -> Result<RecordRow> {
        let rules: &Arc<dyn Kind> = plane.catalogue.kind(&kind)?;
        Ok(RecordRow {
            unique_key: rules.unique_key(root_ou, name),
            refs: rules.references(&spec)?.into_iter().map(|reference| reference.target).collect(),
            meta: meta(id, name),
            kind,
            spec,
            status: Value::Null,
        })
    };
    let user = UserSpec { email: email.clone(), display_name: None, disabled: false };
    let binding = RoleBindingSpec {
        principal: Principal::User(admin),
        role: RoleRef::Builtin(BuiltinRole::OrgAdmin),
        effect: Effect::Allow,
        expires_at: None,
    };
    let binding_name = format!("{}={}", binding.principal, binding.role);
    let rows = vec![
        row(Ou::KIND, root_ou, slug.as_str(), json(&OuSpec { display_name: None })?)?,
        row(User::KIND, admin, email.as_str(), json(&user)?)?,
        row(RoleBinding::KIND, id(), &binding_name, json(&binding)?)?,
        row(Environment::KIND, id(), SHARED_ENVIRONMENT, json(&EnvironmentSpec::default())?)?,
    ];
    let mut commit = Commit::new(org, now);
    commit.write.push(Write::CreateOrg(OrgRow {
        id: org,
        slug: slug.to_string(),
        root_ou,
        created_at: now,
        authz_epoch: 1,
        paused: None,
    }));
    if let Some(environment) = rows.iter().find(|row| row.kind == Environment::KIND) {
        let kind = plane.catalogue.kind(&Environment::KIND)?;
        let projection = kind
            .project(environment, &Related::default())
            .map_err(|error| Error::Internal { message: error.to_string() })?;
        if let Some(projection) = projection {
            let desired = projection.desired(&environment.kind)?;
            commit.write.push(Write::Desire { key: environment.key(), desired });
        }
    }
    let made: Vec<String> = rows.iter().map(|row| row.key().to_string()).collect();
    let draft = AuditDraft {
        ts: now,
        actor: format!("user:{email}"),
        verb: "organization.create".to_owned(),
        resource_kind: "Organization".to_owned(),
        resource_id: org.to_string(),
        decision: AuditDecision::Allow,
        delegated_from_session: None,
        approval_request_id: None,
        change: Change {
            after: json!({ "slug": slug, "admin": email }),
            detail: Some(json!({ "also_created": made })),
            ..Change::default()
        }
        .touching(&[root_ou]),
    };
    commit.audit.push(AuditWrite { draft, salt: plane.salt() });
    commit.write.extend(rows.into_iter().map(|row| Write::PutRecord(Box::new(row))));
    Ok((Organization { id: org, root_ou, admin }, commit))
}

fn json<T: Serialize>(of: &T) -> Result<Value> {
    serde_json::to_value(of).map_err(|error| Invalid::new("spec", error, "what JSON can hold").into())
}
