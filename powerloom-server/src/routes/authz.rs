//! What people ask about permissions (sem. 2.2 rules 4–10): may somebody, why, who can, what can, what if, since when.
//!
//! All of them are `POST`, because a question has a body; none changes anything.

mod check;
mod history;
mod lists;
mod what_if;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(check::routes())
        .merge(lists::routes())
        .merge(what_if::routes())
        .merge(history::routes())
}
