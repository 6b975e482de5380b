//! By which name the server was called, and from which page.
//!
//! A page in the analyst's browser can make the browser send requests to this machine, and can
//! make its own name resolve to it. Such a request names the page's host, or the page as its
//! origin: both are refused before anything else is looked at.

use axum::http::Uri;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::Bind;

/// The names by which the server may be called, and the pages that may call it.
#[derive(Clone, Debug)]
pub struct Names {
    hosts: Vec<Authority>,
    origins: Vec<String>,
}

/// Names that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// A text that is no host.
    #[error("{0:?} is no host; expected NAME or NAME:PORT")]
    Host(String),
    /// A text that is no origin.
    #[error("{0:?} is no origin; expected SCHEME://HOST or SCHEME://HOST:PORT")]
    Origin(String),
    /// Every address of the machine is no name.
    #[error("{0} is every address of this machine, and no name by which a caller calls it")]
    NoName(Bind),
}

impl Names {
    /// The names of a server bound there: the address itself, `localhost` where it is loopback,
    /// and those that are given, each for the bound port or with one of its own. Origins are
    /// compared as a whole; under the address itself, in the scheme that is served, nobody else
    /// can have a page.
    ///
    /// # Errors
    ///
    /// [`NamesError`].
    pub fn new(
        bind: Bind,
        scheme: &str,
        hosts: &[String],
        origins: &[String],
    ) -> Result<Self, NamesError> {
        let port = bind.0.port();
        let mut names = Vec::new();
        if bind.is_loopback() {
            names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]);
        }
        if !bind.is_every_address() {
            names.push(match bind.0.ip() {
                std::net::IpAddr::V4(ip) => ip.to_string(),
                std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            });
        } else if hosts.is_empty() {
            return Err(NamesError::NoName(bind));
        }
        let own = names.iter().map(|name| format!("{scheme}://{name}:{port}"));
        let origins = own.chain(origins.iter().cloned()).collect::<Vec<_>>();
        names.extend(hosts.iter().cloned());
        let hosts = names.iter().map(|name| host(name, port)).collect::<Result<_, _>>()?;
        let origins = origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, origins })
    }

    /// Whether the request was sent to one of the names. Without a port it was sent to that of
    /// its scheme, which a proxy in front may stand for.
    pub(super) fn host_fits(&self, request: &Parts) -> bool {
        let mut named = request.headers.get_all(header::HOST).iter();
        let (Some(first), None) = (named.next(), named.next()) else { return false };
        let Some(called) = first.to_str().ok().and_then(|text| text.parse::<Authority>().ok())
        else {
            return false;
        };
        let known = |called: &Authority| {
            self.hosts.iter().any(|host| {
                host.host().eq_ignore_ascii_case(called.host())
                    && called.port_u16().is_none_or(|port| host.port_u16() == Some(port))
            })
        };
        // A request line with a whole address is the same request only if it names the same host.
        !called.as_str().contains('@')
            && known(&called)
            && request.uri.authority().is_none_or(known)
    }

    /// The page that a request comes from, where it says so.
    ///
    /// # Errors
    ///
    /// It is none that is allowed.
    pub(super) fn origin<'a>(
        &self,
        headers: &'a HeaderMap,
    ) -> Result<Option<&'a HeaderValue>, Foreign> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let Some(first) = named.next() else { return Ok(None) };
        let known = first.to_str().ok().and_then(|text| origin(text).ok());
        match known {
            Some(known) if named.next().is_none() && self.origins.contains(&known) => {
                Ok(Some(first))
            }
            _ => Err(Foreign),
        }
    }
}

/// A page that may not call.
#[derive(Debug)]
pub(super) struct Foreign;

/// What tells a browser that this page may call and read the answer.
pub(super) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    let set = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::VARY, HeaderValue::from_static("Origin")),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Mcp-Session-Id, Retry-After, WWW-Authenticate"),
        ),
    ];
    headers.extend(set.map(|(name, value): (HeaderName, HeaderValue)| (Some(name), value)));
}

