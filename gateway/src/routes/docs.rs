//! `GET /openapi.json`, `/docs`

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::AppState;

/// What the page needs, all from here. It writes styles into elements, so that inline styles have to be allowed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The contract, and a page to try it. The page works offline.
pub(crate) fn router(document: &OpenApi) -> Router<AppState> {
    // The bytes of gateway/openapi.json.
    let text: Bytes = serde_json::to_vec_pretty(document)
        .map(|mut text| {
            text.push(b'\n');
            text
        })
        .unwrap_or_default()
        .into();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    let page = SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"));
    Router::from(page).layer(from_fn(policy)).route("/openapi.json", get(|| async move { (headers, text) }))
}

async fn policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
