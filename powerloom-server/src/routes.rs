//! The routes that are not those of a collection, one file per subject.

mod approvals;
mod attachments;
mod authz;
mod consents;
mod credentials;
mod deployments;
mod groups;
mod health;
mod invoke;
mod keys;
mod kinds;
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
        .merge(attachments::routes())
        .merge(credentials::routes())
        .merge(deployments::routes())
        .merge(groups::routes())
        .merge(kinds::routes())
        .merge(metrics::routes())
        .merge(organization::routes())
        .merge(ous::routes())
        .merge(resources::routes())
        .merge(secrets::routes())
        .merge(skill_versions::routes())
        .merge(sync::routes())
        .merge(approvals::routes())
        .merge(authz::routes())
        .merge(consents::routes())
        .merge(tokens::routes())
        .merge(whoami::routes())
        .merge(invoke::routes())
        .merge(sessions::routes())
        .merge(session_stream::governed())
}
