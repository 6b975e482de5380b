//! Bodies: those that come in are bounded, those that go out hold what their call has taken.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How much of a refused body is taken in, and for how long.
const PASS_BYTES: usize = 64 << 10;
const PASS_TIME: Duration = Duration::from_secs(1);

/// A body that is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is longer than the limit.
    TooLong,
    /// It did not arrive in time.
    TooSlow,
    /// The caller went away, or broke the framing.
    Broken,
}

/// Reads a whole body.
///
/// # Errors
///
/// [`Unread`]. One that announces too much is refused before a byte of it is read.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    time: Duration,
) -> Result<Bytes, Unread> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > limit as u64) {
        return Err(Unread::TooLong);
    }
    tokio::time::timeout(time, collect(body, limit)).await.unwrap_or(Err(Unread::TooSlow))
}

/// Takes in what a refused caller is sending, if it is little and comes soon, and forgets it.
pub(super) async fn pass_over(body: Body) {
    let passed = tokio::time::timeout(PASS_TIME, collect(body, PASS_BYTES)).await;
    if !matches!(passed, Ok(Ok(_))) {
        tracing::debug!("a refused body was not taken to its end");
    }
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if data.len() > limit - read.len() {
            return Err(Unread::TooLong);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.into())
}

/// A body that keeps something until it has ended or its reader has gone, and that can be cut off.
pub(super) struct Held<T> {
    inner: Body,
    _kept: T,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T: Send + Unpin + 'static> Held<T> {
    /// `inner`, ended early when `cut` is cancelled.
    pub(super) fn over(inner: Body, kept: T, cut: CancellationToken) -> Body {
        Body::new(Self { inner, _kept: kept, cut: Box::pin(cut.cancelled_owned()) })
    }
}

impl<T: Unpin> hyper::body::Body for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        self.cut.as_mut().poll(cx).map(|()| None)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_body_is_taken_up_to_the_limit() {
        let none = HeaderMap::new();
        assert_eq!(read(&none, Body::from("1234"), 4, TIME).await.unwrap(), "1234");
        assert_eq!(read(&none, Body::from("12345"), 4, TIME).await, Err(Unread::TooLong));
        let mut announced = HeaderMap::new();
        announced.insert(header::CONTENT_LENGTH, "5".parse().unwrap());
        assert_eq!(read(&announced, Body::empty(), 4, TIME).await, Err(Unread::TooLong));
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up() {
        let endless = Held::over(Body::new(Never), (), CancellationToken::new());
        let time = Duration::from_millis(1);
        assert_eq!(read(&HeaderMap::new(), endless, 4, time).await, Err(Unread::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_is_cut_ends() {
        let cut = CancellationToken::new();
        let held = Held::over(Body::new(Never), (), cut.clone());
        cut.cancel();
        assert_eq!(read(&HeaderMap::new(), held, 4, TIME).await.unwrap(), "");
    }

    struct Never;

    impl hyper::body::Body for Never {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Pending
        }
    }
}
