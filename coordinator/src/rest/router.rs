//! The table of contents of the API, and the `OpenAPI` document made from it.

use super::{
    artifacts, datasets, devices, estimators, events, health, models, searches, synthesis, trials,
    workers,
};
use crate::auth;
use crate::state::State;
use axum::Json;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

/// Largest body of any operation that does not say otherwise.
const BODY_LIMIT: usize = 1 << 20;
/// Longest answer of any operation that does not stream.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The document without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bitfront coordinator",
        description = "Searches for the number formats of small networks on FPGAs: submit, watch, read. Errors are RFC 9457 \
                       problems with all faults at once. Pages are keyset pages: pass `next_page_token` back as `page_token`.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(crate::problem::ProblemBody, crate::error::Fault)),
    security(("token" = [])),
    modifiers(&Bearer),
)]
struct Document;

/// Adds the bearer scheme.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", scheme);
    }
}

/// Every operation.
pub fn build(state: &State) -> OpenApiRouter {
    operations()
        .route_layer(axum::middleware::from_fn_with_state(
            state.clone(),
            auth::guard::guard,
        ))
        .with_state(state.clone())
}

/// The `OpenAPI` document, as `/api/v1/openapi.json` answers it and `coordinator/openapi.json` keeps it.
pub fn document() -> utoipa::openapi::OpenApi {
    operations().into_openapi()
}

fn operations() -> OpenApiRouter<State> {
    let short = OpenApiRouter::new()
        .routes(routes!(searches::list::list, searches::submit::submit))
        .routes(routes!(searches::show::show))
        .routes(routes!(searches::pause::pause))
        .routes(routes!(searches::resume::resume))
        .routes(routes!(searches::cancel::cancel))
        .routes(routes!(trials::list::list))
        .routes(routes!(trials::front::front))
        .routes(routes!(trials::show::show))
        .routes(routes!(trials::log::log))
        .routes(routes!(synthesis::list::of_search))
        .routes(routes!(
            synthesis::list::of_trial,
            synthesis::request::request
        ))
        .routes(routes!(synthesis::show::show))
        .routes(routes!(synthesis::show::log))
        .routes(routes!(synthesis::cancel::cancel))
        .routes(routes!(workers::list::list))
        .routes(routes!(datasets::show::show))
        .routes(routes!(devices::list::list))
        .routes(routes!(estimators::list::list))
        .routes(routes!(models::show::show))
        .layer(time_limit());
    let streaming = OpenApiRouter::new()
        .routes(
            routes!(datasets::list::list, datasets::upload::upload)
                .layer(DefaultBodyLimit::disable()),
        )
        .routes(
            routes!(models::list::list, models::upload::upload).layer(DefaultBodyLimit::disable()),
        )
        .routes(routes!(artifacts::download::download))
        .routes(routes!(events::stream::of_search))
        .routes(routes!(events::stream::of_all));
    let root = OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .layer(time_limit());
    OpenApiRouter::with_openapi(Document::openapi())
        .nest(
            "/api/v1",
            short
                .merge(streaming)
                .route("/openapi.json", get(async || Json(document()))),
        )
        .merge(root)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

fn time_limit() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, TIME_LIMIT)
}
