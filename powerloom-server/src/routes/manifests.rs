//! Manifests: documents to a plan, a plan to what became of it, and everything back to documents (rows P20–P29; sem. 2.3).

mod applying;
mod exporting;
mod planning;
mod schema;

use crate::app::App;
use crate::vary::by_accept;
use axum::middleware::map_response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(planning::plan))
        .routes(routes!(applying::apply))
        .routes(routes!(applying::submit))
        .merge(OpenApiRouter::default().routes(routes!(exporting::export)).layer(map_response(by_accept)))
        .routes(routes!(schema::schema))
}
