//! The queries that this crate sends, grouped by what they are about.
//!
//! Names that are bound start with `MR_`, which no built-in artifact uses: several plugins read
//! variables of the scope when an argument is missing (`ClientId`, `FlowId`, `StartRow`, …).
//! Rows that are counted and cut are held in memory: beyond `VQL_MATERIALIZE_ROW_LIMIT` (1,000
//! unless said otherwise) the engine moves them to a file, and then takes the list for empty.
//! A call with a side effect is materialised with `LET … <=`, so that it happens exactly once.

use crate::catalogue::CatalogueQuery;
use crate::permission::Permission;

pub mod artifacts;
pub mod census;
pub mod clients;
pub mod collections;
pub mod flows;
pub mod hunts;
pub mod labels;
pub mod results;
pub mod server_info;
pub mod uploads;
pub mod users;
pub mod whole;

/// Every query of this crate.
pub const ALL: &[&CatalogueQuery] = &[
    &WHO_AM_I,
    &clients::SEARCH,
    &clients::BY_ID,
    &clients::BY_HOST,
    &clients::HOST_NAMES,
    &clients::DETAIL,
    &artifacts::SEARCH,
    &artifacts::DEFINITIONS,
    &artifacts::NAMES,
    &artifacts::INVENTORY,
    &collections::COLLECT,
    &collections::MATCHES,
    &flows::LIST,
    &flows::STATUS,
    &flows::LOG,
    &flows::TOLD,
    &flows::CANCEL,
    &hunts::LIST,
    &hunts::STATUS,
    &hunts::REACH,
    &hunts::CREATE,
    &hunts::START,
    &hunts::STOP,
    &hunts::DESCRIBE,
    &hunts::EXPIRE,
    &hunts::ARCHIVE,
    &hunts::ADD,
    &hunts::FLOWS,
    &hunts::SCOPE,
    &labels::SET,
    &labels::REMOVE,
    &labels::MONITORING,
    &server_info::ORGS,
    &server_info::HOST,
    &server_info::CLOCK,
    &server_info::HELP,
    &results::FLOW_PAGE,
    &results::FLOW_ROWS,
    &results::FLOW_SORTED,
    &results::FLOW_GROUPS,
    &results::FLOW_COUNT,
    &results::FLOW_PROBE,
    &results::HUNT_ROWS,
    &results::HUNT_SORTED,
    &results::HUNT_GROUPS,
    &results::HUNT_COUNT,
    &results::HUNT_PROBE,
    &results::FLOW_SPAN,
    &results::HUNT_SPAN,
    &results::QUERY_SPAN,
    &results::QUERY_ROWS,
    &results::QUERY_SORTED,
    &results::QUERY_GROUPS,
    &results::QUERY_COUNT,
    &results::QUERY_PROBE,
    &whole::CLIENTS,
    &whole::CLIENT,
    &whole::FLOWS,
    &whole::FLOW,
    &whole::HUNTS,
    &whole::ARTIFACTS,
    &whole::ARTIFACT,
    &census::CLIENTS,
    &census::LABELS,
    &census::FLOWS,
    &census::HUNTS,
    &census::ARTIFACTS,
    &census::CUSTOM,
    &uploads::OF_FLOW,
    &uploads::OF_HUNT,
    &users::CREATE,
    &users::BY_NAME,
];

/// The user behind the identity, and what it may do in the org.
pub const WHO_AM_I: CatalogueQuery = CatalogueQuery {
    name: "who_am_i",
    text: "LET Me <= user(user=whoami())
SELECT whoami() AS User, Me.effective_policy AS Policy, config.Version.version AS Version,
       org().name AS OrgName
FROM scope()",
    binds: &[],
    needs: &[Permission::AnyQuery],
    mutates: false,
    columns: &["User", "Policy", "Version", "OrgName"],
};
