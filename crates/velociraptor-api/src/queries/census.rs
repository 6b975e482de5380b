//! Queries that count what a list would show, without its rows.
//!
//! Agents choose some of the words: those are told apart by their values as JSON, as in
//! [`super::results`].

use super::artifacts::artifact_filter;
use super::clients::client_filter;
use super::flows::flow_state;
use super::hunts::{hunt_filter, hunt_state};
use crate::catalogue::{CatalogueQuery, READ};

/// How many clients there are of each system, agent and time since the last contact.
pub const CLIENTS: CatalogueQuery = CatalogueQuery {
    name: "census_clients",
    text: concat!(
        "LET Online <= int(int=MR_Online)
LET Window <= int(int=MR_Window)
LET Each = SELECT os_info.system AS Os, agent_information.version AS Version,
       if(condition=last_seen_at = 0, then='never',
          else=if(condition=last_seen_at > (now() - Window) * 1000000, then='online',
          else=if(condition=last_seen_at > (now() - 86400) * 1000000, then='day',
          else=if(condition=last_seen_at > (now() - 604800) * 1000000, then='week',
                  else='older')))) AS Seen",
        client_filter!(),
        "
SELECT Os, Version, Seen, serialize(item=(Os, Version, Seen)) AS Key, count() AS Count
FROM Each
GROUP BY Key"
    ),
    binds: &["MR_Search", "MR_Os", "MR_Labels", "MR_LabelCount", "MR_Online", "MR_Window"],
    needs: READ,
    mutates: false,
    columns: &["Os", "Version", "Seen", "Key", "Count"],
};

/// How many of the clients carry each label.
pub const LABELS: CatalogueQuery = CatalogueQuery {
    name: "census_labels",
    text: concat!(
        "LET Online <= int(int=MR_Online)
LET Each = SELECT labels AS Labels",
        client_filter!(),
        "
SELECT Label, count() AS Count
FROM foreach(row=Each, query={ SELECT _value AS Label FROM foreach(row=Labels) })
GROUP BY Label"
    ),
    binds: &["MR_Search", "MR_Os", "MR_Labels", "MR_LabelCount", "MR_Online"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// How many flows of a client there are of each state and of each list of artifacts.
pub const FLOWS: CatalogueQuery = CatalogueQuery {
    name: "census_flows",
    text: concat!(
        "LET Each = SELECT ",
        flow_state!(""),
        " AS State, request.artifacts AS Artifacts,
       if(condition=total_collected_rows, then=total_collected_rows, else=0) AS EachRows,
       if(condition=total_uploaded_bytes, then=total_uploaded_bytes, else=0) AS EachBytes,
       create_time AS Created
FROM flows(client_id=MR_Client, summary=TRUE)
WHERE MR_States = '' OR State =~ MR_States
SELECT State, Artifacts, serialize(item=(State, Artifacts)) AS Key, count() AS Count,
       sum(item=EachRows) AS Rows, sum(item=EachBytes) AS Bytes,
       min(item=Created) AS First, max(item=Created) AS Last
FROM Each
GROUP BY Key"
    ),
    binds: &["MR_Client", "MR_States"],
    needs: READ,
    mutates: false,
    columns: &["State", "Artifacts", "Key", "Count", "Rows", "Bytes", "First", "Last"],
};

/// How many hunts there are of each state, expired or not, and the server's own figures of them.
pub const HUNTS: CatalogueQuery = CatalogueQuery {
    name: "census_hunts",
    text: concat!(
        "LET Each = SELECT ",
        hunt_state!(),
        " AS State,
       if(condition=expires > 0, then=expires < now() * 1000000, else=FALSE) AS Expired,
       if(condition=stats.total_clients_scheduled, then=stats.total_clients_scheduled,
          else=0) AS EachScheduled,
       if(condition=stats.total_finished_clients, then=stats.total_finished_clients,
          else=0) AS EachFinished,
       if(condition=stats.total_clients_with_errors, then=stats.total_clients_with_errors,
          else=0) AS EachErrors",
        hunt_filter!("State"),
        "
SELECT State, Expired, State + if(condition=Expired, then=' over', else='') AS Key,
       count() AS Count, sum(item=EachScheduled) AS Scheduled,
       sum(item=EachFinished) AS Finished, sum(item=EachErrors) AS WithErrors
FROM Each
GROUP BY Key"
    ),
    binds: &["MR_States", "MR_Search"],
    needs: READ,
    mutates: false,
    columns: &["State", "Expired", "Key", "Count", "Scheduled", "Finished", "WithErrors"],
};

/// How many artifacts there are of each type, those that came with the server and others.
pub const ARTIFACTS: CatalogueQuery = CatalogueQuery {
    name: "census_artifacts",
    text: concat!(
        "LET Each = SELECT type AS Type, built_in AS BuiltIn",
        artifact_filter!(),
        "
SELECT Type, BuiltIn, Type + if(condition=BuiltIn, then='', else=' custom') AS Key,
       count() AS Count
FROM Each
GROUP BY Key"
    ),
    binds: &["MR_Search", "MR_Types", "MR_Os", "MR_AnyOs", "MR_OtherOs"],
    needs: READ,
    mutates: false,
    columns: &["Type", "BuiltIn", "Key", "Count"],
};

/// The names of those that did not come with the server.
pub const CUSTOM: CatalogueQuery = CatalogueQuery {
    name: "census_custom",
    text: concat!(
        "LET Each = SELECT name AS Name, built_in AS BuiltIn",
        artifact_filter!(),
        "
SELECT Name FROM Each WHERE NOT BuiltIn LIMIT 1000"
    ),
    binds: ARTIFACTS.binds,
    needs: READ,
    mutates: false,
    columns: &[],
};
