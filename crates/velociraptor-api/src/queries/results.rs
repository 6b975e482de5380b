//! Queries on the rows that flows and hunts have collected.
//!
//! `$filter` is a condition, `$columns` what is selected, `$order` a whole clause or nothing,
//! `$column` is one column, `$key` a list of them, `$limit` and `$most` are numbers: see [`vql_builder::Piece`]. `MR_Row`
//! is the number of a row in its table, from 0; looking at it first makes the engine count every row.
//!
//! GROUP BY puts values together that read the same: 1 and "1", NULL and "Null", and of several
//! columns ("a b", "c") and ("a", "b c"). Whoever writes the rows could hide one value behind
//! another, so rows are grouped by their values as JSON.

use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// What running a query again needs by itself.
const ANY: &[Permission] = &[Permission::AnyQuery];

/// The rows of one table of one flow, from row `MR_From` on.
macro_rules! flow_source {
    () => {
        "source(client_id=MR_Client, flow_id=MR_Flow, artifact=MR_Table,
            start_row=int(int=MR_From))"
    };
}

/// The rows of one table of one hunt. The server cannot be told where to begin.
macro_rules! hunt_source {
    () => {
        "source(hunt_id=MR_Hunt, artifact=MR_Table)"
    };
}

/// The rows of a query that runs again: `MR_Rows` is its last SELECT, in a text before this one.
macro_rules! query_source {
    () => {
        "MR_Rows"
    };
}

/// The first rows of a source.
macro_rules! some {
    ($source:expr) => {
        concat!(
            "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET MR_Some = SELECT * FROM ",
            $source,
            " LIMIT $most"
        )
    };
}

/// The groups of those that a filter keeps.
macro_rules! counted {
    () => {
        "
LET MR_Counted = SELECT $columns, serialize(item=$key) AS MR_Key, count() AS MR_Count
  FROM MR_Some WHERE $filter GROUP BY MR_Key"
    };
}

/// One page of groups, the rarest or the commonest first; where several are as common as each
/// other, in the order of their values as JSON. Of the rarest it is told how many are. Numbers of 16
/// digits stand in the same order as texts.
macro_rules! groups_page {
    ($hosts:literal) => {
        concat!(
            "
LET MR_Found <= SELECT *, str(str=if(condition=MR_Rarest = 'Y', then=1000000000000000 + MR_Count,
    else=9000000000000000 - MR_Count)) + ' ' + MR_Key AS MR_Place
  FROM MR_Counted ORDER BY MR_Place
LET MR_Least <= SELECT min(item=MR_Count) AS MR_Count FROM MR_Found GROUP BY 1
LET MR_Ties <= SELECT count() AS MR_Number FROM MR_Found
  WHERE MR_Count = MR_Least[0].MR_Count GROUP BY 1
SELECT $columns, MR_Count, ",
            $hosts,
            "len(list=MR_Found) AS MR_Total, MR_Least[0].MR_Count AS MR_Lowest,
       MR_Ties[0].MR_Number AS MR_Tied
FROM foreach(row=slice(list=MR_Found, start=int(int=MR_Begin), end=int(int=MR_End)))"
        )
    };
}

