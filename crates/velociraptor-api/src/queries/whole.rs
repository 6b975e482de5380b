//! Queries for what the server keeps, with every member: pages of a list, or one.
//!
//! What stands in a row besides begins with `MR_` and is taken out again. A page is that of the list
//! with the same arguments, so that a cursor goes on in either.

use super::artifacts::artifact_filter;
use super::clients::{client_filter, client_order};
use super::flows::flow_state;
use super::hunts::{hunt_filter, hunt_state};
use super::{artifacts, clients, flows, hunts};
use crate::catalogue::{CatalogueQuery, READ};

/// A page of clients.
pub const CLIENTS: CatalogueQuery = CatalogueQuery {
    name: "whole_clients",
    text: concat!(
        "LET Online <= int(int=MR_Online)
LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT *, ",
        client_order!(),
        " AS MR_Key",
        client_filter!(),
        "
ORDER BY MR_Key
SELECT *, len(list=Found) AS MR_Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: clients::SEARCH.binds,
    needs: READ,
    mutates: false,
    columns: &[],
};

/// One client, and what people attached to it.
pub const CLIENT: CatalogueQuery = CatalogueQuery {
    name: "whole_client",
    text: "SELECT *, client_metadata(client_id=client_id) AS metadata
FROM clients(client_id=MR_Client)",
    binds: &["MR_Client"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// A page of the flows of a client.
pub const FLOWS: CatalogueQuery = CatalogueQuery {
    name: "whole_flows",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT session_id AS MR_Id, ",
        flow_state!(""),
        " AS MR_State,
       str(str=9000000000000000 - create_time) + ' ' + session_id AS MR_Key
FROM flows(client_id=MR_Client, summary=TRUE)
WHERE MR_States = '' OR MR_State =~ MR_States
ORDER BY MR_Key
SELECT *, len(list=Found) AS MR_Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)),
             query={ SELECT * FROM flows(client_id=MR_Client, flow_id=MR_Id) })"
    ),
    binds: flows::LIST.binds,
    needs: READ,
    mutates: false,
    columns: &[],
};

/// One flow.
pub const FLOW: CatalogueQuery = CatalogueQuery {
    name: "whole_flow",
    text: "SELECT * FROM flows(client_id=MR_Client, flow_id=MR_Flow)",
    binds: &["MR_Client", "MR_Flow"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// A page of hunts.
pub const HUNTS: CatalogueQuery = CatalogueQuery {
    name: "whole_hunts",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT *, ",
        hunt_state!(),
        " AS MR_State,
       str(str=9000000000000000 - create_time) + ' ' + hunt_id AS MR_Key",
        hunt_filter!("MR_State"),
        "
ORDER BY MR_Key
SELECT *, len(list=Found) AS MR_Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: hunts::LIST.binds,
    needs: READ,
    mutates: false,
    columns: &[],
};

/// A page of definitions.
pub const ARTIFACTS: CatalogueQuery = CatalogueQuery {
    name: "whole_artifacts",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT name AS MR_Name",
        artifact_filter!(),
        "
ORDER BY MR_Name
SELECT *, len(list=Found) AS MR_Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)),
             query={ SELECT * FROM artifact_definitions(names=MR_Name) })"
    ),
    binds: artifacts::SEARCH.binds,
    needs: READ,
    mutates: false,
    columns: &[],
};

/// One definition.
pub const ARTIFACT: CatalogueQuery = CatalogueQuery {
    name: "whole_artifact",
    text: "SELECT * FROM artifact_definitions(names=parse_json_array(data=MR_Artifacts))",
    binds: &["MR_Artifacts"],
    needs: READ,
    mutates: false,
    columns: &[],
};
