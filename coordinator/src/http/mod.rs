//! The status page: what jobs and workers do, for browsers, scripts and Prometheus. Off unless asked for.
//!
//! Architecture invariant: nothing here changes anything. It answers GET alone, asks the owner for copies, and reads files
//! that others write; a page that hangs, or a picture that takes long, holds up nothing else.

mod auth;
mod events;
mod facts;
mod looks;
pub(crate) mod metrics;
mod node;
mod page;
mod pictures;
mod server;
pub(crate) mod snapshot;
mod tables;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::Status as Refusal;
use trc2npy_common::roots::Roots;
use trc2npy_coordinator_core::JobId;

pub use auth::{BadToken, Token};
use auth::{Gate, Verdict};
use events::Hub;
use looks::Looks;
use server::Came;
use snapshot::{Chronicle, Status};

use crate::guard::Guard;
use crate::owner::Inbox;

/// How the status page is served.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where.
    pub listen: Vec<SocketAddr>,
    /// What a request must know; none: anybody may look.
    pub token: Option<Token>,
}

/// What all requests share.
struct Page {
    inbox: Inbox,
    chronicle: Chronicle,
    gate: Gate,
    hub: Hub,
    looks: Looks,
}

impl Page {
    /// What there is now.
    async fn status(&self) -> Result<Status, Refusal> {
        let mut status = self.inbox.ask(|owner| owner.status()).await?;
        status.events = self.chronicle.last();
        Ok(status)
    }
}

/// The server at work; it ends when this is dropped.
pub(crate) struct Served {
    _stop: oneshot::Sender<()>,
}

/// Listens, and tells where.
pub(crate) fn bind(config: &HttpConfig) -> Result<Bound, (SocketAddr, std::io::Error)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Pictures are made one at a time.
        .max_blocking_threads(2)
        .build()
        .map_err(|error| (config.listen[0], error))?;
    let listeners = runtime.block_on(crate::server::bind(&config.listen))?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>();
    let addresses = addresses.map_err(|error| (config.listen[0], error))?;
    Ok(Bound {
        runtime,
        listeners,
        addresses,
        token: config.token.clone(),
    })
}

/// A server that listens and does not answer yet.
pub(crate) struct Bound {
    runtime: tokio::runtime::Runtime,
    listeners: Vec<TcpListener>,
    pub(crate) addresses: Vec<SocketAddr>,
    token: Option<Token>,
}

impl Bound {
    /// Answers from now on, on a thread of its own.
    pub(crate) fn serve(
        self,
        inbox: Inbox,
        chronicle: Chronicle,
        roots: Roots,
        guard: Option<Arc<Guard>>,
    ) -> std::io::Result<Served> {
        let page = Arc::new(Page {
            inbox,
            chronicle,
            gate: Gate::new(self.token, self.addresses, guard.is_some()),
            hub: Hub::default(),
            looks: Looks::new(roots),
        });
        let (stop, stopped) = oneshot::channel();
        let (runtime, listeners) = (self.runtime, self.listeners);
        thread::Builder::new().name("page".to_owned()).spawn(move || {
            runtime.block_on(async {
                crate::server::start("broadcast", events::broadcast(Arc::clone(&page)));
                server::serve(listeners, router(page), guard, stopped).await;
            });
            runtime.shutdown_background();
        })?;
        Ok(Served { _stop: stop })
    }
}

fn router(page: Arc<Page>) -> Router {
    Router::new()
        .route("/", get(shown))
        .route("/page.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route(
            "/page.js",
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/icon.svg", get(|| async { file(SVG, ICON) }))
        .route("/api/status", get(status))
        .route("/events", get(watched))
        .route("/metrics", get(metered))
        .route("/jobs/{job}/channels/{channel}/{what}", get(looked))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such page; / is the one there is") })
        .layer(from_fn_with_state(Arc::clone(&page), guard))
        .with_state(page)
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");
const SVG: &str = "image/svg+xml; charset=utf-8";

/// What every answer carries. Nothing comes from elsewhere, nothing inline runs, nobody frames the page or keeps it.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Before every answer: who asks, and what. After it: the headers.
async fn guard(
    State(page): State<Arc<Page>>,
    Extension(came): Extension<Came>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = page.gate.judge(came.at, request.uri(), request.headers());
    let mut response = match verdict {
        Verdict::WrongHost => refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "this page is only for this machine: open it as http://127.0.0.1 or http://localhost with the port",
        ),
        Verdict::Unknown => {
            let told =
                "this page asks for its token: add ?token=... to the address once, or send Authorization: Bearer ...";
            let mut refused = refusal(StatusCode::UNAUTHORIZED, told);
            let scheme = HeaderValue::from_static("Bearer");
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            refused
        }
        Verdict::In | Verdict::Remember(_) if ![Method::GET, Method::HEAD].contains(request.method()) => {
            let mut refused = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "this page is only for looking: GET and HEAD",
            );
            refused
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
        Verdict::In => next.run(request).await,
        Verdict::Remember(cookie) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(code: StatusCode, told: &str) -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (code, text, format!("{told}\n")).into_response()
}

fn away(why: &Refusal) -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, why.message())
}

fn file(kind: &'static str, content: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind)], content.into()).into_response()
}

async fn shown(State(page): State<Arc<Page>>) -> Response {
    match page.status().await {
        Ok(status) => file("text/html; charset=utf-8", page::html(&status)),
        Err(why) => away(&why),
    }
}

async fn status(State(page): State<Arc<Page>>) -> Response {
    match page.status().await {
        Ok(status) => file("application/json", serde_json::to_vec(&status).unwrap_or_default()),
        Err(why) => away(&why),
    }
}

async fn watched(State(page): State<Arc<Page>>, Extension(came): Extension<Came>) -> Response {
    let first = match page.status().await {
        Ok(status) => events::event(&status),
        Err(why) => return away(&why),
    };
    // A browser that is cut off comes back after this.
    let first: Bytes = [b"retry: 2000\n".as_slice(), &first].concat().into();
    let Some(body) = page.hub.join(first, came.leash) else {
        let told = format!("{} browsers watch already; close one", events::MOST_WATCHERS);
        return refusal(StatusCode::SERVICE_UNAVAILABLE, &told);
    };
    file("text/event-stream", body)
}

async fn metered(State(page): State<Arc<Page>>) -> Response {
    let asked = page.inbox.ask(|owner| (owner.status(), owner.gauges())).await;
    let (status, gauges) = match asked {
        Ok(asked) => asked,
        Err(why) => return away(&why),
    };
    match page.inbox.meters().text(&status, &gauges) {
        Ok(text) => file(metrics::CONTENT_TYPE, text),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A picture, or numbers, of a channel.
async fn looked(
    State(page): State<Arc<Page>>,
    Path((job, channel, what)): Path<(u64, usize, String)>,
    uri: axum::http::Uri,
) -> Response {
    let dark = uri
        .query()
        .is_some_and(|query| query.split('&').any(|word| word == "dark"));
    let Some(wanted) = looks::Wanted::of(&what, dark) else {
        return refusal(StatusCode::NOT_FOUND, "there is no such picture");
    };
    match looks::get(&page, (JobId(job), channel), wanted).await {
        Ok(made) if wanted.is_picture() => file(SVG, made.as_bytes().to_vec()),
        Ok(made) => file("application/json", made.as_bytes().to_vec()),
        Err(looks::NoLook::Busy) => {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            let refused = refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "many pictures are being made; try again",
            );
            (headers, refused).into_response()
        }
        Err(looks::NoLook::None(why)) => refusal(StatusCode::NOT_FOUND, &why),
    }
}
