//! A declared thing: metadata, spec and status, typed as [`Record<K>`] or as the [`RecordRow`] a store keeps.

use crate::clock::Timestamp;
use crate::error_kind::ErrorKind;
use crate::id::{OrgId, ResourceId};
use crate::invalid::Invalid;
use crate::labels::Labels;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The name of a kind, such as `Agent`: `^[A-Z][A-Za-z0-9]{0,62}$`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KindName(Cow<'static, str>);

impl KindName {
    /// The name of a kind known when compiling. The text is trusted to be well formed.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KindName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = text.bytes();
        let good = bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && text.len() <= 63
            && bytes.all(|b| b.is_ascii_alphanumeric());
        if good {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(Invalid::new(
                "kind",
                text,
                "a kind such as `Agent`: a capital letter, then letters and digits",
            ))
        }
    }
}

impl TryFrom<String> for KindName {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<KindName> for String {
    fn from(kind: KindName) -> Self {
        kind.0.into_owned()
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One declared thing of an organization: its kind and its id. Written `Agent/<uuid>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResourceKey {
    /// Its kind.
    pub kind: KindName,
    /// Its id.
    pub id: ResourceId,
}

impl ResourceKey {
    /// The key of a resource of kind `K`.
    #[must_use]
    pub const fn of<K: Schema>(id: ResourceId) -> Self {
        Self { kind: K::KIND, id }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl fmt::Debug for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a record is in its life: `live` → `archiving` → `archived` (sem. 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RecordStage))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new stage must break every caller that decides on one")]
pub enum Stage {
    /// In use.
    #[default]
    Live,
    /// Being removed: nothing new may refer to it, its remote object is being archived.
    Archiving,
    /// Gone; kept for history. Its name may be used again.
    Archived,
}

/// What every record has beside its spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RecordMetadata))]
pub struct Metadata {
    /// Unique within the organization.
    pub id: ResourceId,
    /// The organization that owns it.
    pub org: OrgId,
    /// The OU that governs it: permissions on it are judged there. The root OU governs itself.
    pub ou: ResourceId,
    /// Its name; unique per kind within whatever scope the kind says (for most, the OU).
    pub name: String,
    /// Raised by every write; the precondition of optimistic updates.
    pub version: u64,
    /// Raised by every write that changes the spec.
    pub generation: u64,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it was declared.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// What it is sorted by; changing one needs the permission to update the record.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The spec fields that the set of manifests named by the label `owner` manages, each with the value it applied
    /// last, `null` for absent. What others write does not touch it: a field that differs was changed by another.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub managed: Map<String, Value>,
}

/// A record as a store keeps it: the spec and the status are JSON, the kind is a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecordRow {
    /// The kind.
    pub kind: KindName,
    /// Metadata.
    pub meta: Metadata,
    /// What is wanted, as the kind's own schema says.
    pub spec: Value,
    /// What this side adds: frozen names, discovered tools, the current version of a skill.
    pub status: Value,
    /// Unique among the organization's records of this kind that are not archived.
    pub unique_key: String,
    /// What it refers to; a store answers `referrers` from this.
    pub refs: Vec<ResourceKey>,
}

impl RecordRow {
    /// The key of this record.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        ResourceKey { kind: self.kind.clone(), id: self.meta.id }
    }

    /// Whether it is neither archived nor being archived.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.meta.stage == Stage::Live
    }
}

/// The shape of a kind: its name and its typed spec and status.
pub trait Schema: fmt::Debug + Send + Sync + Sized + 'static {
    /// The kind's name.
    const KIND: KindName;
    /// What its author wants.
    type Spec: Serialize + DeserializeOwned + Clone + fmt::Debug + PartialEq + Send + Sync;
    /// What this side adds.
    type Status: Serialize + DeserializeOwned + Clone + fmt::Debug + PartialEq + Default + Send + Sync;
}

/// A record of one kind, typed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct Record<K: Schema> {
    /// Metadata.
    pub meta: Metadata,
    /// What is wanted.
    pub spec: K::Spec,
    /// What this side adds.
    pub status: K::Status,
}

/// A stored record does not have the shape its kind prescribes.
#[derive(Debug, thiserror::Error)]
#[error("the stored {kind} `{id}` cannot be read: its {part} does not have the kind's shape")]
#[non_exhaustive]
pub struct Misshapen {
    /// The kind.
    pub kind: KindName,
    /// The record.
    pub id: ResourceId,
    /// `spec`, `status` or `kind`.
    pub part: &'static str,
    /// What the reader said.
    #[source]
    pub source: Option<serde_json::Error>,
}

impl Misshapen {
    /// Always [`ErrorKind::Corrupt`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

impl<K: Schema> Record<K> {
    /// The key of this record.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        ResourceKey::of::<K>(self.meta.id)
    }

    /// Reads the typed record out of a row.
    ///
    /// # Errors
    /// [`Misshapen`] if the row is of another kind or does not have the kind's shape.
    pub fn read(row: &RecordRow) -> Result<Self, Misshapen> {
        let misshapen = |part, source| Misshapen { kind: row.kind.clone(), id: row.meta.id, part, source };
        if row.kind != K::KIND {
            return Err(misshapen("kind", None));
        }
        Ok(Self {
            meta: row.meta.clone(),
            spec: K::Spec::deserialize(&row.spec).map_err(|e| misshapen("spec", Some(e)))?,
            status: if row.status.is_null() {
                K::Status::default()
            } else {
                K::Status::deserialize(&row.status).map_err(|e| misshapen("status", Some(e)))?
            },
        })
    }
}
