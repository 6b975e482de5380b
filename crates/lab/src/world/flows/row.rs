//! Flows and requests as the server shows them.

use super::{Flow, FlowState};
use crate::value::{Dict, Value, row};
use crate::world::results::QueryReport;
use crate::world::{Limits, Order, micros};

impl Flow {
    /// The row of `flows()`.
    pub(crate) fn row(&self) -> Dict {
        let nothing = || Vec::<Value>::new();
        let outcome = &self.outcome;
        let begun = self.times.filter(|_| self.state != FlowState::Running).map(|t| t.begun);
        let active = self.last_active();
        let duration = match (begun, active) {
            (Some(begun), Some(active)) if self.state.is_final() => {
                i64::try_from(active.duration_since(begun).as_nanos()).unwrap_or(0)
            }
            _ => 0,
        };
        let names: Vec<String> = outcome.names_with_rows();
        let total = outcome.queries.len();
        let stats = |(at, query): (usize, &QueryReport)| {
            Value::from(row! {
                "status" => match (self.state.is_final(), &query.error) {
                    (true, Some(_)) => "GENERIC_ERROR",
                    (true, None) => "OK",
                    (false, _) => "PROGRESS",
                },
                "error_message" => query.error.clone().unwrap_or_default(),
                "backtrace" => "",
                "duration" => duration,
                "last_active" => active.map_or(0, micros),
                "first_active" => begun.map_or(0, micros),
                "names_with_response" => &query.names,
                "Artifact" => "",
                "log_rows" => query.logs,
                "uploaded_files" => outcome.uploads.len(),
                "uploaded_bytes" => outcome.uploaded_bytes(),
                "expected_uploaded_bytes" => outcome.uploaded_bytes(),
                "result_rows" => query.rows,
                "query_id" => at + 1,
                "total_queries" => total,
                "transactions_outstanding" => 0,
            })
        };
        let started = self.state != FlowState::Running;
        row! {
            "client_id" => &self.order.client_id,
            "session_id" => &self.id,
            "request" => self.order.row(&self.id),
            "previous_flows" => nothing(),
            "backtrace" => "",
            "create_time" => micros(self.created),
            "start_time" => begun.map_or(0, micros),
            "active_time" => active.filter(|_| started).map_or_else(|| micros(self.created), micros),
            "inflight_time" => 0,
            "total_uploaded_files" => outcome.uploads.len(),
            "total_expected_uploaded_bytes" => outcome.uploaded_bytes(),
            "total_uploaded_bytes" => outcome.uploaded_bytes(),
            "total_collected_rows" => outcome.total_rows(),
            "total_logs" => outcome.logs.len(),
            "total_requests" => total.max(1),
            "outstanding_requests" => i32::from(!self.state.is_final()),
            "transactions_outstanding" => 0,
            "next_response_id" => 0,
            "execution_duration" => duration,
            "state" => self.state.name(),
            "status" => &self.status,
            "artifacts_with_results" => &names,
            "query_stats" => Value::array(outcome.queries.iter().enumerate().map(stats)),
            "uploaded_files" => nothing(),
            "user_notified" => false,
            "logs" => nothing(),
            "dirty" => false,
            "total_loads" => 0,
            "AvailableDownloads" => Dict::new(),
        }
    }
}

impl Order {
    /// The request inside a flow or a hunt.
    pub(crate) fn row(&self, flow_id: &str) -> Dict {
        let specs = self.specs.iter().map(|(artifact, parameters)| {
            let env = parameters.iter().map(|(key, value)| {
                Value::from(row! { "key" => key, "value" => value, "comment" => "" })
            });
            Value::from(row! {
                "artifact" => artifact,
                "parameters" => if parameters.is_empty() {
                    Dict::new()
                } else {
                    row! { "env" => Value::array(env) }
                },
                "cpu_limit" => 0, "max_batch_wait" => 0, "max_batch_rows" => 0,
                "max_batch_rows_buffer" => 0, "timeout" => 0,
            })
        });
        let Limits { timeout, max_rows, max_bytes, cpu, iops, ops } = self.limits;
        row! {
            "creator" => &self.creator,
            "user_data" => "",
            "client_id" => &self.client_id,
            "flow_id" => flow_id,
            "urgent" => self.urgent,
            "summary" => false,
            "artifacts" => &self.artifacts,
            "specs" => Value::array(specs),
            "cpu_limit" => cpu,
            "iops_limit" => iops,
            "progress_timeout" => 0,
            "timeout" => timeout,
            "max_rows" => max_rows,
            "max_logs" => 0,
            "max_upload_bytes" => max_bytes,
            "trace_freq_sec" => 0,
            "allow_custom_overrides" => false,
            "log_batch_time" => 0,
            "compiled_collector_args" => Vec::<Value>::new(),
            "ops_per_second" => ops,
        }
    }
}
