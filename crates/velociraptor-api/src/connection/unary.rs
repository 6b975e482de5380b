//! Calls with one answer.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};

use super::Connection;
use crate::error::QueryErrorKind;
use crate::ids::OrgId;

impl Connection {
    /// Waits for the answer of a unary call. The server knows no time limit for these, so this
    /// one ends the waiting only: what the call does may still happen.
    pub(crate) async fn answer<A>(
        &self,
        org: &OrgId,
        limit: Duration,
        cancel: &CancellationToken,
        call: impl Future<Output = Result<Response<A>, Status>>,
    ) -> Result<A, QueryErrorKind> {
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(QueryErrorKind::Cancelled),
            answer = tokio::time::timeout(limit, call) => answer,
        };
        match answer {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.cause(&status, org, limit)),
            Err(_) => Err(QueryErrorKind::Timeout { seconds: limit.as_secs() }),
        }
    }
}
