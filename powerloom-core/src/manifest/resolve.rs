//! From paths, names and addresses to links (row P29): among the documents themselves, then among what exists.

use crate::id::OrgId;
use crate::invalid::Invalid;
use crate::manifest::document::{Document, Given, field_path};
use crate::manifest::fault::{Location, ManifestErrors, Problem};
use crate::manifest::link::{Bound, Link, Pin};
use crate::manifest::live::Live;
use crate::manifest::lookup::Lookup;
use crate::manifest::merge::{identity_fields, merge, target_of};
use crate::manifest::target::Target;
use crate::manifest::wanted::{ResolveError, Resolved, Wanted, WantedField};
use crate::manifest::written::{Names, is_owned};
use crate::ou_path::OuPath;
use crate::record::{KindName, RecordRow, Schema};
use crate::resource::catalogue::Catalogue;
use crate::resource::field::{Field, Form};
use crate::resource::kind::{Home, Kind};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::skill::Skill;
use crate::store::{Records, StoreResult};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Finds everything the documents name.
///
/// Bare names are looked up from the document's OU upwards, nearest first; at each OU the other documents count like
/// what exists (sem. 2.3.4). Nothing is changed; several reads, not one snapshot: a plan holds the versions it saw.
///
/// # Errors
/// [`ResolveError::Manifest`] with every reference that leads nowhere; [`ResolveError::Store`] if the store fails.
///
/// # Cancel safety
/// Reads only.
pub async fn resolve(
    documents: Vec<Document>,
    catalogue: &Catalogue,
    records: &dyn Records,
    org: OrgId,
) -> Result<Resolved, ResolveError> {
    let (mut live, wanted) = find(documents, catalogue, records, org).await?;
    Ok(named(wanted, &mut live, org, &|_| true).await?)
}

/// How people call everything, as far as `sees` allows; what the documents name themselves is no secret.
pub(crate) async fn named(
    wanted: Vec<Wanted>,
    live: &mut Live<'_>,
    org: OrgId,
    sees: &(dyn Fn(&RecordRow) -> bool + Sync),
) -> StoreResult<Resolved> {
    let mut names = Names::default();
    live.names(wanted.iter().filter_map(|wanted| wanted.existing.as_ref()), &mut names, sees).await?;
    for wanted in &wanted {
        wanted.teach(&mut names);
    }
    Ok(Resolved { org, wanted, names })
}

/// Finds everything the documents name, and does not say yet how people call what that refers to.
pub(crate) async fn find<'a>(
    documents: Vec<Document>,
    catalogue: &'a Catalogue,
    records: &'a dyn Records,
    org: OrgId,
) -> Result<(Live<'a>, Vec<Wanted>), ResolveError> {
    let live = Live::open(records, catalogue, org).await?.ok_or(ResolveError::NoSuchOrg { org })?;
    let mut errors = ManifestErrors::default();
    let documents = gather(documents, catalogue, &mut errors);
    let declared = documents.iter().filter_map(|(target, _, _)| target.clone()).collect();
    let mut resolver = Resolver { lookup: Lookup::new(live, catalogue, declared, errors) };
    resolver.refuse_twice_made(&documents);

    let mut wanted: BTreeMap<Target, Wanted> = BTreeMap::new();
    for (target, kind, document) in documents {
        let at = document.at.clone();
        let Some(next) = resolver.document(target, kind, document).await? else { continue };
        if let Some(first) = wanted.get(&next.target) {
            let what = format!("it is declared twice: first at {}", first.at);
            resolver.lookup.errors.push(&at, Some(&next.label), Problem::Conflict { what });
        } else {
            wanted.insert(next.target.clone(), next);
        }
    }

    let Lookup { live, errors, .. } = resolver.lookup;
    errors.into_result()?;
    Ok((live, wanted.into_values().collect()))
}

type Gathered = (Option<Target>, Arc<dyn Kind>, Document);

/// One document per named resource, in the order of their places.
fn gather(mut documents: Vec<Document>, catalogue: &Catalogue, errors: &mut ManifestErrors) -> Vec<Gathered> {
    documents.sort_by(|a, b| a.at.cmp(&b.at));
    let mut gathered: Vec<Gathered> = Vec::new();
    let mut places: BTreeMap<Target, usize> = BTreeMap::new();
    for document in documents {
        let kind = match catalogue.kind(&document.kind) {
            Ok(kind) => Arc::clone(kind),
            Err(unknown) => {
                errors.push(&document.at, Some(&document.label), unknown);
                continue;
            }
        };
        let target = target_of(kind.as_ref(), &document);
        let earlier =
            target.as_ref().and_then(|target| places.get(target)).and_then(|at| gathered.get_mut(*at));
        match (earlier, &target) {
            (Some((_, _, first)), _) => merge(first, document, errors),
            (None, known) => {
                if let Some(target) = known {
                    places.insert(target.clone(), gathered.len());
                }
                gathered.push((target, kind, document));
            }
        }
    }
    gathered
}

