//! Queries about hunts.

use super::clients::{CLIENT, client_columns};
use super::flows::flow_state;
use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// The state of a hunt. The tag stands for the state that servers since 0.77 have no more.
macro_rules! hunt_state {
    () => {
        "if(condition='archived' IN tags, then='ARCHIVED', else=state)"
    };
}

/// The columns that [`crate::hunts::Hunt`] is read from.
macro_rules! hunt_columns {
    () => {
        concat!(
            "hunt_id AS HuntId, hunt_description AS Description,
       ",
            hunt_state!(),
            " AS State,
       creator AS Creator, create_time AS Created, start_time AS Started, expires AS Expires,
       artifacts AS Artifacts, artifact_sources AS Tables, tags AS Tags,
       condition AS Condition, stats AS Stats, now() AS Now"
        )
    };
}

/// The hunts that a search finds. `$state` is what their state is called.
macro_rules! hunt_filter {
    ($state:literal) => {
        concat!(
            "
FROM hunts()
WHERE (MR_States = '' OR ",
            $state,
            " =~ MR_States)
  AND (MR_Search = '' OR hunt_description =~ MR_Search
       OR join(array=artifacts, sep=' ') =~ MR_Search)"
        )
    };
}

pub(super) use {hunt_filter, hunt_state};

/// What changes hunts.
const CHANGE: &[Permission] =
    &[Permission::AnyQuery, Permission::ReadResults, Permission::StartHunt];

/// One page of the hunts, the newest first, in a total order. `MR_States` is a regular expression
/// on the state, or empty; `MR_Search` one on the description and artifacts, or empty.
pub const LIST: CatalogueQuery = CatalogueQuery {
    name: "hunts_list",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT ",
        hunt_columns!(),
        ",
       str(str=9000000000000000 - create_time) + ' ' + hunt_id AS SortKey",
        hunt_filter!("State"),
        "
ORDER BY SortKey
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: &["MR_States", "MR_Search", "MR_From", "MR_To"],
    needs: READ,
    mutates: false,
    columns: &[
        "HuntId",
        "Description",
        "State",
        "Creator",
        "Created",
        "Started",
        "Expires",
        "Artifacts",
        "Tables",
        "Tags",
        "Condition",
        "Stats",
        "Now",
        "SortKey",
        "Total",
    ],
};

/// One hunt in detail. An unknown hunt gives no row.
pub const STATUS: CatalogueQuery = CatalogueQuery {
    name: "hunt_status",
    text: concat!(
        "SELECT ",
        hunt_columns!(),
        ", start_request AS Request
FROM hunts(hunt_id=MR_Hunt)"
    ),
    binds: &["MR_Hunt"],
    needs: READ,
    mutates: false,
    columns: &[
        "HuntId",
        "Description",
        "State",
        "Creator",
        "Created",
        "Started",
        "Expires",
        "Artifacts",
        "Tables",
        "Tags",
        "Condition",
        "Stats",
        "Now",
        "Request",
    ],
};

/// The clients that a hunt would reach. The patterns match labels as a whole and may be empty.
pub const REACH: CatalogueQuery = CatalogueQuery {
    name: "hunt_reach",
    text: concat!(
        "SELECT ",
        client_columns!(),
        "
FROM clients()
WHERE (MR_Os = '' OR os_info.system = MR_Os)
  AND (MR_Include = '' OR filter(list=labels, regex=MR_Include))
  AND (MR_Exclude = '' OR NOT filter(list=labels, regex=MR_Exclude))"
    ),
    binds: &["MR_Os", "MR_Include", "MR_Exclude"],
    needs: READ,
    mutates: false,
    columns: CLIENT,
};

/// Creates a hunt. The id is NULL where the server refused, and its log says why. A system and
/// labels together lose the labels: they are never both bound.
pub const CREATE: CatalogueQuery = CatalogueQuery {
    name: "hunt_create",
    text: "LET Result <= hunt(description=MR_Description, tags=parse_json_array(data=MR_Tags),
    artifacts=parse_json_array(data=MR_Artifacts), spec=parse_json(data=MR_Spec),
    timeout=int(int=MR_Timeout), max_rows=int(int=MR_MaxRows), max_bytes=int(int=MR_MaxBytes),
    cpu_limit=int(int=MR_Cpu), expires=int(int=MR_Expires), pause=MR_Pause = 'Y', os=MR_Os,
    include_labels=parse_json_array(data=MR_Include),
    exclude_labels=parse_json_array(data=MR_Exclude))
SELECT Result.HuntId AS HuntId FROM scope()",
    binds: &[
        "MR_Description",
        "MR_Tags",
        "MR_Artifacts",
        "MR_Spec",
        "MR_Timeout",
        "MR_MaxRows",
        "MR_MaxBytes",
        "MR_Cpu",
        "MR_Expires",
        "MR_Pause",
        "MR_Os",
        "MR_Include",
        "MR_Exclude",
    ],
    needs: CHANGE,
    mutates: true,
    columns: &["HuntId"],
};

