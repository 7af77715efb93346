//! What the control plane knows about a kind, typed ([`Declared`]) and with the type erased ([`Kind`]).
//!
//! CRUD, permissions, references, manifests and plans are written once over [`Kind`]. An embedder's own kind
//! implements [`Declared`] (or [`Kind`] itself) and is registered with the control plane: governance, audit and
//! plans come for free.

use crate::digest::{Digest, desired_hash};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::{KindName, Misshapen, Record, RecordRow, ResourceKey, Schema};
use crate::resource::bounds::{check_form, check_size, check_value};
use crate::resource::field::Field;
use crate::runtime::Payload;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The permissions that govern a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the four verbs every kind has")]
pub struct KindPermissions {
    /// To see one.
    pub read: Permission,
    /// To declare one.
    pub create: Permission,
    /// To change one.
    pub update: Permission,
    /// To archive one.
    pub archive: Permission,
}

/// How a record of the kind gets its OU and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the door must know every way")]
pub enum Home {
    /// The author chooses OU and name; the name is a slug, unique per kind and OU.
    Named,
    /// The author chooses the OU; the name follows from the spec.
    InOu,
    /// OU and name follow from the spec: the OU is that of the first reference.
    Derived,
    /// The author chooses the OU; the name follows from the spec and is unique in the whole organization.
    Global,
}

/// What authorization has to do with a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the door must know every part a kind can play")]
pub enum AuthzPart {
    /// Nothing: no decision depends on it.
    None,
    /// It is somebody or somewhere. A new one changes no decision about others, so it does not raise the epoch; a change
    /// of one of these spec fields, or its end, does.
    Subject(&'static [&'static str]),
    /// It gives or takes: every write raises the epoch.
    Grant,
}

/// A record that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data between a kind and the door")]
pub struct Reference {
    /// The field that refers, for error texts.
    pub field: String,
    /// What it refers to; must exist and be live when the reference is made.
    pub target: ResourceKey,
    /// The permission the caller needs on the target's OU to make the reference (sem. 2.2.9).
    pub needs: Option<Permission>,
}

impl Reference {
    /// A reference that needs no permission on the target.
    pub fn new(field: impl Into<String>, target: ResourceKey) -> Self {
        Self { field: field.into(), target, needs: None }
    }

    /// The caller needs this permission on the target's OU.
    #[must_use]
    pub fn needing(mut self, permission: Permission) -> Self {
        self.needs = Some(permission);
        self
    }
}

/// The records a projection may look at: those its record refers to.
#[derive(Debug, Clone, Default)]
pub struct Related {
    rows: BTreeMap<ResourceKey, RecordRow>,
    /// The organization's environment, on which every agent depends (row P37).
    pub environment: Option<ResourceKey>,
}

impl Related {
    /// These records.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = RecordRow>, environment: Option<ResourceKey>) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.key(), row)).collect(), environment }
    }

    /// The row of a key.
    #[must_use]
    pub fn row(&self, key: &ResourceKey) -> Option<&RecordRow> {
        self.rows.get(key)
    }

    /// Adds or replaces a row.
    pub fn put(&mut self, row: RecordRow) {
        self.rows.insert(row.key(), row);
    }

    /// The typed record of an id.
    ///
    /// # Errors
    /// [`ProjectError::NotReady`] if it is not there, [`ProjectError::Misshapen`] if it cannot be read.
    pub fn record<K: Schema>(&self, id: ResourceId) -> Result<Record<K>, ProjectError> {
        let key = ResourceKey::of::<K>(id);
        let row =
            self.row(&key).ok_or_else(|| ProjectError::NotReady { on: format!("{key} does not exist") })?;
        Ok(Record::read(row)?)
    }
}

/// Why a record cannot be projected now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// Something it needs is not there yet: no failure (row P40).
    #[error("it waits: {on}")]
    NotReady {
        /// For what, in words.
        on: String,
    },
    /// A stored record cannot be read.
    #[error(transparent)]
    Misshapen(#[from] Misshapen),
}

/// What a record should be on the runtime, and what must be there before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data between a kind and the reconciler")]
pub struct Projection {
    /// What it should be.
    pub payload: Payload,
    /// What must be in sync before it is pushed.
    pub depends_on: Vec<ResourceKey>,
}

impl Projection {
    /// The desired hash of this payload for a record of `kind` (row P31).
    ///
    /// # Errors
    /// [`Invalid`] if the payload holds a number that has no exact canonical form.
    pub fn desired(&self, kind: &KindName) -> Result<Digest, Invalid> {
        desired_hash(kind.as_str(), &self.payload)
    }
}

