//! What a step of a plan is about: a kind and the path people know it by.

use crate::digest::Digest;
use crate::id::ResourceId;
use crate::record::KindName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A resource by its kind and path, whether it exists or not.
///
/// The path of an OU is its own; of a named resource `<ou_path>/<name>` (row P64); of a user the e-mail. Any other is
/// known by what it binds: its OU, if its author chooses that, and the references that tell it from its like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PlanTarget))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a name has these two parts")]
pub struct Target {
    /// The kind.
    pub kind: KindName,
    /// The path.
    pub path: String,
}

impl Target {
    pub(crate) fn new(kind: KindName, path: impl Into<String>) -> Self {
        Self { kind, path: path.into() }
    }

    /// The id that stands for it in a plan until it is made: equal for equal targets, and no UUIDv7, so that it is
    /// never the id of anything that exists.
    pub(crate) fn provisional_id(&self) -> ResourceId {
        let digest =
            Digest::of_parts(&[b"powerloom plan", self.kind.as_str().as_bytes(), self.path.as_bytes()]);
        let mut bytes = [0_u8; 16];
        for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        ResourceId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path)
    }
}
