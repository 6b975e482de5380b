//! Queries about flows.

use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// The state of a flow. The server has no word for one that somebody ended: it calls that an error.
/// Where there was an error before, it stands behind a colon, and it is that error.
macro_rules! flow_state {
    ($flow:literal) => {
        concat!(
            "if(condition=",
            $flow,
            "state = 'ERROR' AND ",
            $flow,
            "status =~ '^Cancelled by [^:]*$', then='CANCELLED', else=",
            $flow,
            "state)"
        )
    };
}

pub(super) use flow_state;

/// The columns that [`crate::flows::Flow`] is read from.
macro_rules! flow_columns {
    () => {
        concat!(
            "session_id AS FlowId, client_id AS ClientId, request.artifacts AS Artifacts,
       request.creator AS Creator, ",
            flow_state!(""),
            " AS State, status AS Status,
       create_time AS Created, start_time AS Started, active_time AS Active,
       execution_duration AS Duration, total_collected_rows AS Rows,
       total_uploaded_files AS UploadedFiles, total_uploaded_bytes AS UploadedBytes,
       total_logs AS Logs, artifacts_with_results AS Tables"
        )
    };
}

/// One page of a client's flows, the newest first, in a total order. `MR_States` is a regular
/// expression on the state, or empty.
pub const LIST: CatalogueQuery = CatalogueQuery {
    name: "flows_list",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT ",
        flow_columns!(),
        ",
       str(str=9000000000000000 - create_time) + ' ' + session_id AS SortKey
FROM flows(client_id=MR_Client, summary=TRUE)
WHERE MR_States = '' OR State =~ MR_States
ORDER BY SortKey
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: &["MR_Client", "MR_States", "MR_From", "MR_To"],
    needs: READ,
    mutates: false,
    columns: &[
        "FlowId",
        "ClientId",
        "Artifacts",
        "Creator",
        "State",
        "Status",
        "Created",
        "Started",
        "Active",
        "Duration",
        "Rows",
        "UploadedFiles",
        "UploadedBytes",
        "Logs",
        "Tables",
        "SortKey",
        "Total",
    ],
};

/// One flow in detail. An unknown flow gives no row.
pub const STATUS: CatalogueQuery = CatalogueQuery {
    name: "flow_status",
    text: concat!(
        "SELECT ",
        flow_columns!(),
        ",
       request AS Request, query_stats AS Queries, backtrace AS Backtrace,
       previous_flows AS PreviousFlows
FROM flows(client_id=MR_Client, flow_id=MR_Flow)"
    ),
    binds: &["MR_Client", "MR_Flow"],
    needs: READ,
    mutates: false,
    columns: &[
        "FlowId",
        "ClientId",
        "Artifacts",
        "Creator",
        "State",
        "Status",
        "Created",
        "Started",
        "Active",
        "Duration",
        "Rows",
        "UploadedFiles",
        "UploadedBytes",
        "Logs",
        "Tables",
        "Request",
        "Queries",
        "Backtrace",
        "PreviousFlows",
    ],
};

/// The lines of a flow's log whose level is at least a warning, oldest first. The log may be
/// incomplete, and its columns differ between agents and the server.
pub const LOG: CatalogueQuery = CatalogueQuery {
    name: "flow_log",
    text: "SELECT * FROM flow_logs(client_id=MR_Client, flow_id=MR_Flow)
WHERE get(field='level', default=get(field='Level')) =~ '^(ERROR|WARN|ALERT)'",
    binds: &["MR_Client", "MR_Flow"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// How many lines the logs of flows have: those that say of a part that it is skipped or that it has
/// ended by what they say, all others under nothing. A part has the name of the first table that it
/// fills.
pub const TOLD: CatalogueQuery = CatalogueQuery {
    name: "flow_told",
    text: "SELECT ClientId, Told, Lines
FROM foreach(row=parse_json_array(data=MR_Flows), query={
  SELECT client AS ClientId, count() AS Lines,
         if(condition=message =~ '^Collection (.+ )?is done after|Skipping query due to preconditions',
            then=regex_replace(
              source=regex_replace(
                source=message, re='(?s)^Collection (?:(.+) )?is done after.*$', replace='ended $1'),
              re='(?s)^(?:(.+): )?Skipping query due to preconditions.*$', replace='skipped $1'),
            else='') AS Told
  FROM flow_logs(client_id=client, flow_id=flow)
  GROUP BY Told
})",
    binds: &["MR_Flows"],
    needs: READ,
    mutates: false,
    columns: &["ClientId", "Told", "Lines"],
};

/// Cancels a flow that has not ended. A flow that has ended is left alone: the server would turn
/// its good end into an error.
pub const CANCEL: CatalogueQuery = CatalogueQuery {
    name: "flow_cancel",
    text: concat!(
        "LET Before <= SELECT ",
        flow_state!(""),
        " AS State FROM flows(client_id=MR_Client, flow_id=MR_Flow)
LET Cancelled <= if(condition=Before AND NOT Before[0].State =~ '^(FINISHED|ERROR|CANCELLED)$',
                    then=cancel_flow(client_id=MR_Client, flow_id=MR_Flow).flow_id)
SELECT Before[0].State AS Before, Cancelled AS Cancelled FROM scope()"
    ),
    binds: &["MR_Client", "MR_Flow"],
    // Which of COLLECT_CLIENT and COLLECT_SERVER it takes depends on the client.
    needs: &[Permission::AnyQuery, Permission::ReadResults],
    mutates: true,
    columns: &["Before", "Cancelled"],
};