/// The same, for the question that a browser asks first.
pub(super) fn allow_beforehand(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

fn host(name: &str, port: u16) -> Result<Authority, NamesError> {
    let bad = || NamesError::Host(name.to_owned());
    let parsed: Authority = name.parse().map_err(|_| bad())?;
    if name.contains(['@', '*']) || parsed.host().is_empty() {
        return Err(bad());
    }
    if parsed.port_u16().is_some() {
        return Ok(parsed);
    }
    format!("{name}:{port}").parse().map_err(|_| bad())
}

/// An origin in one spelling: lower case, without the port that its scheme stands for.
fn origin(text: &str) -> Result<String, NamesError> {
    let bad = || NamesError::Origin(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| bad())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(bad());
    };
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    if text.contains(['@', '*']) || rest != "/" || text.ends_with('/') {
        return Err(bad());
    }
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = authority.port_u16().filter(|port| Some(*port) != usual);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{}{port}", authority.host()).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn names(bind: &str, hosts: &[&str], origins: &[&str]) -> Result<Names, NamesError> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Names::new(bind.parse().unwrap(), "http", &owned(hosts), &owned(origins))
    }

    fn called(names: &Names, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        names.host_fits(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_the_servers_own_names_are_answered() {
        let names = names("127.0.0.1:8765", &["ir.example:443", "other.example"], &[]).unwrap();
        for good in [
            "127.0.0.1:8765",
            "localhost:8765",
            "LOCALHOST:8765",
            "[::1]:8765",
            "localhost",
            "ir.example:443",
            "ir.example",
            "other.example:8765",
        ] {
            assert!(called(&names, "/mcp", &[good]), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8765",
            "127.0.0.1:1",
            "localhost.evil.example:8765",
            "localhost:8765@evil.example",
            "evil@localhost:8765",
            "ir.example:8765",
            "",
            "a b",
        ] {
            assert!(!called(&names, "/mcp", &[bad]), "{bad}");
        }
        assert!(!called(&names, "/mcp", &[]));
        assert!(!called(&names, "/mcp", &["localhost:8765", "localhost:8765"]));
        assert!(called(&names, "http://localhost:8765/mcp", &["localhost:8765"]));
        assert!(!called(&names, "http://evil.example/mcp", &["localhost:8765"]));
    }

    #[test]
    fn an_origin_must_be_allowed_as_a_whole() {
        let names = names("127.0.0.1:1", &[], &["https://ui.example", "http://127.0.0.1:6274"]);
        let names = names.unwrap();
        let fits = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ORIGIN, value.parse().unwrap());
            }
            names.origin(&headers).map(|origin| origin.is_some()).ok()
        };
        assert_eq!(fits(&[]), Some(false));
        for good in [
            "https://ui.example",
            "https://UI.example:443",
            "http://127.0.0.1:6274",
            "http://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert_eq!(fits(&[good]), Some(true), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://ui.example",
            "https://ui.example:444",
            "https://ui.example.evil.example",
            "https://ui.example@evil.example",
            "https://ui.example/",
            "https://127.0.0.1:1",
            "http://127.0.0.1:2",
            "http://127.0.0.1",
        ] {
            assert_eq!(fits(&[bad]), None, "{bad}");
        }
        assert_eq!(fits(&["https://ui.example", "https://evil.example"]), None);
    }

    #[test]
    fn names_that_cannot_be_used_are_refused() {
        let bind: Bind = "0.0.0.0:1".parse().unwrap();
        assert_eq!(names("0.0.0.0:1", &[], &[]).unwrap_err(), NamesError::NoName(bind));
        assert!(names("0.0.0.0:1", &["ir.example"], &[]).is_ok());
        for host in ["*", "a b", "https://x", "u@x", ""] {
            assert!(names("127.0.0.1:1", &[host], &[]).is_err(), "{host}");
        }
        for origin in ["*", "ui.example", "https://ui.example/x", "https://*.example"] {
            assert!(names("127.0.0.1:1", &[], &[origin]).is_err(), "{origin}");
        }
    }
}
