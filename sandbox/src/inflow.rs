//! Bodies on their way in: bounded in size and time, and read to their end even where nobody wants them.

use crate::http::ConnectionLimits;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The largest body: ten files of Discord's usual 10 MiB and their JSON, or four of the 25 MiB that a boosted guild allows.
pub(crate) const MAX_BODY_BYTES: usize = 101 << 20;
/// How much of a body is read only to be thrown away. Whoever sends more is cut off.
const MAX_DRAINED_BYTES: usize = 101 << 20;

/// Why a body did not come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InflowError {
    /// More than [`MAX_BODY_BYTES`].
    #[error("the body is larger than {} MiB", MAX_BODY_BYTES >> 20)]
    TooLarge,
    /// Nothing came for too long.
    #[error("the body took too long")]
    Stalled,
    /// The connection ended, or its chunks make no sense.
    #[error("the body is broken")]
    Broken,
}

impl InflowError {
    /// What of this is behind an error of the layers above.
    pub(crate) fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
        causes.into_iter().find_map(|error| error.downcast_ref::<Self>().copied())
    }
}

/// A body that nobody read to its end.
pub(crate) type Rest = Arc<Mutex<Option<Inflow>>>;

/// A request's body.
pub(crate) struct Inflow {
    flow: Option<Flow>,
    rest: Option<Rest>,
}

struct Flow {
    body: Incoming,
    limits: ConnectionLimits,
    n_bytes: usize,
    /// The client asked whether to send at all (`Expect: 100-continue`); the first look at the body says yes.
    is_held_back: bool,
    is_announced_too_large: bool,
    ends: Instant,
    gives_up: Pin<Box<Sleep>>,
}

impl Inflow {
    /// The body of a request with these headers, and where it is left when nobody reads it.
    pub(crate) fn new(headers: &HeaderMap, body: Incoming, limits: ConnectionLimits) -> (Self, Rest) {
        let rest = Rest::default();
        if body.is_end_stream() {
            return (Self { flow: None, rest: None }, rest);
        }
        let now = Instant::now();
        let flow = Flow {
            is_announced_too_large: body.size_hint().lower() > MAX_BODY_BYTES as u64,
            body,
            limits,
            n_bytes: 0,
            is_held_back: headers.contains_key(header::EXPECT),
            ends: now + limits.body_within,
            gives_up: Box::pin(sleep_until(now + limits.piece_within.min(limits.body_within))),
        };
        (Self { flow: Some(flow), rest: Some(Arc::clone(&rest)) }, rest)
    }
}

impl Flow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, InflowError>>> {
        if self.is_held_back && self.is_announced_too_large {
            return Poll::Ready(Some(Err(InflowError::TooLarge)));
        }
        self.is_held_back = false;
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.gives_up.as_mut().poll(context));
                return Poll::Ready(Some(Err(InflowError::Stalled)));
            };
            let Some(frame) = next else {
                return Poll::Ready((self.n_bytes > MAX_BODY_BYTES).then_some(Err(InflowError::TooLarge)));
            };
            let Ok(frame) = frame else { return Poll::Ready(Some(Err(InflowError::Broken))) };
            self.gives_up.as_mut().reset((Instant::now() + self.limits.piece_within).min(self.ends));
            // Trailers say nothing here.
            let Ok(bytes) = frame.into_data() else { continue };
            self.n_bytes += bytes.len();
            if self.n_bytes <= MAX_BODY_BYTES {
                return Poll::Ready(Some(Ok(bytes)));
            }
            // Read on: the client should hear why it was refused.
            if self.n_bytes > MAX_BODY_BYTES + MAX_DRAINED_BYTES {
                return Poll::Ready(Some(Err(InflowError::TooLarge)));
            }
        }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = InflowError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InflowError>>> {
        let Some(flow) = &mut self.flow else { return Poll::Ready(None) };
        let next = ready!(flow.poll(context));
        if !matches!(next, Some(Ok(_))) {
            self.flow = None;
        }
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.flow.as_ref().map_or_else(|| SizeHint::with_exact(0), |flow| flow.body.size_hint())
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let (Some(flow), Some(rest)) = (self.flow.take(), self.rest.take()) {
            // A client that still waits for a yes must not get one now.
            let is_wanted = !flow.is_held_back && !flow.body.is_end_stream();
            let left = is_wanted.then_some(Self { flow: Some(flow), rest: None });
            *rest.lock().unwrap_or_else(PoisonError::into_inner) = left;
        }
    }
}

/// Reads what is left of a body, within the same bounds of time.
pub(crate) async fn drain(rest: Rest) {
    let left = rest.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut left) = left else { return };
    if let Some(flow) = &mut left.flow {
        flow.n_bytes = flow.n_bytes.max(MAX_BODY_BYTES);
    }
    while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut left).poll_frame(context)).await {}
}
