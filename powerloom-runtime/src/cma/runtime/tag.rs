//! The tag: metadata by which an object that was made for us is found again (sem. 2.4, "ambiguous create").

use crate::cma::error::CmaError;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use powerloom_core::id::OrgId;
use powerloom_core::record::ResourceKey;
use std::collections::BTreeMap;

/// The resource: `Agent/<uuid>`.
const ID: &str = "powerloom_id";
/// The organization.
pub(crate) const ORG: &str = "powerloom_org";

/// How many objects a page of a look-up holds: the most every list of the service gives.
pub(crate) const PAGE: u32 = 100;

/// Metadata of an object.
pub(crate) type Metadata = BTreeMap<String, String>;

/// The tag of `key`.
pub(crate) fn tag(org: OrgId, key: &ResourceKey) -> Metadata {
    BTreeMap::from([(ID.to_owned(), key.to_string()), (ORG.to_owned(), org.to_string())])
}

/// The metadata as an update sends it: our pairs are set, those of others stay.
pub(crate) fn upsert(metadata: Metadata) -> BTreeMap<String, Option<String>> {
    metadata.into_iter().map(|(name, value)| (name, Some(value))).collect()
}

/// Whether the object was made for `key`.
pub(crate) fn is_tagged(metadata: &Metadata, org: OrgId, key: &ResourceKey) -> bool {
    let is = |name: &str, value: String| metadata.get(name).is_some_and(|held| *held == value);
    is(ID, key.to_string()) && is(ORG, org.to_string())
}

/// Whether the object still says that it belongs to `key`.
pub(crate) fn names(metadata: &Metadata, key: &ResourceKey) -> bool {
    metadata.get(ID).is_some_and(|held| *held == key.to_string())
}

/// The first object of a list that is wanted. Lists of the service are bounded: see the walk over pages.
pub(crate) async fn first<T>(
    mut list: BoxStream<'static, Result<T, CmaError>>,
    wanted: impl Fn(&T) -> bool,
) -> Result<Option<T>, CmaError> {
    while let Some(object) = list.try_next().await? {
        if wanted(&object) {
            return Ok(Some(object));
        }
    }
    Ok(None)
}
