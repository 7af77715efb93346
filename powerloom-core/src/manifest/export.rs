//! Records back to documents.

use crate::id::OrgId;
use crate::invalid::Invalid;
use crate::manifest::live::Live;
use crate::manifest::wanted::ResolveError;
use crate::manifest::written::{Names, is_owned, to_manifest};
use crate::record::RecordRow;
use crate::resource::catalogue::Catalogue;
use crate::store::Records;
use serde_json::Value;

/// Documents as the text of one stream, which [`parse`](crate::manifest::parse()) reads back as the same documents. It may be
/// longer than a stream that is read may be: it can be cut at any `---` line then.
///
/// # Errors
/// [`Invalid`] for what YAML cannot hold; what [`export`] answers is none of that.
///
/// # Examples
/// ```
/// use powerloom_core::manifest::to_yaml;
/// use serde_json::json;
///
/// let document = json!({ "kind": "Skill", "metadata": { "name": "no", "ou_path": "/acme" } });
/// let text = to_yaml(&[document.clone(), document])?;
/// assert!(text.contains("\n---\n") && text.contains("name: \"no\""), "{text}");
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
pub fn to_yaml(documents: &[Value]) -> Result<String, Invalid> {
    serde_saphyr::to_string_multiple(documents)
        .map_err(|_| Invalid::hidden("documents", "what YAML can hold"))
}

/// The documents that would declare these records, in the order of `rows`; applying them changes nothing.
///
/// Left out is what no document declares: kinds that come into being otherwise, registrations that a deployment
/// makes, records that are not live.
///
/// # Errors
/// [`ResolveError::NoSuchOrg`]; [`ResolveError::Store`] if the store fails.
pub async fn export(
    rows: &[RecordRow],
    catalogue: &Catalogue,
    records: &dyn Records,
    org: OrgId,
) -> Result<Vec<Value>, ResolveError> {
    export_as(rows, catalogue, records, org, &|_| true).await
}

/// The same, naming only what `sees` allows.
pub(crate) async fn export_as(
    rows: &[RecordRow],
    catalogue: &Catalogue,
    records: &dyn Records,
    org: OrgId,
    sees: &(dyn Fn(&RecordRow) -> bool + Sync),
) -> Result<Vec<Value>, ResolveError> {
    let mut live = Live::open(records, catalogue, org).await?.ok_or(ResolveError::NoSuchOrg { org })?;
    let mut names = Names::default();
    live.names(rows, &mut names, sees).await?;
    let mut documents = Vec::new();
    for row in rows.iter().filter(|row| row.is_live() && !is_owned(row)) {
        let Ok(kind) = catalogue.kind(&row.kind) else { continue };
        if !kind.manifest() {
            continue;
        }
        if let Some(ou) = live.ou_path(row.meta.ou).await? {
            documents.push(to_manifest(kind.as_ref(), row, &ou, &names));
        }
    }
    Ok(documents)
}
