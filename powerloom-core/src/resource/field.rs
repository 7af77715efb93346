//! The table of a kind's fields: what a manifest may say, where it goes in the spec, what it may hold.
//!
//! Manifests, plans, exports and the check of immutable fields are written once over this table.

use crate::record::KindName;

/// Where a manifest writes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a manifest has these two parts")]
pub enum Place {
    /// Under `metadata`.
    Metadata,
    /// Under `spec`.
    Spec,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader of manifests must know every form")]
pub enum Form {
    /// Text of `min` to `max` characters.
    Text {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number from `min` to `max`.
    Integer {
        /// At least.
        min: i64,
        /// At most.
        max: i64,
    },
    /// An RFC 3339 time.
    Time,
    /// An absolute `http` or `https` URL.
    Url,
    /// An e-mail address.
    Email,
    /// A principal: `user:<email>`, `group:<path>`, `ou:<path>`, `agent:<path>`, `service:<name>`.
    Principal,
    /// A built-in role by name, or a custom one by name or path.
    Role,
    /// An OU by its path.
    OuPath,
    /// One resource of a kind: a bare name, looked up from the OU upwards, or `<ou_path>/<name>`.
    Reference(KindName),
    /// A list of such references: the complete set (sem. 2.3.2).
    References(KindName),
    /// A list of skills, each a bare name or path, or `{skill, version}` with a pinned version's number.
    Skills,
    /// A list of permission patterns.
    Permissions,
    /// A list of texts.
    Texts,
    /// A map from text to lists of texts.
    TextLists,
    /// Which changes an approval policy is about.
    PolicyMatch,
    /// A list of approvers: `role:<name or path>`, `group:<path>`, `user:<email>`.
    Approvers,
    /// Any JSON object; what may be in it another rule says.
    Object,
}

/// One field of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in a manifest.
    pub name: &'static str,
    /// Its name in the spec.
    pub spec: &'static str,
    /// Where a manifest writes it.
    pub place: Place,
    /// What it holds.
    pub form: Form,
    /// It must be there when the resource is created.
    pub required: bool,
    /// It cannot change afterwards: another value replaces the resource.
    pub immutable: bool,
}

impl Field {
    /// An optional, changeable field under `spec`, called the same in the spec.
    #[must_use]
    pub const fn new(name: &'static str, form: Form) -> Self {
        Self { name, spec: name, place: Place::Spec, form, required: false, immutable: false }
    }

    /// It is called `spec` in the spec.
    #[must_use]
    pub const fn as_spec(mut self, spec: &'static str) -> Self {
        self.spec = spec;
        self
    }

    /// A manifest writes it under `metadata`.
    #[must_use]
    pub const fn in_metadata(mut self) -> Self {
        self.place = Place::Metadata;
        self
    }

    /// It must be there when the resource is created.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It cannot change afterwards.
    #[must_use]
    pub const fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }
}

/// A display name: 1 to 255 characters (sem. 2.3).
pub const DISPLAY_NAME: Form = Form::Text { min: 1, max: 255 };
/// A description: at most 2048 characters (sem. 2.3).
pub const DESCRIPTION: Form = Form::Text { min: 0, max: 2048 };
