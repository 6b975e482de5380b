//! The token of a request.

use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};

use super::front::plain;

/// The token that a request shows. It is looked for in one place only: one in an address would
/// end in logs.
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The answer to a request without a token.
pub(super) fn missing() -> Response<Body> {
    challenge(
        "Bearer realm=\"megaraptor\"".into(),
        "a token is needed: Authorization: Bearer mgr_…; `megaraptor token create NAME` makes one",
    )
}

/// The answer to a token that does not open.
pub(super) fn refused(why: impl Display) -> Response<Body> {
    challenge(
        format!(
            "Bearer realm=\"megaraptor\", error=\"invalid_token\", error_description=\"{why}\""
        ),
        &why.to_string(),
    )
}

fn challenge(value: String, text: &str) -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, text);
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_in_one_header_of_one_form() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            shown(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer mgr_1"]), Some("mgr_1".into()));
        assert_eq!(of(&["bEARER  mgr_1 "]), Some("mgr_1".into()));
        for none in [&[][..], &["mgr_1"], &["Basic mgr_1"], &["Bearer"], &["Bearer a", "Bearer a"]]
        {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
