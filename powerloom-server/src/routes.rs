//! The routes that are not those of a collection, one file per subject.

mod health;
mod keys;
mod metrics;
mod whoami;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What anybody may ask.
pub(crate) fn anonymous() -> OpenApiRouter<App> {
    OpenApiRouter::default().merge(health::routes()).merge(keys::routes())
}

/// What is behind a bearer.
pub(crate) fn governed() -> OpenApiRouter<App> {
    OpenApiRouter::default().merge(metrics::routes()).merge(whoami::routes())
}
