use crate::{error::ApiError, files::content_type, journal::Fields, oracle, state::State};
use axum::{
    extract::State as Shared,
    http::{Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use std::sync::Arc;

/// The page's files: inside the binary in a release build, read from the source folder in a debug build.
#[derive(RustEmbed)]
#[folder = "src/page/"]
struct Page;

/// Only the page's own code runs, nobody frames it, and it calls nobody else. Embeds may show pictures from anywhere, and set colours.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob: http: https:; media-src 'self' blob: http: https:; \
    style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page; `/` is `index.html`.
pub(crate) async fn serve(Shared(state): Shared<Arc<State>>, uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Page::get(path) {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, content_type(path)),
                (header::CACHE_CONTROL, "no-cache"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::X_FRAME_OPTIONS, "DENY"),
                (header::REFERRER_POLICY, "no-referrer"),
            ];
            (headers, file.data).into_response()
        }
        None => {
            // A bot whose base lacks `/api/v10` comes here too.
            let path = oracle::blank(&uri.path().trim_start_matches('/').split('/').collect::<Vec<_>>());
            tracing::warn!(http.path = path, "the sandbox has nothing here");
            state.write_down("unknown_route", Fields::default().with("path", path));
            ApiError::not_found().into_response()
        }
    }
}
