//! What each request passes before the protocol sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use axum::routing::{any, get};
use guard::tokens::Gate;
use jiff::Timestamp;
use rmcp::ServerHandler;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::body::{self, Held, Unread};
use super::health::Ready;
use super::limits::Limits;
use super::tenant::{Tenant, Tenants, TooMuch};
use super::{PATH, Service, bearer, origin};
use crate::mcp;

const SESSION: &str = "mcp-session-id";

/// What all requests share.
pub(super) struct Front<H> {
    gate: Arc<Gate>,
    names: super::Names,
    limits: Limits,
    ready: Ready,
    pub(super) tenants: Arc<Tenants<H>>,
    stopping: CancellationToken,
    /// Held by each call at work; closed when the last has ended.
    at_work: mpsc::WeakSender<()>,
    own: std::sync::Mutex<Option<mpsc::Sender<()>>>,
    finished: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

type Answer = Response<Body>;

/// The routes.
pub(super) fn routes<H: ServerHandler + Clone>(front: Arc<Front<H>>) -> Router {
    Router::new()
        .route("/healthz", get(async || plain(StatusCode::OK, "alive")))
        .route("/readyz", get(ready::<H>))
        .route(PATH, any(message::<H>))
        .with_state(front)
}

async fn ready<H: ServerHandler + Clone>(State(front): State<Arc<Front<H>>>) -> Answer {
    if !front.stopping.is_cancelled() && front.ready.is().await {
        plain(StatusCode::OK, "ready")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "not ready")
    }
}

async fn message<H: ServerHandler + Clone>(
    State(front): State<Arc<Front<H>>>,
    request: Request,
) -> Answer {
    if !front.names.host_fits(&request) {
        return plain(StatusCode::FORBIDDEN, "the Host of the request is no name of this server");
    }
    let page = match front.names.origin(request.headers()) {
        Ok(page) => page.cloned(),
        Err(origin::Foreign) => {
            return plain(StatusCode::FORBIDDEN, "the Origin of the request may not call");
        }
    };
    let mut answer = match (&page, request.method()) {
        (Some(_), &Method::OPTIONS) => {
            let mut answer = plain(StatusCode::NO_CONTENT, "");
            origin::allow_beforehand(answer.headers_mut());
            answer
        }
        _ => front.admit(request).await,
    };
    if let Some(page) = page {
        origin::allow(answer.headers_mut(), page);
    }
    answer
}

impl<H: ServerHandler + Clone> Front<H> {
    pub(super) fn new(service: Service<H>, stopping: CancellationToken) -> Arc<Self> {
        let (own, finished) = mpsc::channel(1);
        let Service { handlers, gate, names, limits, ready } = service;
        Arc::new(Self {
            tenants: Arc::new(Tenants::new(Arc::clone(&gate), handlers, limits.clone())),
            gate,
            names,
            limits,
            ready: Ready::new(ready),
            stopping,
            at_work: own.downgrade(),
            own: std::sync::Mutex::new(Some(own)),
            finished: tokio::sync::Mutex::new(finished),
        })
    }

    /// Waits until no call is at work. To be asked once nothing new is taken.
    pub(super) async fn finished(&self) {
        drop(self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        // Nothing is ever sent: it ends when the last holder is gone.
        let _ = self.finished.lock().await.recv().await;
    }

    async fn admit(&self, mut request: Request) -> Answer {
        let Some(shown) = bearer::shown(request.headers()) else { return bearer::missing() };
        let token = match self.gate.admit(shown, Timestamp::now()) {
            Ok(Ok(token)) => token,
            Ok(Err(refusal)) => return bearer::refused(refusal),
            Err(error) => {
                tracing::error!(%error, "tokens cannot be checked: nobody is let in");
                return plain(StatusCode::SERVICE_UNAVAILABLE, "tokens cannot be checked now");
            }
        };
        // Nothing behind has a use for it.
        request.headers_mut().remove(header::AUTHORIZATION);
        let working = self.at_work.upgrade().filter(|_| !self.stopping.is_cancelled());
        let Some(working) = working else { return stopping() };
        let tenant = self.tenants.of(&token);
        let is_stream = request.method() == Method::GET;
        let share = match tenant.share(is_stream) {
            Ok(share) => share,
            Err(too_much) => return too_many(&too_much),
        };
        let answer = self.pass(&tenant, request).await;
        let (parts, body) = answer.into_parts();
        // A stream on which nothing was asked holds nobody up.
        let (working, cut) = if is_stream {
            (None, self.stopping.clone())
        } else {
            (Some(working), tenant.ended.clone())
        };
        Response::from_parts(parts, Held::over(body, (share, working), cut))
    }

    /// Reads the message and gives it to the protocol.
    async fn pass(&self, tenant: &Tenant<H>, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let session = parts.headers.get(SESSION).and_then(|id| id.to_str().ok());
        if let Some(session) = session {
            tenant.touch(session);
        }
        let begins = session.is_none();
        let limit = self.limits.body_bytes;
        let body = match body::read(&parts.headers, body, limit, self.limits.body_time).await {
            Ok(body) => body,
            Err(unread) => return not_taken(&unread, limit),
        };
        if parts.method == Method::POST && is_json(&parts.headers) {
            match mcp::check_message(&body) {
                Ok(true) => {}
                Ok(false) => return empty(StatusCode::ACCEPTED),
                Err(refusal) => return json(StatusCode::BAD_REQUEST, refusal),
            }
        }
        let request = Request::from_parts(parts, Body::from(body));
        let answer = tenant.service.handle(request).await;
        let begun = answer.headers().get(SESSION).and_then(|id| id.to_str().ok());
        if let (true, Some(session)) = (begins, begun) {
            tenant.begun(session).await;
        }
        answer.map(Body::new)
    }
}

fn is_json(headers: &header::HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn too_many(too_much: &TooMuch) -> Answer {
    let (wait, text) = match too_much {
        TooMuch::Rate(wait) => (*wait, "too many requests of this token in a short time"),
        TooMuch::AtOnce => (Duration::from_secs(1), "too many calls of this token at a time"),
        TooMuch::Streams => (Duration::from_secs(1), "too many open streams of this token"),
    };
    let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, text);
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

fn not_taken(unread: &Unread, limit: usize) -> Answer {
    let mut answer = match unread {
        Unread::TooLong => {
            let text = format!("a message is longer than {} MiB", limit >> 20);
            plain(StatusCode::PAYLOAD_TOO_LARGE, &text)
        }
        Unread::TooSlow => plain(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        Unread::Broken => plain(StatusCode::BAD_REQUEST, "the body broke off"),
    };
    // The rest of the body is not read.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn stopping() -> Answer {
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// A short answer for a person, where the protocol has none.
pub(super) fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Body::from(text.to_owned()));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}
