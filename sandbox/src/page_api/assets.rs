use super::guard;
use crate::{files::content_type, state::State};
use axum::{
    extract::State as Shared,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use std::sync::Arc;

/// The page's files: inside the binary in a release build, read from the source folder in a debug build.
#[derive(RustEmbed)]
#[folder = "src/page/"]
struct Page;

/// A file of the page; `/` is `index.html`.
pub(crate) async fn serve(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(refused) = guard::check(&headers, state.is_remote_allowed) {
        return refused.into_response();
    }
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
            ];
            (headers, file.data).into_response()
        }
        None => {
            tracing::warn!(http.path = uri.path(), "there is no such page");
            StatusCode::NOT_FOUND.into_response()
        }
    }
}