/// A kind, typed: what one file of this folder says.
///
/// # Examples
/// A kind of one's own, which the control plane then declares, governs, plans and audits like its own:
/// ```
/// use powerloom_core::permission::Permission;
/// use powerloom_core::record::{KindName, Schema};
/// use powerloom_core::resource::catalogue::Catalogue;
/// use powerloom_core::resource::field::{Field, Form};
/// use powerloom_core::resource::kind::{Declared, Home, Kind, KindPermissions, Rules};
/// use serde::{Deserialize, Serialize};
/// use std::sync::Arc;
///
/// #[derive(Debug)]
/// struct Queue;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct QueueSpec {
///     depth: u32,
/// }
///
/// impl Schema for Queue {
///     const KIND: KindName = KindName::known("Queue");
///     type Spec = QueueSpec;
///     type Status = ();
/// }
///
/// impl Declared for Queue {
///     const FIELDS: &'static [Field] = &[Field::new("depth", Form::Integer { min: 1, max: 100 }).required()];
///     const PERMISSIONS: KindPermissions = KindPermissions {
///         read: Permission::CUSTOM_READ,
///         create: Permission::CUSTOM_CREATE,
///         update: Permission::CUSTOM_UPDATE,
///         archive: Permission::CUSTOM_DELETE,
///     };
///     const HOME: Home = Home::Named;
///     const RANK: u8 = 90;
/// }
///
/// let kind = Rules::<Queue>::default();
/// let refused = kind.check(&serde_json::json!({ "depth": 0 })).unwrap_err();
/// assert_eq!(refused.field, "spec.depth");
/// Catalogue::default().register(Arc::new(kind))?;
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
pub trait Declared: Schema {
    /// The fields a manifest and an update may write.
    const FIELDS: &'static [Field];
    /// The permissions that govern it.
    const PERMISSIONS: KindPermissions;
    /// How it gets its OU and its name.
    const HOME: Home;
    /// Order among independent documents of a plan (sem. 2.3.3).
    const RANK: u8;
    /// What it is, in a sentence for people who write manifests.
    const ABOUT: &'static str = "";
    /// It has a counterpart on the runtime.
    const ON_RUNTIME: bool = false;
    /// What authorization has to do with it.
    const AUTHZ: AuthzPart = AuthzPart::None;
    /// A change of it may change what the records that refer to it are on the runtime.
    const FOLLOWED: bool = false;
    /// It is archived together with what it refers to, instead of keeping that from being archived.
    const CASCADES: bool = false;
    /// Manifests may declare it; the others come into being by other mutations.
    const MANIFEST: bool = true;
    /// It is changed and ended by actions of its own only: `update` and `archive` refuse it.
    const OWN_ACTIONS: bool = false;
    /// The fields of its status that are shown to nobody: what a secret is recognized by.
    const HIDDEN_STATUS: &'static [&'static str] = &[];

    /// Refuses what can never be right, beyond the form of single fields.
    ///
    /// # Errors
    /// [`Invalid`] names the field.
    fn validate(_spec: &Self::Spec) -> Result<(), Invalid> {
        Ok(())
    }

    /// What it refers to, the one that gives it its OU first.
    fn references(_spec: &Self::Spec) -> Vec<Reference> {
        Vec::new()
    }

    /// Its name, where that follows from the spec.
    fn derived_name(_spec: &Self::Spec) -> Option<String> {
        None
    }

    /// What it should be on the runtime; `None` if it has no counterpart there.
    ///
    /// # Errors
    /// [`ProjectError::NotReady`] while something it needs is not there.
    fn project(_record: &Record<Self>, _related: &Related) -> Result<Option<Projection>, ProjectError> {
        Ok(None)
    }
}

