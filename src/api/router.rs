//! The whole API on one page.

use super::boundary::{boundary, panicked};
use super::error::ApiError;
use super::guard::guard;
use super::live::{socket, stream};
use super::routes::{
    alarms, assets, brokers, buses, demo, energy, events, feeds, health, import, making, overview, points,
    readings, series, site, status, substitutions, systems, try_mapping, try_out, values, work_orders,
};
use super::state::AppState;
use super::viewer::Viewer;
use crate::historian::Importer;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use bytes::Bytes;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// An answer takes no longer, live connections aside.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body, in bytes.
const BODY_MAX: usize = 64 * 1_024;
/// The largest body of readings from a file, in bytes.
const ROWS_BODY_MAX: usize = 16 * 1_024 * 1_024;
/// Smaller answers are not worth compressing, in bytes.
const COMPRESS_MIN: u16 = 1_024;

/// The API. Addresses under `/api` that it does not know are its failures; all others fall
/// through to the fallback of whoever mounts it.
pub fn router(state: AppState) -> Router {
    let document = Bytes::from(openapi().to_json().unwrap_or_default());
    let quick = Router::from(quick())
        .route(
            "/api/v1/openapi.json",
            get(async move |_: Viewer| ([(header::CONTENT_TYPE, "application/json")], document)),
        )
        .route("/api", any(unknown))
        .route("/api/{*rest}", any(unknown))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(RequestBodyLimitLayer::new(BODY_MAX));
    shell(quick.merge(Router::from(live())).with_state(state.clone()), state)
}

/// What a person or a program asks and gets at once.
fn quick() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(about())
        // The plant.
        .routes(routes!(site::get_site))
        .routes(routes!(assets::list_assets))
        .routes(routes!(assets::get_asset))
        .routes(routes!(systems::list_systems))
        .routes(routes!(systems::get_system))
        .routes(routes!(overview::get_overview))
        .routes(routes!(feeds::get_feeds))
        .routes(routes!(points::list_points))
        .routes(routes!(points::get_point))
        .routes(routes!(making::get_making))
        .routes(routes!(readings::list_readings))
        .routes(routes!(series::get_series))
        .routes(routes!(series::get_statistics))
        .routes(routes!(series::get_as_of))
        .routes(routes!(values::list_values))
        .routes(routes!(buses::list_buses))
        .routes(routes!(substitutions::list_substitutions))
        .routes(routes!(substitutions::substitute_value, substitutions::end_substitution))
        .routes(routes!(brokers::list_brokers))
        .routes(routes!(brokers::list_topics))
        .routes(routes!(brokers::list_messages))
        // What is wrong, and what is done about it.
        .routes(routes!(alarms::list_alarms))
        .routes(routes!(alarms::get_alarm))
        .routes(routes!(alarms::acknowledge_alarm))
        .routes(routes!(work_orders::list_work_orders))
        .routes(routes!(work_orders::get_work_order))
        .routes(routes!(work_orders::accept_work_order))
        .routes(routes!(work_orders::finish_work_order))
        .routes(routes!(work_orders::close_work_order))
        // What it costs.
        .routes(routes!(energy::list_meters))
        .routes(routes!(energy::list_days))
        .routes(routes!(energy::list_cells))
        // What would be.
        .routes(routes!(try_out::try_expression))
        .routes(routes!(try_mapping::try_mapping))
        // What happened.
        .routes(routes!(events::list_events))
        // The simulated hospital, where there is one.
        .routes(routes!(demo::get_demo))
        .routes(routes!(demo::start_fault))
        .routes(routes!(demo::stop_fault))
        // How plantroom is.
        .routes(routes!(status::get_status))
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_readiness))
        .routes(routes!(health::get_metrics))
}

/// What the verbs of the command line may besides, on the socket in the data directory.
pub fn local(state: AppState, importer: Importer) -> Router {
    let router = Router::new()
        .route("/api/v1/import", post(import::import_readings))
        .layer(RequestBodyLimitLayer::new(ROWS_BODY_MAX))
        .layer(DefaultBodyLimit::disable())
        .with_state(importer);
    shell(router, state)
}

/// What stays open.
fn live() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(socket::follow_live)).routes(routes!(stream::follow_stream))
}

/// What every route of the server goes through, the page's too, from the outside in: compression,
/// the boundary (request id, log, headers, envelope), panics, the guard against foreign pages.
pub fn shell(router: Router, state: AppState) -> Router {
    router
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state, boundary))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_MIN).and(is_dense)))
}

/// JSON, columns and metrics; the page's files come compressed, and a live stream must not be held back.
fn is_dense(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kinds = ["application/json", "application/vnd.plantroom.columns", "application/openmetrics-text"];
    kinds.iter().any(|known| kind.starts_with(known))
}

async fn unknown(_viewer: Viewer) -> impl IntoResponse {
    ApiError::for_status(StatusCode::NOT_FOUND).hint("GET /api/v1/openapi.json describes every address.")
}

/// The OpenAPI document.
pub fn openapi() -> OpenApi {
    let mut document = quick().into_openapi();
    document.merge(live().into_openapi());
    document
}

fn about() -> OpenApi {
    use utoipa::OpenApi as _;

    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(
            title = "plantroom",
            description = "Times are UTC milliseconds, civil days are YYYY-MM-DD in the site's zone. \
                Every failure is one envelope. plantroom only watches: nothing here acts on the plant."
        ),
        components(schemas(alarms::Which, series::SeriesHeader, super::error::Envelope)),
        tags(
            (name = "plant", description = "Site, assets, points, values and their history, the lines they come over"),
            (name = "alarms", description = "What is wrong"),
            (name = "work_orders", description = "What is done about it"),
            (name = "energy", description = "What is used and what it costs"),
            (name = "try", description = "What an expression or a mapping would give; nothing is kept"),
            (name = "events", description = "What happened, in order"),
            (name = "live", description = "Values and events as they come"),
            (name = "demo", description = "The simulated hospital; a real site has none"),
            (name = "health", description = "How plantroom itself is")
        )
    )]
    struct About;
    About::openapi()
}
