//! What each request passes before the protocol sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
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
use super::tenant::{Share, Tenant, Tenants, TooMuch};
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
    let (parts, body) = request.into_parts();
    let page = match front.called(&parts) {
        Ok(page) => page,
        Err(refusal) => return after(body, *refusal).await,
    };
    let mut answer = match (&page, &parts.method) {
        (Some(_), &Method::OPTIONS) => {
            let mut answer = plain(StatusCode::NO_CONTENT, "");
            origin::allow_beforehand(answer.headers_mut());
            answer
        }
        _ => front.admit(parts, body).await,
    };
    if let Some(page) = page {
        origin::allow(answer.headers_mut(), page);
    }
    answer
}

/// A refusal, once what the caller is sending has come: the end of a connection would overtake it
/// otherwise, and the caller would see no answer at all.
async fn after(body: Body, refusal: Answer) -> Answer {
    body::pass_over(body).await;
    refusal
}

/// What a request has taken once it is let in.
struct Admitted<H> {
    tenant: Arc<Tenant<H>>,
    share: Share,
    working: mpsc::Sender<()>,
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

    /// The page that a request comes from, or why neither it nor the name it calls is known.
    fn called(&self, parts: &Parts) -> Result<Option<HeaderValue>, Box<Answer>> {
        if !self.names.host_fits(parts) {
            let text = "the Host of the request is no name of this server";
            return Err(plain(StatusCode::FORBIDDEN, text).into());
        }
        let page = self.names.origin(&parts.headers);
        page.map(Option::<&HeaderValue>::cloned).map_err(|origin::Foreign| {
            plain(StatusCode::FORBIDDEN, "the Origin of the request may not call").into()
        })
    }

    async fn admit(&self, mut parts: Parts, body: Body) -> Answer {
        let admitted = match self.judge(&parts) {
            Ok(admitted) => admitted,
            Err(refusal) => return after(body, *refusal).await,
        };
        // Nothing behind has a use for it.
        parts.headers.remove(header::AUTHORIZATION);
        let is_stream = parts.method == Method::GET;
        let Admitted { tenant, share, working } = admitted;
        let answer = self.pass(&tenant, parts, body).await;
        let (parts, body) = answer.into_parts();
        // A stream on which nothing was asked holds nobody up.
        let (working, cut) = if is_stream {
            (None, self.stopping.clone())
        } else {
            (Some(working), tenant.ended.clone())
        };
        Response::from_parts(parts, Held::over(body, (share, working), cut))
    }

    /// Whether the caller may go on: its token, and its share.
    fn judge(&self, parts: &Parts) -> Result<Admitted<H>, Box<Answer>> {
        let shown = bearer::shown(&parts.headers).ok_or_else(|| Box::new(bearer::missing()))?;
        let token = match self.gate.admit(shown, Timestamp::now()) {
            Ok(judged) => judged.map_err(|refusal| Box::new(bearer::refused(refusal)))?,
            Err(error) => {
                tracing::error!(%error, "tokens cannot be checked: nobody is let in");
                let text = "tokens cannot be checked now";
                return Err(plain(StatusCode::SERVICE_UNAVAILABLE, text).into());
            }
        };
        let working = self.at_work.upgrade().filter(|_| !self.stopping.is_cancelled());
        let working = working.ok_or_else(|| Box::new(stopping()))?;
        let tenant = self.tenants.of(&token);
        let share = tenant.share(parts.method == Method::GET);
        let share = share.map_err(|too_much| Box::new(too_many(&too_much)))?;
        Ok(Admitted { tenant, share, working })
    }

    /// Reads the message and gives it to the protocol.
    async fn pass(&self, tenant: &Tenant<H>, parts: Parts, body: Body) -> Answer {
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