/// A kind with its type erased: what the door, the manifests and the reconciler work with.
pub trait Kind: fmt::Debug + Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> KindName;
    /// [`Declared::FIELDS`].
    fn fields(&self) -> &[Field];
    /// [`Declared::PERMISSIONS`].
    fn permissions(&self) -> KindPermissions;
    /// [`Declared::HOME`].
    fn home(&self) -> Home;
    /// [`Declared::RANK`].
    fn rank(&self) -> u8;
    /// [`Declared::ABOUT`].
    fn about(&self) -> &str {
        ""
    }
    /// [`Declared::ON_RUNTIME`].
    fn on_runtime(&self) -> bool;
    /// [`Declared::AUTHZ`].
    fn authz(&self) -> AuthzPart;
    /// [`Declared::FOLLOWED`].
    fn followed(&self) -> bool;
    /// [`Declared::CASCADES`].
    fn cascades(&self) -> bool;
    /// [`Declared::MANIFEST`].
    fn manifest(&self) -> bool;
    /// [`Declared::OWN_ACTIONS`].
    fn own_actions(&self) -> bool {
        false
    }
    /// What of a record's status may be shown: all but [`Declared::HIDDEN_STATUS`].
    fn shown(&self, status: &Value) -> Value {
        status.clone()
    }
    /// Checks a spec completely and returns it in its one normal form, defaults filled in. A field of the table that is
    /// `null` counts as absent.
    ///
    /// # Errors
    /// [`Invalid`] names the field, below `spec`.
    fn check(&self, spec: &Value) -> Result<Value, Invalid>;
    /// [`Declared::references`] of a checked spec.
    ///
    /// # Errors
    /// [`Invalid`] if the spec was not checked before.
    fn references(&self, spec: &Value) -> Result<Vec<Reference>, Invalid>;
    /// [`Declared::derived_name`] of a checked spec.
    ///
    /// # Errors
    /// [`Invalid`] if the spec was not checked before.
    fn derived_name(&self, spec: &Value) -> Result<Option<String>, Invalid>;
    /// [`Declared::project`].
    ///
    /// # Errors
    /// As there.
    fn project(&self, row: &RecordRow, related: &Related) -> Result<Option<Projection>, ProjectError>;

    /// What makes a record unique among those of its kind that are not archived.
    fn unique_key(&self, ou: ResourceId, name: &str) -> String {
        match self.home() {
            Home::Global | Home::Derived => name.to_owned(),
            Home::Named | Home::InOu => format!("{ou}/{name}"),
        }
    }
}

/// The [`Kind`] of a [`Declared`] type.
#[derive(Debug)]
pub struct Rules<K>(PhantomData<K>);

impl<K> Default for Rules<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<K: Declared> Rules<K> {
    fn typed(spec: &Value) -> Result<K::Spec, Invalid> {
        serde_json::from_value(spec.clone())
            .map_err(|e| Invalid::new("spec", e, format!("the fields of a {}", K::KIND)))
    }
}

/// A field that is `null` is as good as absent, as it is in an update.
fn without_nulls(spec: &Value, fields: &[Field]) -> Value {
    let mut spec = spec.clone();
    if let Some(given) = spec.as_object_mut() {
        given.retain(|name, value| !value.is_null() || !fields.iter().any(|field| field.spec == name));
    }
    spec
}

impl<K: Declared> Kind for Rules<K> {
    fn name(&self) -> KindName {
        K::KIND
    }

    fn fields(&self) -> &[Field] {
        K::FIELDS
    }

    fn permissions(&self) -> KindPermissions {
        K::PERMISSIONS
    }

    fn home(&self) -> Home {
        K::HOME
    }

    fn rank(&self) -> u8 {
        K::RANK
    }

    fn about(&self) -> &str {
        K::ABOUT
    }

    fn on_runtime(&self) -> bool {
        K::ON_RUNTIME
    }

    fn authz(&self) -> AuthzPart {
        K::AUTHZ
    }

    fn followed(&self) -> bool {
        K::FOLLOWED
    }

    fn cascades(&self) -> bool {
        K::CASCADES
    }

    fn manifest(&self) -> bool {
        K::MANIFEST
    }

    fn own_actions(&self) -> bool {
        K::OWN_ACTIONS
    }

    fn shown(&self, status: &Value) -> Value {
        let mut status = status.clone();
        if let Some(fields) = status.as_object_mut() {
            fields.retain(|name, _| !K::HIDDEN_STATUS.contains(&name.as_str()));
        }
        status
    }

    fn check(&self, spec: &Value) -> Result<Value, Invalid> {
        check_size(spec).map_err(|e| e.within("spec"))?;
        for field in K::FIELDS {
            let value = spec.get(field.spec).unwrap_or(&Value::Null);
            if field.required && value.is_null() {
                return Err(Invalid::hidden(field.spec, "a value: it is required").within("spec"));
            }
            check_form(field, value)
                .and_then(|()| check_value(field, value))
                .map_err(|e| e.within("spec"))?;
        }
        let typed = Self::typed(&without_nulls(spec, K::FIELDS))?;
        K::validate(&typed).map_err(|e| e.within("spec"))?;
        serde_json::to_value(&typed).map_err(|e| Invalid::new("spec", e, "what JSON can hold"))
    }

    fn references(&self, spec: &Value) -> Result<Vec<Reference>, Invalid> {
        Ok(K::references(&Self::typed(spec)?))
    }

    fn derived_name(&self, spec: &Value) -> Result<Option<String>, Invalid> {
        Ok(K::derived_name(&Self::typed(spec)?))
    }

    fn project(&self, row: &RecordRow, related: &Related) -> Result<Option<Projection>, ProjectError> {
        K::project(&Record::read(row)?, related)
    }
}
