//! Finds what exists: paths, names and addresses to records, and ids back to paths.

use crate::id::{OrgId, ResourceId};
use crate::manifest::merge::identity_fields;
use crate::manifest::target::Target;
use crate::manifest::written::{Names, written};
use crate::name::Email;
use crate::ou_path::{OuPath, ResourcePath};
use crate::record::{KindName, RecordRow, ResourceKey, Schema};
use crate::resource::catalogue::Catalogue;
use crate::resource::kind::{Home, Kind};
use crate::resource::ou::Ou;
use crate::resource::skill_version::SkillVersion;
use crate::resource::user::User;
use crate::store::{OrgRow, Records, StoreResult};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Looks records of one organization up and remembers every answer, so that one plan sees one state of each.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    records: &'a dyn Records,
    catalogue: &'a Catalogue,
    org: OrgRow,
    found: HashMap<(KindName, String), Option<RecordRow>>,
    rows: HashMap<ResourceKey, Option<RecordRow>>,
    ous: BTreeMap<OuPath, Option<ResourceId>>,
}

impl<'a> Live<'a> {
    /// `None` if there is no such organization.
    pub(crate) async fn open(
        records: &'a dyn Records,
        catalogue: &'a Catalogue,
        org: OrgId,
    ) -> StoreResult<Option<Self>> {
        let org = records.org(org).await?;
        let (found, rows, ous) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        Ok(org.map(|org| Self { records, catalogue, org, found, rows, ous }))
    }

    /// The record of a kind under its unique key, archived ones excepted.
    pub(crate) async fn unique(&mut self, kind: &KindName, key: &str) -> StoreResult<Option<RecordRow>> {
        let cached = (kind.clone(), key.to_owned());
        if let Some(row) = self.found.get(&cached) {
            return Ok(row.clone());
        }
        let row = self.records.record_by_unique_key(self.org.id, kind, key).await?;
        self.found.insert(cached, row.clone());
        Ok(row)
    }

    /// A record by its id.
    pub(crate) async fn row(&mut self, key: &ResourceKey) -> StoreResult<Option<RecordRow>> {
        if let Some(row) = self.rows.get(key) {
            return Ok(row.clone());
        }
        let row = self.records.record(self.org.id, key).await?;
        self.rows.insert(key.clone(), row.clone());
        Ok(row)
    }

    /// The OU at a path.
    pub(crate) async fn ou(&mut self, path: &OuPath) -> StoreResult<Option<ResourceId>> {
        let Some(unknown) = path.self_and_ancestors().position(|path| self.ous.contains_key(&path)) else {
            let root = path.self_and_ancestors().last().filter(|root| root.leaf() == self.org.slug);
            let id = root.is_some().then_some(self.org.root_ou);
            if let Some(root) = path.self_and_ancestors().last() {
                self.ous.insert(root, id);
            }
            return Box::pin(self.ou(path)).await;
        };
        let mut above: Vec<OuPath> = path.self_and_ancestors().take(unknown + 1).collect();
        let known = above.pop().and_then(|path| self.ous.get(&path).copied().flatten());
        let mut parent = known;
        for path in above.into_iter().rev() {
            parent = match parent {
                Some(id) => {
                    let key = format!("{id}/{}", path.leaf());
                    self.unique(&Ou::KIND, &key).await?.filter(RecordRow::is_live).map(|row| row.meta.id)
                }
                None => None,
            };
            self.ous.insert(path, parent);
        }
        Ok(parent)
    }

    /// The record of a named kind at a path.
    pub(crate) async fn named(
        &mut self,
        kind: &dyn Kind,
        path: &ResourcePath,
    ) -> StoreResult<Option<RecordRow>> {
        match self.ou(&path.ou).await? {
            Some(ou) => self.unique(&kind.name(), &kind.unique_key(ou, path.name.as_str())).await,
            None => Ok(None),
        }
    }

    /// The record of an OU at a path, the root included.
    pub(crate) async fn ou_row(&mut self, path: &OuPath) -> StoreResult<Option<RecordRow>> {
        match self.ou(path).await? {
            Some(id) => self.row(&ResourceKey::of::<Ou>(id)).await,
            None => Ok(None),
        }
    }