/// Starts a hunt that exists; gives its state before.
pub const START: CatalogueQuery = CatalogueQuery {
    name: "hunt_start",
    text: "LET Before <= SELECT state AS State FROM hunts(hunt_id=MR_Hunt)
LET Done <= if(condition=Before, then=hunt_update(hunt_id=MR_Hunt, start=TRUE))
SELECT Before[0].State AS Before, Done AS Done FROM scope()",
    binds: &["MR_Hunt"],
    needs: CHANGE,
    mutates: true,
    columns: &["Before", "Done"],
};

/// Stops a hunt that exists; gives its state before.
pub const STOP: CatalogueQuery = CatalogueQuery {
    name: "hunt_stop",
    text: "LET Before <= SELECT state AS State FROM hunts(hunt_id=MR_Hunt)
LET Done <= if(condition=Before, then=hunt_update(hunt_id=MR_Hunt, stop=TRUE))
SELECT Before[0].State AS Before, Done AS Done FROM scope()",
    binds: &["MR_Hunt"],
    needs: CHANGE,
    mutates: true,
    columns: &["Before", "Done"],
};

/// Changes the description of a hunt that exists.
pub const DESCRIBE: CatalogueQuery = CatalogueQuery {
    name: "hunt_describe",
    text: "LET Before <= SELECT state AS State FROM hunts(hunt_id=MR_Hunt)
LET Done <= if(condition=Before,
               then=hunt_update(hunt_id=MR_Hunt, description=MR_Description))
SELECT Before[0].State AS Before, Done AS Done FROM scope()",
    binds: &["MR_Hunt", "MR_Description"],
    needs: CHANGE,
    mutates: true,
    columns: &["Before", "Done"],
};

/// Changes when a hunt that exists expires (seconds since 1970).
pub const EXPIRE: CatalogueQuery = CatalogueQuery {
    name: "hunt_expire",
    text: "LET Before <= SELECT state AS State FROM hunts(hunt_id=MR_Hunt)
LET Done <= if(condition=Before,
               then=hunt_update(hunt_id=MR_Hunt, expires=int(int=MR_Expires)))
SELECT Before[0].State AS Before, Done AS Done FROM scope()",
    binds: &["MR_Hunt", "MR_Expires"],
    needs: CHANGE,
    mutates: true,
    columns: &["Before", "Done"],
};

/// Tags a hunt that exists as archived.
pub const ARCHIVE: CatalogueQuery = CatalogueQuery {
    name: "hunt_archive",
    text: "LET Before <= SELECT state AS State FROM hunts(hunt_id=MR_Hunt)
LET Done <= if(condition=Before, then=hunt_update(hunt_id=MR_Hunt, add_labels='archived'))
SELECT Before[0].State AS Before, Done AS Done FROM scope()",
    binds: &["MR_Hunt"],
    needs: CHANGE,
    mutates: true,
    columns: &["Before", "Done"],
};

/// Adds clients to a hunt. It runs on them at once, whatever the hunt's state.
pub const ADD: CatalogueQuery = CatalogueQuery {
    name: "hunt_add",
    text: "LET Added <= SELECT hunt_add(client_id=_value, hunt_id=MR_Hunt) AS ClientId
FROM foreach(row=parse_json_array(data=MR_Clients))
SELECT ClientId FROM Added",
    binds: &["MR_Hunt", "MR_Clients"],
    needs: CHANGE,
    mutates: true,
    columns: &["ClientId"],
};

/// The flows of a hunt, as far as a judgement of each client needs them. How the queries of a flow
/// fared matters where it ended badly.
pub const FLOWS: CatalogueQuery = CatalogueQuery {
    name: "hunt_flows",
    text: concat!(
        "SELECT ClientId, FlowId, ",
        flow_state!("Flow."),
        " AS State, Flow.status AS Status,
       Flow.total_collected_rows AS Rows, Flow.artifacts_with_results AS Tables,
       len(list=Flow.query_stats) AS Queries, Flow.total_logs AS Logs,
       if(condition=Flow.state = 'ERROR', then=Flow.query_stats) AS Stats
FROM hunt_flows(hunt_id=MR_Hunt)"
    ),
    binds: &["MR_Hunt"],
    needs: READ,
    mutates: false,
    columns: &[
        "ClientId", "FlowId", "State", "Status", "Rows", "Tables", "Queries", "Logs", "Stats",
    ],
};

/// The clients that a hunt's condition means, those that it excludes too.
pub const SCOPE: CatalogueQuery = CatalogueQuery {
    name: "hunt_scope",
    text: "SELECT client_id AS ClientId, os_info.hostname AS Hostname, os_info.system AS Os,
       first_seen_at AS FirstSeen, last_seen_at AS LastSeen, now() AS Now,
       if(condition=MR_Exclude != '',
          then=len(list=filter(list=labels, regex=MR_Exclude)) > 0, else=FALSE) AS Excluded
FROM clients()
WHERE (MR_Os = '' OR os_info.system = MR_Os)
  AND (MR_Include = '' OR filter(list=labels, regex=MR_Include))",
    binds: &["MR_Os", "MR_Include", "MR_Exclude"],
    needs: READ,
    mutates: false,
    columns: &["ClientId", "Hostname", "Os", "FirstSeen", "LastSeen", "Now", "Excluded"],
};
