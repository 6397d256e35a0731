//! The stand-in's ports: how many connections there are, how long a client may take, and where a request goes.

use crate::{
    archive, cdn,
    gateway::{
        socket::{self, Opening},
        wire::{Reset, Wire, WireListener},
    },
    guard,
    inflow::{self, Inflow},
    page_api, rest,
    state::State,
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Query, Request, State as Shared, ws::WebSocketUpgrade},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
    serve::Listener,
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{collections::HashMap, convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// The largest head of a request. A larger one is answered 431.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// The largest message that the gateway reads at all, in one frame or in many.
const MAX_FRAME_BYTES: usize = 64 << 10;

/// What clients may take, so that one that hangs or runs wild does not stop the stand-in. Times are the machine's own.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open connections of a port. The next waits until one ends.
    pub n_connections: usize,
    /// A connection without a whole request head for so long is closed, one that rests between two requests too.
    pub head_within: Duration,
    /// A body of which nothing comes for so long is given up, with 408. An answer of which nothing is taken for so long, too.
    pub piece_within: Duration,
    /// A body that is not whole after so long is given up, with 408.
    pub body_within: Duration,
}

impl Default for ConnectionLimits {
    /// 1,000 connections, 60 seconds for a head, 30 for each piece of a body and 300 for all of it.
    fn default() -> Self {
        Self {
            n_connections: 1000,
            head_within: Duration::from_secs(60),
            piece_within: Duration::from_secs(30),
            body_within: Duration::from_secs(300),
        }
    }
}

/// REST, gateway, files and page.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", any(root))
        .route("/attachments/{channel}/{id}/{filename}", get(cdn::serve))
        .route("/api/{*path}", any(rest::handle))
        .nest("/sandbox/api", page_api::router(Arc::clone(&state)))
        .fallback(page_api::assets::serve)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), archive::before))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::before))
        // `Inflow` bounds every body.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}

/// The gateway's second address, and nothing else.
pub(crate) fn resume_router(state: Arc<State>) -> Router {
    Router::new().route("/", any(resume_port)).layer(middleware::from_fn_with_state(Arc::clone(&state), guard::before)).with_state(state)
}

/// Serves until the stand-in ends, and then until the last request has its answer.
pub(crate) fn serve(state: &State, listener: TcpListener, app: Router) -> JoinHandle<()> {
    tokio::spawn(accept(WireListener(listener, state.limits.piece_within), app, state.limits, state.shutdown.clone()))
}

async fn accept(mut listener: WireListener, app: Router, limits: ConnectionLimits, ended: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.n_connections));
    // Dropped with this task, so that an abort ends the connections as well.
    let mut connections = JoinSet::new();
    let next = async |listener: &mut WireListener| {
        let place = Arc::clone(&places).acquire_owned().await.expect("the places are never closed");
        let (mut wire, _) = listener.accept().await;
        wire.occupy(place);
        wire
    };
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            Some(_) = connections.join_next() => {}
            wire = next(&mut listener) => {
                connections.spawn(connection(wire, app.clone(), limits, ended.clone()));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(wire: Wire, app: Router, limits: ConnectionLimits, ended: CancellationToken) {
    let reset = Reset(wire.reset_switch());
    let app = TowerToHyperService::new(app);
    let service = service_fn(|request| answer(&app, request, reset.clone(), limits));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_within).max_header_size(MAX_HEAD_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), service).with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = ended.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Most are clients that went away.
    if let Err(error) = served {
        tracing::debug!(%error, is_slow = error.is_timeout(), "a connection ended");
    }
}

/// The answer, once nothing more of the request is on its way: a client that still sends would not read it.
async fn answer(
    app: &TowerToHyperService<Router>,
    request: Request<Incoming>,
    reset: Reset,
    limits: ConnectionLimits,
) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    let (body, rest) = Inflow::new(&parts.headers, body, limits);
    parts.extensions.insert(ConnectInfo(reset.clone()));
    let answered = app.call(Request::from_parts(parts, Body::new(body))).await;
    if !reset.is_set() {
        inflow::drain(rest).await;
    }
    answered
}

/// The gateway for a client that speaks WebSocket, the page for a browser.
async fn root(Shared(state): Shared<Arc<State>>, wire: ConnectInfo<Reset>, query: Gateways, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &state).await {
        Ok(upgrade) => upgrade_to_gateway(state, upgrade, opening(query.0, wire, false)),
        Err(_) => page_api::assets::serve(Shared(state), parts.uri).await.into_response(),
    }
}

async fn resume_port(Shared(state): Shared<Arc<State>>, wire: ConnectInfo<Reset>, query: Gateways, upgrade: WebSocketUpgrade) -> Response {
    upgrade_to_gateway(state, upgrade, opening(query.0, wire, true))
}

/// `?v=10&encoding=json&compress=zlib-stream`.
type Gateways = Query<HashMap<String, String>>;

fn opening(mut query: HashMap<String, String>, ConnectInfo(Reset(reset)): ConnectInfo<Reset>, is_resume_port: bool) -> Opening {
    Opening { version: query.remove("v"), encoding: query.remove("encoding"), compress: query.remove("compress"), is_resume_port, reset }
}

fn upgrade_to_gateway(state: Arc<State>, upgrade: WebSocketUpgrade, opening: Opening) -> Response {
    let upgrade = upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES);
    upgrade.on_upgrade(move |connected| {
        let tasks = state.tasks.clone();
        // Tracked, so that a shutdown waits for the last close frame.
        tasks.track_future(socket::serve(state, connected, opening))
    })
}
