//! The audit trail: entries, verification, exports, proofs and checkpoints (rows P10, M40–M43; sem. 2.9).

mod checkpoints;
mod entries;
mod evidence;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(entries::list))
        .routes(routes!(entries::one))
        .routes(routes!(entries::erase))
        .routes(routes!(evidence::verify))
        .routes(routes!(evidence::export))
        .routes(routes!(evidence::tree))
        .routes(routes!(evidence::inclusion))
        .routes(routes!(evidence::consistency))
        .routes(routes!(checkpoints::list, checkpoints::make))
}
