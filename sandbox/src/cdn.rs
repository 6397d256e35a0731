use crate::{error::ApiError, state::State, store};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// `GET /attachments/{channel}/{id}/{filename}?ex&is&hm`: the bytes of a file, under an address signed here.
pub(crate) async fn serve(
    Shared(state): Shared<Arc<State>>,
    Path((channel_id, id, filename)): Path<(i64, i64, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let path = format!("/attachments/{channel_id}/{id}/{filename}");
    if !state.signer().is_valid(&path, &query.unwrap_or_default()) {
        return (StatusCode::NOT_FOUND, "This content is no longer available.").into_response();
    }
    match read(&state, (channel_id, id, &filename)).await {
        Ok((content_type, bytes)) => {
            // An upload must not be able to act as a page of the sandbox.
            let headers = [
                (header::CONTENT_TYPE, content_type),
                (header::CACHE_CONTROL, "private, max-age=31536000".to_owned()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
                (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
            ];
            (headers, bytes).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn read(state: &State, (channel_id, id, filename): (i64, i64, &str)) -> Result<(String, bytes::Bytes), ApiError> {
    let mut db = state.store.connect().await?;
    let content_type = match store::files::content_type(&mut db, channel_id, id, filename).await? {
        Some(content_type) => content_type,
        None => {
            let replaced = state.files.replaced((channel_id, id, filename), state.clock.now_ms());
            let (message_id, content_type) = replaced.ok_or_else(ApiError::not_found)?;
            // What somebody deleted is gone at once, with all that it showed before.
            store::messages::get(&mut db, message_id).await?.ok_or_else(ApiError::not_found)?;
            content_type
        }
    };
    drop(db);
    Ok((content_type, state.files.read(id).await.map_err(|_| ApiError::not_found())?))
}
