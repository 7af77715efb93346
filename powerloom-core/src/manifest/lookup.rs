//! One name to one link, or a fault that says where it was looked for.

use crate::manifest::document::Given;
use crate::manifest::fault::{Location, ManifestErrors, Problem};
use crate::manifest::hint::nearest;
use crate::manifest::link::{Bound, Link, Pin};
use crate::manifest::live::Live;
use crate::manifest::target::Target;
use crate::ou_path::{OuPath, ResourcePath};
use crate::principal::PrincipalRef;
use crate::record::{KindName, RecordRow, Schema};
use crate::resource::agent::Agent;
use crate::resource::catalogue::Catalogue;
use crate::resource::group::Group;
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::role::Role;
use crate::resource::user::User;
use crate::role::BuiltinRole;
use crate::store::StoreResult;
use serde_json::Value;
use std::collections::BTreeSet;

/// Looks names up among the documents and among what exists.
pub(crate) struct Lookup<'a> {
    pub(crate) live: Live<'a>,
    pub(crate) errors: ManifestErrors,
    /// The document whose names are looked up, for faults.
    pub(crate) label: String,
    catalogue: &'a Catalogue,
    declared: BTreeSet<Target>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(
        live: Live<'a>,
        catalogue: &'a Catalogue,
        declared: BTreeSet<Target>,
        errors: ManifestErrors,
    ) -> Self {
        Self { live, errors, label: String::new(), catalogue, declared }
    }

    pub(crate) fn fault(&mut self, at: &Location, problem: impl Into<Problem>) {
        self.errors.push(at, Some(&self.label), problem);
    }

    fn not_found(&mut self, field: &str, kind: &KindName, value: &str, looked: String, at: &Location) {
        let short = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let known = self.declared.iter().filter(|target| target.kind == *kind);
        let nearest = if value.contains('/') {
            nearest(value, known.map(|target| target.path.as_str()))
        } else {
            let names: Vec<String> = known.map(|target| short(&target.path)).collect();
            nearest(value, names.iter().map(String::as_str))
        };
        let nearest = nearest.filter(|near| near != value);
        let problem = Problem::NotFound {
            field: field.to_owned(),
            value: crate::invalid::shown(value),
            looked,
            nearest,
        };
        self.fault(at, problem);
    }

    /// Whether the documents make it: themselves, or a deployment its registration (row P65).
    fn is_declared(&self, target: &Target) -> bool {
        self.declared.contains(target)
            || (target.kind == McpServer::KIND
                && self.declared.contains(&Target::new(McpDeployment::KIND, target.path.clone())))
    }

    fn link(&self, kind: &KindName, path: String, row: Option<RecordRow>) -> Option<Link> {
        let target = Target::new(kind.clone(), path);
        let id = row.filter(RecordRow::is_live).map(|row| row.meta.id);
        (id.is_some() || self.is_declared(&target)).then_some(Link { target, id })
    }

    /// The OU a document lives in.
    pub(crate) async fn ou(&mut self, field: &str, given: &Given<OuPath>) -> StoreResult<Option<Link>> {
        self.named(field, &Ou::KIND, given.value.as_str(), &given.at, None).await
    }

    /// A resource by its path, by its bare name from an OU upwards, or by its address.
    pub(crate) async fn named(
        &mut self,
        field: &str,
        kind: &KindName,
        text: &str,
        at: &Location,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Link>> {
        if *kind == Ou::KIND {
            let Ok(path) = text.parse::<OuPath>() else { return Ok(None) };
            let row = self.live.ou_row(&path).await?;
            let link = self.link(kind, path.to_string(), row);
            if link.is_none() {
                let looked = "there is no OU at that path, and no document makes one".to_owned();
                self.not_found(field, kind, text, looked, at);
            }
            return Ok(link);
        }
        if *kind == User::KIND {
            return self.user(field, text, at).await;
        }
        let Ok(rules) = self.catalogue.kind(kind).cloned() else { return Ok(None) };
        let mut places: Vec<ResourcePath> = Vec::new();
        match (text.parse::<ResourcePath>(), from) {
            (Ok(path), _) => places.push(path),
            (Err(_), Some(from)) => {
                let Ok(name) = text.parse::<crate::name::Name>() else { return Ok(None) };
                places.extend(from.self_and_ancestors().map(|ou| ResourcePath { ou, name: name.clone() }));
            }
            (Err(_), None) => {
                let allowed = "an absolute path such as `/acme/engineering/code-reviewer`";
                self.fault(at, crate::invalid::Invalid::new(field, text, allowed));
                return Ok(None);
            }
        }
        for path in &places {
            let row = self.live.named(rules.as_ref(), path).await?;
            if let Some(link) = self.link(kind, path.to_string(), row) {
                return Ok(Some(link));
            }
        }
        let ous: Vec<&str> = places.iter().map(|path| path.ou.as_str()).collect();
        let looked =
            format!("no {kind} of that name is in {}, and no document makes one there", ous.join(", "));
        self.not_found(field, kind, text, looked, at);
        Ok(None)
    }

    async fn user(&mut self, field: &str, text: &str, at: &Location) -> StoreResult<Option<Link>> {
        let Ok(email) = text.parse() else { return Ok(None) };
        let row = self.live.user(&email).await?;
        let link = self.link(&User::KIND, email.to_string(), row);
        if link.is_none() {
            let looked = "there is no user of that address, and no document makes one".to_owned();
            self.not_found(field, &User::KIND, email.as_str(), looked, at);
        }
        Ok(link)
    }

    /// Who a principal is (row P22).
    pub(crate) async fn principal(
        &mut self,
        field: &str,
        text: &str,
        at: &Location,
    ) -> StoreResult<Option<Bound>> {
        let Ok(principal) = text.parse::<PrincipalRef>() else { return Ok(None) };
        let (word, link) = match &principal {
            PrincipalRef::User(email) => ("user", self.user(field, email.as_str(), at).await?),
            PrincipalRef::Group(path) => {
                ("group", self.named(field, &Group::KIND, &path.to_string(), at, None).await?)
            }
            PrincipalRef::Agent(path) => {
                ("agent", self.named(field, &Agent::KIND, &path.to_string(), at, None).await?)
            }
            PrincipalRef::Ou(path) => ("ou", self.named(field, &Ou::KIND, path.as_str(), at, None).await?),
            PrincipalRef::Service(_) => return Ok(Some(Bound::Plain(Value::String(text.to_owned())))),
        };
        Ok(link.map(|link| Bound::Worded(word, link)))
    }

    /// A built-in role, else a custom one.
    pub(crate) async fn role(
        &mut self,
        field: &str,
        text: &str,
        at: &Location,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Bound>> {
        if text.parse::<BuiltinRole>().is_ok() {
            return Ok(Some(Bound::Plain(Value::String(text.to_owned()))));
        }
        Ok(self.named(field, &Role::KIND, text, at, from).await?.map(|link| Bound::Worded("role", link)))
    }

    /// Who may agree: a role, a group or a user.
    pub(crate) async fn approver(
        &mut self,
        field: &str,
        text: &str,
        at: &Location,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Bound>> {
        match text.strip_prefix("role:") {
            None => self.principal(field, text, at).await,
            Some(role) => Ok(match self.role(field, role, at, from).await? {
                // A built-in role is named, not referred to.
                Some(Bound::Plain(_)) => Some(Bound::Plain(Value::String(text.to_owned()))),
                custom => custom,
            }),
        }
    }

    /// The version of a skill that a pin names.
    pub(crate) async fn version(
        &mut self,
        field: &str,
        skill: &Link,
        number: u64,
        at: &Location,
    ) -> StoreResult<Option<Pin>> {
        let row = match skill.id {
            Some(skill) => self.live.skill_version(skill, number).await?,
            None => None,
        };
        if row.is_none() {
            let looked = format!("the skill `{}` has no such version", skill.target.path);
            let problem = Problem::NotFound {
                field: format!("{field}.version"),
                value: number.to_string(),
                looked,
                nearest: None,
            };
            self.fault(at, problem);
        }
        Ok(row.map(|row| Pin { id: row.meta.id, number }))
    }
}
