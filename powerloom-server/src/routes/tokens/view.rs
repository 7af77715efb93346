//! An API token as REST shows it: never its text, nor what is kept of it.

use powerloom_core::authz::{AuthzSnapshot, Label};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::ResourceId;
use powerloom_core::ou_path::OuPath;
use powerloom_core::record::{Record, Stage};
use powerloom_core::resource::api_token::{ApiToken, ApiTokenSpec};
use serde::Serialize;
use utoipa::ToSchema;

/// An API token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    /// Its id.
    pub(super) id: ResourceId,
    #[serde(flatten)]
    spec: ApiTokenSpec,
    /// Whose it is, as people write it; `null` if they are gone.
    #[schema(required)]
    principal_ref: Option<Label>,
    /// `archived` once it is revoked.
    stage: Stage,
    /// When it was last used, to the minute; `null` if never.
    #[schema(required)]
    last_used_at: Option<Timestamp>,
    /// The OU it lives in: its user's home; of a service, the root.
    ou_id: ResourceId,
    /// That OU's path.
    #[schema(required, value_type = Option<String>)]
    ou_path: Option<OuPath>,
    /// When it was made.
    created_at: Timestamp,
    /// Raised by every noted use; its ETag.
    pub(super) version: u64,
}

pub(super) fn view(authz: &AuthzSnapshot, token: Record<ApiToken>) -> TokenView {
    let Record { meta, spec, status } = token;
    TokenView {
        id: meta.id,
        principal_ref: authz.written(&spec.principal).cloned(),
        spec,
        stage: meta.stage,
        last_used_at: status.last_used_at,
        ou_id: meta.ou,
        ou_path: authz.ou_path(meta.ou).cloned(),
        created_at: meta.created_at,
        version: meta.version,
    }
}
