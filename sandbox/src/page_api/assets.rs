use crate::{error::ApiError, files::content_type, journal::Fields, oracle, state::State};
use axum::{
    extract::State as Shared,
    http::{Uri, header},
    response::{IntoResponse, Redirect, Response},
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

/// A file of the page; `/` is `index.html`, and `/channels/GUILD/CHANNEL/MESSAGE` is a place on it.
pub(crate) async fn serve(Shared(state): Shared<Arc<State>>, uri: Uri) -> Response {
    if let Some(place) = place(uri.path()) {
        return Redirect::temporary(&place).into_response();
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

/// Where the page shows a channel or message that is named as Discord's own links name it.
fn place(path: &str) -> Option<String> {
    let is_id = |part: &str| (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.strip_prefix("/channels/")?.trim_end_matches('/').split('/').collect();
    let (guild, place) = parts.split_first()?;
    let is_place = (*guild == "@me" || is_id(guild)) && (1..=2).contains(&place.len()) && place.iter().all(|part| is_id(part));
    is_place.then(|| format!("/#{}", place.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_as_discord_writes_them_lead_to_their_place_on_the_page() {
        for (path, expected) in [
            ("/channels/1/2/3", Some("/#2/3")),
            ("/channels/@me/2/3", Some("/#2/3")),
            ("/channels/1/2", Some("/#2")),
            ("/channels/1/2/", Some("/#2")),
            ("/channels/1", None),
            ("/channels/1/messages", None),
            ("/channels/1/2/3/4", None),
            ("/channels/1//3", None),
            ("/channels/x/2/3", None),
            ("/channels/1/2/3%0a", None),
            ("/channels/", None),
            ("/app.js", None),
        ] {
            assert_eq!(place(path).as_deref(), expected, "{path}");
        }
    }
}
