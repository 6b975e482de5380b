//! One running query: a stream of batches within bounds.
//!
//! # Time
//!
//! The server gets the time limit and stops the query itself, within a millisecond of it, with
//! the rows so far. The client waits [`GRACE`] longer for that end to arrive. Only where it does
//! not, the client ends the query on its own.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use vql_builder::Query;

use crate::connection::Connection;
use crate::error::QueryErrorKind;
use crate::failure::QueryLog;
use crate::generated::VqlResponse;
use crate::ids::OrgId;
use crate::limits::{Cut, Limits};

mod batch;
mod request;

pub use batch::{Batch, Row};

/// How much longer than the server's limit the client waits: the rest is the way back.
const GRACE: Duration = Duration::from_secs(5);

/// Nothing is awaited for longer, whatever the limit says: more would not fit the clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long the end of a stream is awaited after its last allowed row. A query that has no more
/// rows ends within milliseconds; an event query may stay silent for ever.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A running query.
///
/// # Cancel safety
///
/// [`QueryStream::next`] may be dropped between batches without loss. Dropping the stream tells
/// the server to stop; statements after the one that runs may still be evaluated, which is why a
/// side effect stands alone in its query.
#[derive(Debug)]
pub struct QueryStream {
    /// `None` once the query has ended or was stopped.
    inner: Option<tonic::Streaming<VqlResponse>>,
    connection: Connection,
    org: OrgId,
    cancel: CancellationToken,
    deadline: Instant,
    limits: Limits,
    rows: u64,
    bytes: u64,
    log: QueryLog,
    cut: Option<Cut>,
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
        let request = request::build(org, query, limits)?;
        let patience = limits.time.min(LONGEST) + GRACE;
        let deadline = Instant::now() + patience;
        let mut client = self.client();
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(QueryErrorKind::Cancelled),
            answer = timeout_at(deadline, client.query(request)) => answer,
        };
        let inner = match answer {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(self.cause(&status, org, limits.time)),
            // The server answers within milliseconds of its own limit, with nothing if need be.
            Err(_) => {
                let waited = patience.as_secs();
                return Err(QueryErrorKind::Unreachable {
                    address: self.config().address.clone(),
                    detail: format!("nothing came within {waited} s"),
                });
            }
        };
        Ok(QueryStream {
            inner: Some(inner),
            connection: self.clone(),
            org: org.clone(),
            cancel: cancel.clone(),
            deadline,
            limits: *limits,
            rows: 0,
            bytes: 0,
            log: QueryLog::default(),
            cut: None,
        })
    }
}

impl QueryStream {
    /// The next batch that has rows, or `None` at the end. Where a bound ends the query, the
    /// batches hold whole rows up to it, the server is told to stop, and [`QueryStream::cut`]
    /// names the bound.
    ///
    /// # Errors
    ///
    /// Transport faults, cancellation, and a row beyond the message limit. The batches before
    /// are then not the whole answer. Failures that the server tells in its log do not end the
    /// stream: see [`QueryStream::failures`].
    pub async fn next(&mut self) -> Result<Option<Batch>, QueryErrorKind> {
        loop {
            let Some(inner) = &mut self.inner else { return Ok(None) };
            let full = self.rows >= self.limits.rows;
            let until =
                if full { self.deadline.min(Instant::now() + END_WITHIN) } else { self.deadline };
            let message = tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    self.inner = None;
                    return Err(QueryErrorKind::Cancelled);
                }
                message = timeout_at(until, inner.next()) => message,
            };
            let message = match message {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(status))) => {
                    self.inner = None;
                    return Err(self.connection.cause(&status, &self.org, self.limits.time));
                }
                Ok(None) => {
                    self.inner = None;
                    return Ok(None);
                }
                Err(_) if full => return Ok(self.stop(Cut::Rows)),
                Err(_) => {
                    self.log.warn("the server did not end the query at its time limit");
                    return Ok(self.stop(Cut::Time));
                }
            };
            if !message.log.is_empty() {
                self.log.note(&message.log);
            } else if !message.columns.is_empty() {
                let rows_left = self.limits.rows - self.rows;
                let bytes_left = self.limits.bytes.saturating_sub(self.bytes);
                let keep_first = self.limits.keep_first && self.rows == 0;
                let (batch, cut) = Batch::within(message, rows_left, bytes_left, keep_first)?;
                self.rows += batch.len();
                self.bytes += batch.json().len() as u64;
                if let Some(cut) = cut {
                    self.stop(cut);
                }
                if !batch.is_empty() {
                    return Ok(Some(batch));
                }
            }
        }
    }

    /// Tells the server to stop, by dropping its end of the stream.
    fn stop(&mut self, cut: Cut) -> Option<Batch> {
        self.inner = None;
        self.cut = Some(cut);
        None
    }

    /// Failures that the server told in its log so far.
    pub fn failures(&self) -> &[QueryErrorKind] {
        self.log.failures()
    }

    /// Warnings that the server told in its log so far.
    pub fn warnings(&self) -> &[String] {
        self.log.warnings()
    }

    /// The bound that ended the query early, if one did.
    pub const fn cut(&self) -> Option<Cut> {
        match self.cut {
            None if self.log.timed_out() => Some(Cut::Time),
            cut => cut,
        }
    }

    /// Whether the time limit ended the query.
    pub const fn timed_out(&self) -> bool {
        matches!(self.cut(), Some(Cut::Time))
    }

    /// Takes the failures and the warnings out.
    pub fn into_log(self) -> (Vec<QueryErrorKind>, Vec<String>) {
        self.log.into_parts()
    }

    /// The time limit of the query.
    pub const fn time_limit(&self) -> Duration {
        self.limits.time
    }
}