/// The rows of one table of a flow, from a row on. Their numbers follow from their order.
pub const FLOW_PAGE: CatalogueQuery = CatalogueQuery {
    name: "flow_page",
    text: concat!("SELECT $columns FROM ", flow_source!(), " LIMIT $limit"),
    binds: &["MR_Client", "MR_Flow", "MR_Table", "MR_From"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// Rows of a flow that a filter keeps, in the order of the table, from a row on.
pub const FLOW_ROWS: CatalogueQuery = CatalogueQuery {
    name: "flow_rows",
    text: concat!(
        "LET First <= int(int=MR_From)
LET Numbered = SELECT *, First + count() - 1 AS MR_Row FROM ",
        flow_source!(),
        "
SELECT $columns FROM Numbered WHERE MR_Row >= First AND ($filter) LIMIT $limit"
    ),
    binds: &["MR_Client", "MR_Flow", "MR_Table", "MR_From"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// Rows of a source that cannot be told where to begin.
macro_rules! from_start {
    ($source:expr) => {
        concat!(
            "LET MR_At <= int(int=MR_From)
LET MR_Numbered = SELECT *, count() - 1 AS MR_Row FROM ",
            $source,
            "
SELECT $columns FROM MR_Numbered WHERE MR_Row >= MR_At AND ($filter) LIMIT $limit"
        )
    };
}

/// Rows of a hunt that a filter keeps, in the order of its flows, from a row on.
pub const HUNT_ROWS: CatalogueQuery = CatalogueQuery {
    name: "hunt_rows",
    text: from_start!(hunt_source!()),
    binds: &["MR_Hunt", "MR_Table", "MR_From"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// Rows of a query that a filter keeps, from a row on.
pub const QUERY_ROWS: CatalogueQuery = CatalogueQuery {
    name: "query_rows",
    text: from_start!(query_source!()),
    binds: &["MR_From"],
    needs: ANY,
    mutates: false,
    columns: &[],
};

/// The same query on flows, on hunts and on queries.
macro_rules! each {
    ($flow:ident, $flow_name:literal, $hunt:ident, $hunt_name:literal,
     $query:ident, $query_name:literal, $doc:literal,
     [$($bind:literal),*], $columns:expr, $before:literal, $after:literal) => {
        #[doc = $doc]
        pub const $flow: CatalogueQuery = CatalogueQuery {
            name: $flow_name,
            text: concat!($before, flow_source!(), $after),
            binds: &["MR_Client", "MR_Flow", "MR_Table", "MR_From" $(, $bind)*],
            needs: READ,
            mutates: false,
            columns: $columns,
        };
        #[doc = $doc]
        pub const $hunt: CatalogueQuery = CatalogueQuery {
            name: $hunt_name,
            text: concat!($before, hunt_source!(), $after),
            binds: &["MR_Hunt", "MR_Table" $(, $bind)*],
            needs: READ,
            mutates: false,
            columns: $columns,
        };
        #[doc = $doc]
        pub const $query: CatalogueQuery = CatalogueQuery {
            name: $query_name,
            text: concat!($before, query_source!(), $after),
            binds: &[$($bind),*],
            needs: ANY,
            mutates: false,
            columns: $columns,
        };
    };
}

each!(
    FLOW_SORTED,
    "flow_sorted",
    HUNT_SORTED,
    "hunt_sorted",
    QUERY_SORTED,
    "query_sorted",
    "Rows that a filter keeps, sorted by one column, with their numbers.",
    ["MR_Begin"],
    &[],
    "LET MR_At <= int(int=MR_Begin)
LET MR_Sorted = SELECT *, count() - 1 AS MR_Row FROM ",
    "
WHERE MR_Row >= 0 AND ($filter) $order
LET MR_Placed = SELECT *, count() AS MR_Place FROM MR_Sorted
SELECT $columns FROM MR_Placed WHERE MR_Place > MR_At LIMIT $limit"
);

/// How often each combination of values occurs among those of the first `$most` rows that a filter
/// keeps.
pub const FLOW_GROUPS: CatalogueQuery = CatalogueQuery {
    name: "flow_groups",
    text: concat!(some!(flow_source!()), counted!(), groups_page!("")),
    binds: &["MR_Client", "MR_Flow", "MR_Table", "MR_From", "MR_Rarest", "MR_Begin", "MR_End"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// The same of a query.
pub const QUERY_GROUPS: CatalogueQuery = CatalogueQuery {
    name: "query_groups",
    text: concat!(some!(query_source!()), counted!(), groups_page!("")),
    binds: &["MR_Rarest", "MR_Begin", "MR_End"],
    needs: ANY,
    mutates: false,
    columns: &[],
};

/// The same of a hunt, with the number of clients that have the values.
pub const HUNT_GROUPS: CatalogueQuery = CatalogueQuery {
    name: "hunt_groups",
    text: concat!(
        some!(hunt_source!()),
        "
LET MR_Each = SELECT $columns, ClientId AS MR_Host, serialize(item=$key) AS MR_Key,
    count() AS MR_Part
  FROM MR_Some WHERE $filter GROUP BY MR_Key, MR_Host
LET MR_Counted = SELECT $columns, MR_Key, sum(item=MR_Part) AS MR_Count, count() AS MR_Hosts
  FROM MR_Each GROUP BY MR_Key",
        groups_page!("MR_Hosts, ")
    ),
    binds: &["MR_Hunt", "MR_Table", "MR_Rarest", "MR_Begin", "MR_End"],
    needs: READ,
    mutates: false,
    columns: &[],
};

each!(
    FLOW_COUNT,
    "flow_count",
    HUNT_COUNT,
    "hunt_count",
    QUERY_COUNT,
    "query_count",
    "How many rows a filter keeps; no row where it keeps none.",
    [],
    &["MR_Count"],
    "SELECT count() AS MR_Count FROM ",
    "
WHERE $filter
GROUP BY 1"
);

each!(
    FLOW_PROBE,
    "flow_probe",
    HUNT_PROBE,
    "hunt_probe",
    QUERY_PROBE,
    "query_probe",
    "What a filter makes of the first row. Unlike in WHERE, a name that is not there is told.",
    [],
    &["MR_Kept"],
    "SELECT if(condition=$filter, then=TRUE, else=FALSE) AS MR_Kept FROM ",
    "
LIMIT 1"
);

each!(
    FLOW_SPAN,
    "flow_span",
    HUNT_SPAN,
    "hunt_span",
    QUERY_SPAN,
    "query_span",
    "The first and the last time in one column of the first `$most` rows, of those that a filter
keeps, in seconds since 1970; no row where there is none.",
    [],
    &["MR_First", "MR_Last", "MR_Count"],
    "LET MR_Some = SELECT * FROM ",
    " LIMIT $most
LET MR_Times = SELECT timestamp(epoch=$column).Unix AS MR_Time FROM MR_Some WHERE $filter
SELECT min(item=MR_Time) AS MR_First, max(item=MR_Time) AS MR_Last, count() AS MR_Count
FROM MR_Times
WHERE MR_Time > 0
GROUP BY 1"
);

/// One query, on a flow, on a hunt and on a query.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) flow: &'static CatalogueQuery,
    pub(crate) hunt: &'static CatalogueQuery,
    pub(crate) query: &'static CatalogueQuery,
}

pub(crate) const ROWS: Each = Each { flow: &FLOW_ROWS, hunt: &HUNT_ROWS, query: &QUERY_ROWS };
pub(crate) const PAGE: Each = Each { flow: &FLOW_PAGE, ..ROWS };
pub(crate) const SORTED: Each =
    Each { flow: &FLOW_SORTED, hunt: &HUNT_SORTED, query: &QUERY_SORTED };
pub(crate) const GROUPS: Each =
    Each { flow: &FLOW_GROUPS, hunt: &HUNT_GROUPS, query: &QUERY_GROUPS };
pub(crate) const COUNT: Each = Each { flow: &FLOW_COUNT, hunt: &HUNT_COUNT, query: &QUERY_COUNT };
pub(crate) const SPAN: Each = Each { flow: &FLOW_SPAN, hunt: &HUNT_SPAN, query: &QUERY_SPAN };
pub(crate) const PROBE: Each = Each { flow: &FLOW_PROBE, hunt: &HUNT_PROBE, query: &QUERY_PROBE };
