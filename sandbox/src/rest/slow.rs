use crate::state::State;
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use std::{io, sync::Arc};

/// An answer comes in so many pieces.
const N_PIECES: usize = 10;

/// The answer, its head and first piece at once, its last piece after `ms` of the stand-in's clock. A shutdown cuts it off.
pub(super) async fn trickle(state: &Arc<State>, response: Response, ms: u64) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return head.into_response() };
    // The client knows how much it waits for.
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let pieces = cut(&bytes);
    let last = pieces.len().saturating_sub(1).max(1) as u64;
    let (state, started_ms) = (Arc::clone(state), state.clock.now_ms());
    let trickle = stream::unfold(pieces.into_iter().zip(0_u64..), move |mut pieces| {
        let state = Arc::clone(&state);
        async move {
            let (piece, n) = pieces.next()?;
            let due_ms = started_ms.saturating_add_unsigned(ms.saturating_mul(n) / last);
            let sent = tokio::select! {
                biased;
                () = state.clock.sleep_until(due_ms) => Ok(piece),
                () = state.shutdown.cancelled() => Err(io::Error::from(io::ErrorKind::Interrupted)),
            };
            Some((sent, pieces))
        }
    });
    Response::from_parts(head, Body::from_stream(trickle))
}

fn cut(bytes: &Bytes) -> Vec<Bytes> {
    let size = bytes.len().div_ceil(N_PIECES).max(1);
    (0..bytes.len()).step_by(size).map(|start| bytes.slice(start..bytes.len().min(start + size))).collect()
}
