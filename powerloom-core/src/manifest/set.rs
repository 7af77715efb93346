//! A set of manifests: documents that are kept together, such as those of one repository, and own what they declare.

use crate::invalid::Invalid;
use crate::labels::{Labels, OWNER};
use std::collections::BTreeSet;

/// How a set is planned.
///
/// Everything a set declares gets the label `owner` with the set's name, and the record remembers which fields the set
/// manages and what it applied last. So a later plan can tell what the set has left behind, what belongs to another
/// set, and what somebody else has changed; none of these is touched unless it is asked for here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// The name of the set.
    pub owner: String,
    /// What the set has left behind is archived.
    pub prune: bool,
    /// Which fields that others have changed are set to what the documents say.
    pub take: Take,
    /// What belongs to another set is taken over.
    pub take_ownership: bool,
}

/// Fields that are taken back from whoever changed them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a set takes nothing, something or everything")]
pub enum Take {
    /// None.
    #[default]
    Nothing,
    /// Those of these names in a manifest, such as `model`.
    Fields(BTreeSet<String>),
    /// All.
    All,
}

impl SetOptions {
    /// The set of this name: it prunes nothing and takes nothing.
    ///
    /// # Errors
    /// [`Invalid`] unless the name can be the value of a label and is not empty.
    pub fn new(owner: impl Into<String>) -> Result<Self, Invalid> {
        let owner = owner.into();
        if owner.trim().is_empty() {
            return Err(Invalid::new("owner", owner, "the name of the set"));
        }
        Labels::default().with(OWNER, owner.as_str())?;
        Ok(Self { owner, prune: false, take: Take::Nothing, take_ownership: false })
    }

    /// Archives what the set has left behind.
    #[must_use]
    pub const fn prune(mut self) -> Self {
        self.prune = true;
        self
    }

    /// Takes fields back from whoever changed them.
    #[must_use]
    pub fn take(mut self, take: Take) -> Self {
        self.take = take;
        self
    }

    /// Takes over what belongs to other sets.
    #[must_use]
    pub const fn take_ownership(mut self) -> Self {
        self.take_ownership = true;
        self
    }
}

impl Take {
    /// Whether the field of this name is taken.
    #[must_use]
    pub fn takes(&self, field: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fields(fields) => fields.contains(field),
            Self::All => true,
        }
    }
}