    /// The user of an address.
    pub(crate) async fn user(&mut self, email: &Email) -> StoreResult<Option<RecordRow>> {
        self.unique(&User::KIND, email.as_str()).await
    }

    /// The version of a skill with this number.
    pub(crate) async fn skill_version(
        &mut self,
        skill: ResourceId,
        number: u64,
    ) -> StoreResult<Option<RecordRow>> {
        self.unique(&SkillVersion::KIND, &format!("{skill}@{number}")).await
    }

    /// The path of an OU.
    pub(crate) async fn ou_path(&mut self, mut id: ResourceId) -> StoreResult<Option<OuPath>> {
        let mut segments: Vec<String> = Vec::new();
        while let Some(row) = self.row(&ResourceKey::of::<Ou>(id)).await? {
            let parent = row.meta.ou;
            segments.push(row.meta.name);
            if parent == id || segments.len() > crate::ou_path::MAX_OU_DEPTH {
                segments.reverse();
                return Ok(format!("/{}", segments.join("/")).parse().ok());
            }
            id = parent;
        }
        Ok(None)
    }

    /// Learns how people call everything these records refer to, and the OUs they live in, as far as `sees` allows.
    pub(crate) async fn names<'r>(
        &mut self,
        rows: impl IntoIterator<Item = &'r RecordRow>,
        names: &mut Names,
        sees: &(dyn Fn(&RecordRow) -> bool + Sync),
    ) -> StoreResult<()> {
        let mut keys: BTreeSet<ResourceKey> = BTreeSet::new();
        for row in rows {
            keys.insert(ResourceKey::of::<Ou>(row.meta.ou));
            if let Ok(references) = self.catalogue.kind(&row.kind).and_then(|kind| kind.references(&row.spec))
            {
                keys.extend(references.into_iter().map(|reference| reference.target));
            }
        }
        for key in keys {
            if names.text(key.id).is_some() {
                continue;
            }
            let Some(row) = self.row(&key).await?.filter(|row| sees(row)) else { continue };
            if row.kind == SkillVersion::KIND {
                let number = row.spec.get("number").and_then(serde_json::Value::as_u64);
                names.number(key.id, number.unwrap_or_default());
            } else if row.kind == Ou::KIND {
                if let Some(path) = self.ou_path(key.id).await? {
                    names.put(key.id, path.to_string());
                }
            } else {
                let home = self.catalogue.kind(&row.kind).map_or(Home::Derived, |kind| kind.home());
                let path = match home {
                    Home::Named => {
                        self.ou_path(row.meta.ou).await?.map(|ou| format!("{ou}/{}", row.meta.name))
                    }
                    _ => None,
                };
                names.put(key.id, path.unwrap_or(row.meta.name));
            }
        }
        Ok(())
    }

    /// What a plan calls a record; `names` knows what it refers to.
    pub(crate) async fn target(&mut self, row: &RecordRow, names: &Names) -> StoreResult<Target> {
        let ou = match names.text(row.meta.ou) {
            Some(path) => path.to_owned(),
            None => self.ou_path(row.meta.ou).await?.map(String::from).unwrap_or_default(),
        };
        let Ok(kind) = self.catalogue.kind(&row.kind) else {
            return Ok(Target::new(row.kind.clone(), row.meta.name.as_str()));
        };
        let parts = || {
            let parts = identity_fields(kind.as_ref()).filter_map(|name| {
                let field = kind.fields().iter().find(|field| field.name == name)?;
                match written(&field.form, row.spec.get(field.spec)?, names) {
                    Value::String(text) => Some(text),
                    other => Some(other.to_string()),
                }
            });
            parts.collect::<Vec<String>>().join("+")
        };
        let path = match kind.home() {
            Home::Named if row.kind == Ou::KIND && row.meta.id == row.meta.ou => ou,
            Home::Named => format!("{ou}/{}", row.meta.name),
            Home::InOu => format!("{ou} {}", parts()),
            Home::Global | Home::Derived if kind.manifest() => parts(),
            Home::Global | Home::Derived => row.meta.name.clone(),
        };
        Ok(Target::new(row.kind.clone(), path))
    }
}
