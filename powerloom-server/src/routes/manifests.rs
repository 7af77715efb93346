//! Manifests: documents to a plan, a plan to what became of it, and everything back to documents (rows P20–P29; sem. 2.3).

mod applying;
mod exporting;
mod planning;
mod schema;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(planning::plan))
        .routes(routes!(applying::apply))
        .routes(routes!(applying::submit))
        .routes(routes!(exporting::export))
        .routes(routes!(schema::schema))
}
