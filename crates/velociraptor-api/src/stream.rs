//! One running query: a stream of batches.

use std::time::Duration;

use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vql_builder::Query;

use crate::connection::Connection;
use crate::error::QueryErrorKind;
use crate::failure::QueryLog;
use crate::generated::{VqlCollectorArgs, VqlEnv, VqlRequest, VqlResponse};
use crate::ids::OrgId;
use crate::limits::Limits;

/// One row, columns in the order in which the query names them. 64-bit integers are exact.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// How much longer than the server's limit the client waits: the server ends a query within a
/// millisecond of its limit, the rest is the way back.
const GRACE: Duration = Duration::from_secs(5);

/// Rows that arrived together, still as text.
#[derive(Debug)]
pub struct Batch {
    /// The columns, in order. Empty where there are no rows.
    pub columns: Vec<String>,
    /// Index of the statement that gave the rows; LET statements count and give none.
    pub statement: u64,
    json: String,
}

impl Batch {
    /// The rows as a JSON array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The rows.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::Protocol`] where the text is not an array of objects of that form.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, QueryErrorKind> {
        serde_json::from_str(&self.json)
            .map_err(|error| QueryErrorKind::Protocol { detail: error.to_string() })
    }

    /// The rows, each still as text: cheap to count and to measure.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::Protocol`] where the text is not a JSON array.
    pub fn raw_rows(&self) -> Result<Vec<&RawValue>, QueryErrorKind> {
        serde_json::from_str(&self.json)
            .map_err(|error| QueryErrorKind::Protocol { detail: error.to_string() })
    }
}

/// A running query.
///
/// # Cancel safety
///
/// [`QueryStream::next`] may be dropped between batches without loss. Dropping the stream tells
/// the server to stop; statements after the one that runs may still be evaluated, which is why a
/// side effect stands alone in its query.
#[derive(Debug)]
pub struct QueryStream {
    inner: tonic::Streaming<VqlResponse>,
    connection: Connection,
    org: OrgId,
    cancel: CancellationToken,
    deadline: Instant,
    time: Duration,
    log: QueryLog,
    timed_out: bool,
}

impl Connection {
    /// Starts a query.
    ///
    /// # Errors
    ///
    /// Connection, authority and org faults. Faults of the query itself arrive with the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the query running until its time limit.
    pub async fn start(
        &self,
        org: &OrgId,
        query: &Query,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<QueryStream, QueryErrorKind> {
        let deadline = Instant::now() + limits.time + GRACE;
        let mut client = self.client();
        let call = client.query(request(org, query, limits));
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(QueryErrorKind::Cancelled),
            answer = tokio::time::timeout_at(deadline, call) => answer,
        };
        let inner = match answer {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(self.cause(&status, org, limits.time)),
            Err(_) => return Err(QueryErrorKind::Timeout { seconds: limits.time.as_secs() }),
        };
        Ok(QueryStream {
            inner,
            connection: self.clone(),
            org: org.clone(),
            cancel: cancel.clone(),
            deadline,
            time: limits.time,
            log: QueryLog::default(),
            timed_out: false,
        })
    }
}

fn request(org: &OrgId, query: &Query, limits: &Limits) -> VqlCollectorArgs {
    VqlCollectorArgs {
        query: vec![VqlRequest { vql: query.text().to_owned(), name: query.name().to_owned() }],
        env: query
            .env()
            .map(|(key, value)| VqlEnv { key: key.to_owned(), value: value.to_owned() })
            .collect(),
        max_row: u64::from(limits.batch_rows.max(1)),
        max_wait: 1,
        timeout: limits.time.as_secs().max(1),
        org_id: if org.is_root() { String::new() } else { org.to_string() },
        ..VqlCollectorArgs::default()
    }
}

impl QueryStream {
    /// The next batch that has rows, or `None` at the end. At the server's time limit the stream
    /// ends with what there is, and [`QueryStream::timed_out`] is true.
    ///
    /// # Errors
    ///
    /// Transport faults, cancellation, and a row beyond the message limit. Failures that the
    /// server tells in its log do not end the stream: see [`QueryStream::failures`].
    pub async fn next(&mut self) -> Result<Option<Batch>, QueryErrorKind> {
        loop {
            let message = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(QueryErrorKind::Cancelled),
                message = tokio::time::timeout_at(self.deadline, self.inner.next()) => message,
            };
            let message = match message {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(status))) => {
                    return Err(self.connection.cause(&status, &self.org, self.time));
                }
                Ok(None) => return Ok(None),
                Err(_) => {
                    self.timed_out = true;
                    return Ok(None);
                }
            };
            if !message.log.is_empty() {
                self.log.note(&message.log);
            } else if !message.columns.is_empty() {
                return Ok(Some(Batch {
                    columns: message.columns,
                    statement: message.query_id,
                    json: message.response,
                }));
            }
        }
    }

    /// Failures that the server told in its log so far.
    pub fn failures(&self) -> &[QueryErrorKind] {
        self.log.failures()
    }

    /// Warnings that the server told in its log so far.
    pub fn warnings(&self) -> &[String] {
        self.log.warnings()
    }

    /// Whether the time limit ended the query.
    pub const fn timed_out(&self) -> bool {
        self.timed_out || self.log.timed_out()
    }

    /// Takes the failures and the warnings out.
    pub fn into_log(self) -> (Vec<QueryErrorKind>, Vec<String>) {
        self.log.into_parts()
    }

    /// The time limit of the query.
    pub const fn time_limit(&self) -> Duration {
        self.time
    }
}
