//! The routes that are not those of a collection, one file per subject.

mod approvals;
mod attachments;
mod audit;
mod authz;
mod consents;
mod credentials;
mod deployments;
mod groups;
mod health;
mod invoke;
mod keys;
mod kinds;
mod manifests;
mod metrics;
mod organization;
mod ous;
mod resources;
mod secrets;
mod session_stream;
mod sessions;
mod skill_versions;
mod sync;
mod tokens;
mod whoami;

use crate::app::App;
pub(crate) use session_stream::PATH as STREAM;
use utoipa_axum::router::OpenApiRouter;

/// What anybody may ask.
pub(crate) fn anonymous() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(health::routes())
        .merge(keys::routes())
        // Its ticket opens it: the only one.
        .merge(session_stream::ticketed())
}

/// What is behind a bearer.
pub(crate) fn governed() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(approvals::routes())
        .merge(attachments::routes())
        .merge(audit::routes())
        .merge(authz::routes())
        .merge(consents::routes())
        .merge(credentials::routes())
        .merge(deployments::routes())
        .merge(groups::routes())
        .merge(invoke::routes())
        .merge(kinds::routes())
        .merge(manifests::routes())
        .merge(metrics::routes())
        .merge(organization::routes())
        .merge(ous::routes())
        .merge(resources::routes())
        .merge(secrets::routes())
        .merge(session_stream::governed())
        .merge(sessions::routes())
        .merge(skill_versions::routes())
        .merge(sync::routes())
        .merge(tokens::routes())
        .merge(whoami::routes())
}
