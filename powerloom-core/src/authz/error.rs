//! Why data cannot become a snapshot.

use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::ou_path::MAX_OU_DEPTH;

/// The data contradicts itself. Nothing is guessed: a snapshot that ignored a broken deny would allow too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthzDataError {
    /// No OU is without a parent.
    #[error("the organization has no root OU")]
    NoRoot,
    /// Two OUs are without a parent.
    #[error("`{first}` and `{second}` are both root OUs")]
    TwoRoots {
        /// One of them.
        first: ResourceId,
        /// The other.
        second: ResourceId,
    },
    /// An OU is above itself.
    #[error("OU `{ou}` lies in a cycle of parents")]
    OuCycle {
        /// An OU of the cycle or below it.
        ou: ResourceId,
    },
    /// The tree is deeper than a path may be.
    #[error("OU `{ou}` lies deeper than {MAX_OU_DEPTH} levels")]
    OuTooDeep {
        /// The first one found.
        ou: ResourceId,
    },
    /// Two things have one id.
    #[error("id `{id}` is used twice")]
    DuplicateId {
        /// The id.
        id: ResourceId,
    },
    /// Two things of one kind have one name.
    #[error("`{name}` is the name of two")]
    DuplicateName {
        /// The written form.
        name: String,
    },
    /// A reference leads nowhere.
    #[error("`{from}` refers to {what} `{missing}`, which does not exist")]
    Dangling {
        /// The thing that refers, by id.
        from: ResourceId,
        /// What kind of thing is missing.
        what: &'static str,
        /// What is missing.
        missing: String,
    },
    /// There is no binding of that id.
    #[error("no binding `{id}` exists")]
    UnknownBinding {
        /// The id.
        id: ResourceId,
    },
}

impl AuthzDataError {
    /// What the caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownBinding { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Corrupt,
        }
    }
}
