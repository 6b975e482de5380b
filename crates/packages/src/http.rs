//! Requests to the release host, and to nobody else.
//!
//! One request, one connection: HTTPS to listed hosts, through the configured proxy, with the
//! system's CA certificates. Redirects are followed by hand, so that none leads to another host.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderName, LOCATION, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::error::PackageError;

mod connect;

pub(crate) use connect::config as tls_config;

use connect::Stream;

/// A release host needs one or two.
const MAX_REDIRECTS: usize = 5;

/// Bounds on a download.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The size of a package.
    pub bytes: u64,
    /// How long a connection may take to be made, and an answer to begin.
    pub answer: Duration,
    /// How long nothing may come.
    pub silence: Duration,
    /// How long all of it may take.
    pub whole: Duration,
    /// How often in a row it is tried without getting further.
    pub attempts: u32,
    /// How long is waited before the second attempt; it doubles, with some chance in it.
    pub pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: crate::local::MAX_BYTES,
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            whole: Duration::from_secs(2 * 3600),
            attempts: 5,
            pause: Duration::from_millis(500),
        }
    }
}

/// Who may be asked.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Host names; in tests with a port.
    pub(crate) listed: Vec<String>,
    /// Plain HTTP to this machine is allowed.
    pub(crate) loopback: bool,
}

/// The client.
pub(crate) struct Http {
    hosts: Hosts,
    proxies: Matcher,
    tls: OnceCell<Arc<ClientConfig>>,
    bounds: Bounds,
}

/// An answer that is still coming.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// Dropping it ends the connection.
    _connection: JoinSet<()>,
}

impl Http {
    pub(crate) fn new(hosts: Hosts, proxies: Matcher, bounds: Bounds) -> Self {
        Self { hosts, proxies, tls: OnceCell::new(), bounds }
    }

    /// Trusts these certificates and no others.
    pub(crate) fn trust(self, tls: ClientConfig) -> Self {
        Self { tls: OnceCell::new_with(Some(Arc::new(tls))), ..self }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Asks, follows redirects to listed hosts, and returns the first other answer.
    pub(crate) async fn get(
        &self,
        url: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Answer, PackageError> {
        let mut at: Uri = url.parse().map_err(|_| self.elsewhere(url, url))?;
        for _ in 0..=MAX_REDIRECTS {
            if !self.allows(&at) {
                return Err(self.elsewhere(url, &at.to_string()));
            }
            let asked = tokio::time::timeout(self.bounds.answer, self.ask(&at, headers)).await;
            let answer = asked.unwrap_or_else(|_| {
                let cause = format!("no answer within {} s", self.bounds.answer.as_secs());
                Err(unreachable(&at, cause))
            })?;
            if !answer.response.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.response.headers().get(LOCATION);
            let location = location.and_then(|it| it.to_str().ok()).unwrap_or_default();
            at = follow(&at, location).ok_or_else(|| self.elsewhere(&at.to_string(), location))?;
        }
        Err(self.elsewhere(url, "itself, again and again"))
    }

    fn elsewhere(&self, from: &str, to: &str) -> PackageError {
        PackageError::Redirect { from: shown(from), to: shown(to) }
    }

    fn allows(&self, uri: &Uri) -> bool {
        let Some(authority) = uri.authority() else { return false };
        // A name before the host is a way to look like another host.
        if authority.as_str().contains('@') {
            return false;
        }
        let listed =
            |name: &str| self.hosts.listed.iter().any(|listed| listed.eq_ignore_ascii_case(name));
        match uri.scheme_str() {
            Some("https") => {
                listed(authority.as_str())
                    || (matches!(authority.port_u16(), None | Some(443))
                        && listed(authority.host()))
            }
            Some("http") => self.hosts.loopback && listed(authority.as_str()),
            _ => false,
        }
    }

    async fn ask(
        &self,
        uri: &Uri,
        headers: &[(HeaderName, String)],
    ) -> Result<Answer, PackageError> {
        let failed = |error: hyper::Error| unreachable(uri, chain(&error));
        let stream = self.connect(uri).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = connection.await {
                // Whoever reads the body meets the same error.
                tracing::debug!("connection to the release host: {error}");
            }
        });
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let host = uri.authority().map(|it| it.as_str()).unwrap_or_default();
        let mut request = Request::get(path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("megaraptor/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| unreachable(uri, error.to_string()))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        Ok(Answer { response, _connection: running })
    }

    async fn connect(&self, uri: &Uri) -> Result<Stream, PackageError> {
        let plain = uri.scheme_str() == Some("http");
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let tcp = connect::tcp(self.proxies.intercept(uri), host, port, uri).await?;
        if plain {
            return Ok(Stream::Plain(tcp));
        }
        let tls = self.tls.get_or_try_init(connect::system_trust).await?;
        connect::tls(Arc::clone(tls), tcp, host, uri).await
    }
}

impl Answer {
    /// The next bytes, or nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            match self.response.body_mut().frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(chain(&error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Ok(Some(bytes)),
                    // Trailers.
                    Err(_) => {}
                },
            }
        }
    }
}

/// Where a redirect leads.
fn follow(at: &Uri, location: &str) -> Option<Uri> {
    let rooted = location.starts_with('/') && !location.starts_with("//");
    if rooted {
        let (scheme, authority) = (at.scheme_str()?, at.authority()?);
        return format!("{scheme}://{authority}{location}").parse().ok();
    }
    location.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some())
}

/// An address without its query, which may hold a signature of the host's own, and without a name
/// and password.
pub(crate) fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let bare = match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => bare.to_owned(),
    };
    bare.chars().take(300).flat_map(char::escape_default).collect()
}

fn unreachable(uri: &Uri, cause: String) -> PackageError {
    let host = uri.authority().map_or("the release host", |it| it.as_str()).to_owned();
    PackageError::Unreachable { host, attempts: 1, cause }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(loopback: bool) -> Http {
        let listed = vec!["github.com".to_owned(), "127.0.0.1:99".to_owned()];
        Http::new(Hosts { listed, loopback }, Matcher::builder().build(), Bounds::default())
    }

    #[test]
    fn only_listed_hosts_are_asked_and_only_in_safety() {
        let allows = |url: &str| http(false).allows(&url.parse().unwrap());
        assert!(allows("https://github.com/x") && allows("https://GitHub.com:443/x"));
        for elsewhere in [
            "http://github.com/x",
            "https://github.com:8443/x",
            "https://github.com.example/x",
            "https://example/github.com",
            "https://github.com@example/x",
            "https://example@github.com/x",
            "http://127.0.0.1:99/x",
            "/x",
        ] {
            assert!(!allows(elsewhere), "{elsewhere}");
        }
        assert!(http(true).allows(&"http://127.0.0.1:99/x".parse().unwrap()));
        assert!(!http(true).allows(&"http://127.0.0.1:98/x".parse().unwrap()));
    }

    #[test]
    fn redirects_are_resolved_and_addresses_shown_without_secrets() {
        let at: Uri = "https://github.com/a/b".parse().unwrap();
        assert_eq!(follow(&at, "/c?d").unwrap(), "https://github.com/c?d");
        assert_eq!(follow(&at, "https://x/y").unwrap(), "https://x/y");
        for nowhere in ["", "c", "//x/y", "https://x y"] {
            assert_eq!(follow(&at, nowhere), None, "{nowhere}");
        }
        assert_eq!(shown("https://me:pw@x/y?sig=z#f"), "https://x/y");
        assert_eq!(shown("javascript:\u{202e}"), "javascript:\\u{202e}");
    }
}