struct Resolver<'a> {
    lookup: Lookup<'a>,
}

impl Resolver<'_> {
    /// A deployment makes its registration itself (row P65).
    fn refuse_twice_made(&mut self, documents: &[Gathered]) {
        let deployments: BTreeSet<&str> = documents
            .iter()
            .filter_map(|(target, ..)| target.as_ref())
            .filter(|target| target.kind == McpDeployment::KIND)
            .map(|target| target.path.as_str())
            .collect();
        for (target, _, document) in documents {
            let Some(target) = target else { continue };
            if target.kind == McpServer::KIND && deployments.contains(target.path.as_str()) {
                let what =
                    format!("the deployment `{}` makes a registration of this name itself", target.path);
                self.lookup.errors.push(&document.at, Some(&document.label), Problem::Conflict { what });
            }
        }
    }

    async fn document(
        &mut self,
        target: Option<Target>,
        kind: Arc<dyn Kind>,
        document: Document,
    ) -> StoreResult<Option<Wanted>> {
        self.lookup.label.clone_from(&document.label);
        let ou = match &document.ou {
            Some(given) => self.lookup.ou("metadata.ou_path", given).await?,
            None => None,
        };
        if document.ou.is_some() && ou.is_none() {
            return Ok(None);
        }
        let mut from = document.ou.as_ref().map(|given| given.value.clone());
        let mut fields: Vec<WantedField> = Vec::new();
        let mut is_whole = true;
        for field in kind.fields() {
            let Some(given) = document.fields.get(field.name) else { continue };
            let Some(bound) = self.bind(field, given, from.as_ref()).await? else {
                // The other fields are looked at all the same: every fault at once.
                is_whole = false;
                continue;
            };
            if from.is_none()
                && let Bound::One(link) = &bound
            {
                // Where the author chooses no OU, it is that of the first reference.
                from = link.target.path.rsplit_once('/').and_then(|(ou, _)| ou.parse::<OuPath>().ok());
            }
            fields.push(WantedField { name: field.name, spec: field.spec, bound, at: given.at.clone() });
        }
        if !is_whole {
            return Ok(None);
        }
        let target = target.unwrap_or_else(|| derived_target(kind.as_ref(), &document, &fields));
        let existing = self.existing(&target, kind.as_ref(), &document, ou.as_ref(), &fields).await?;
        if self.is_refused(&target, &document, existing.as_ref()) {
            return Ok(None);
        }
        Ok(Some(Wanted {
            target,
            at: document.at,
            label: document.label,
            ou,
            name: document.name.map(|given| given.value),
            labels: document.labels,
            fields,
            existing,
            kind,
        }))
    }

    async fn bind(
        &mut self,
        field: &Field,
        given: &Given<Value>,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Bound>> {
        let name = &field_path(field);
        let text = given.value.as_str().unwrap_or_default();
        let at = &given.at;
        Ok(match &field.form {
            _ if given.value.is_null() => Some(Bound::Plain(Value::Null)),
            Form::Principal => self.lookup.principal(name, text, at).await?,
            Form::Role => self.lookup.role(name, text, at, from).await?,
            Form::OuPath => self.lookup.named(name, &Ou::KIND, text, at, from).await?.map(Bound::One),
            Form::Reference(kind) => self.lookup.named(name, kind, text, at, from).await?.map(Bound::One),
            Form::References(kind) => self.many(field, kind, given, from).await?.map(Bound::Many),
            Form::Approvers => self.approvers(field, given, from).await?.map(Bound::Each),
            Form::Skills => self.skills(field, given, from).await?.map(Bound::Skills),
            _ => Some(Bound::Plain(given.value.clone())),
        })
    }

    async fn many(
        &mut self,
        field: &Field,
        kind: &KindName,
        given: &Given<Value>,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Vec<Link>>> {
        let items = given.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut links: Vec<Link> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", field_path(field));
            let at = given.item(index);
            if let Some(link) =
                self.lookup.named(&path, kind, item.as_str().unwrap_or_default(), at, from).await?
            {
                self.refuse_twice(&path, &link, links.iter(), at);
                links.push(link);
            }
        }
        Ok((links.len() == items.len()).then_some(links))
    }

    async fn approvers(
        &mut self,
        field: &Field,
        given: &Given<Value>,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Vec<Bound>>> {
        let items = given.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut approvers: Vec<Bound> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", field_path(field));
            let at = given.item(index);
            let text = item.as_str().unwrap_or_default();
            if let Some(approver) = self.lookup.approver(&path, text, at, from).await? {
                if approvers.contains(&approver) {
                    self.lookup.fault(at, Invalid::new(&path, text, "each once"));
                }
                approvers.push(approver);
            }
        }
        Ok((approvers.len() == items.len()).then_some(approvers))
    }

    async fn skills(
        &mut self,
        field: &Field,
        given: &Given<Value>,
        from: Option<&OuPath>,
    ) -> StoreResult<Option<Vec<(Link, Option<Pin>)>>> {
        let items = given.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut skills = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", field_path(field));
            let at = given.item(index);
            let name =
                item.as_str().or_else(|| item.get("skill").and_then(Value::as_str)).unwrap_or_default();
            let Some(link) = self.lookup.named(&path, &Skill::KIND, name, at, from).await? else { continue };
            self.refuse_twice(&path, &link, skills.iter().map(|(link, _)| link), at);
            match item.get("version").and_then(Value::as_u64) {
                None => skills.push((link, None)),
                Some(number) => {
                    if let Some(version) = self.lookup.version(&path, &link, number, at).await? {
                        skills.push((link, Some(version)));
                    }
                }
            }
        }
        Ok((skills.len() == items.len()).then_some(skills))
    }

    fn refuse_twice<'l>(
        &mut self,
        field: &str,
        link: &Link,
        mut others: impl Iterator<Item = &'l Link>,
        at: &Location,
    ) {
        if others.any(|other| other == link) {
            let refused = Invalid::new(field, &link.target.path, "each once");
            self.lookup.fault(at, refused);
        }
    }

    async fn existing(
        &mut self,
        target: &Target,
        kind: &dyn Kind,
        document: &Document,
        ou: Option<&Link>,
        fields: &[WantedField],
    ) -> StoreResult<Option<RecordRow>> {
        if kind.home() == Home::Named {
            if kind.name() == Ou::KIND {
                let Ok(path) = target.path.parse::<OuPath>() else { return Ok(None) };
                return self.lookup.live.ou_row(&path).await;
            }
            let Ok(path) = target.path.parse() else { return Ok(None) };
            return self.lookup.live.named(kind, &path).await;
        }
        let mut identity = Map::new();
        for name in identity_fields(kind) {
            let Some(field) = fields.iter().find(|field| field.name == name) else { return Ok(None) };
            if field.bound.links().iter().any(|link| link.id.is_none()) {
                return Ok(None);
            }
            let value = field.bound.lower(|link| link.id.unwrap_or_else(|| link.target.provisional_id()));
            identity.insert(field.spec.to_owned(), value);
        }
        let name = match kind.derived_name(&Value::Object(identity)) {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(None),
            Err(invalid) => {
                self.lookup.errors.push(&document.at, Some(&document.label), invalid);
                return Ok(None);
            }
        };
        match (kind.home(), ou.map(|link| link.id)) {
            (Home::InOu, Some(None)) => Ok(None),
            (_, ou) => {
                let ou = ou.flatten().unwrap_or_else(|| target.provisional_id());
                self.lookup.live.unique(&kind.name(), &kind.unique_key(ou, &name)).await
            }
        }
    }

    fn is_refused(&mut self, target: &Target, document: &Document, existing: Option<&RecordRow>) -> bool {
        let what = match existing {
            Some(row) if !row.is_live() => "it is being archived: wait until it is gone".to_owned(),
            Some(row) if is_owned(row) => {
                "it is owned by the deployment of the same name, which keeps it".to_owned()
            }
            None if target.kind == Ou::KIND && document.ou.is_none() => {
                "it would be a second root OU: an organization has one, made with it".to_owned()
            }
            _ => return false,
        };
        self.lookup.errors.push(&document.at, Some(&document.label), Problem::Conflict { what });
        true
    }
}

/// The path of what is known by what it binds.
fn derived_target(kind: &dyn Kind, document: &Document, fields: &[WantedField]) -> Target {
    let parts: Vec<String> = identity_fields(kind)
        .filter_map(|name| fields.iter().find(|field| field.name == name))
        .map(|field| field.bound.path())
        .collect();
    let path = match &document.ou {
        Some(ou) => format!("{} {}", ou.value, parts.join("+")),
        None => parts.join("+"),
    };
    Target::new(kind.name(), path)
}
