//! Queries on the rows that flows and hunts have collected.
//!
//! `$filter` is a condition, `$columns` what is selected, `$order` a whole clause or nothing,
//! `$column` one column, `$limit` a number: see [`vql_builder::Piece`]. `MR_Row` is the number of
//! a row in its table, from 0; looking at it first makes the engine count every row.

use crate::catalogue::{CatalogueQuery, READ};

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

/// Rows of a hunt that a filter keeps, in the order of its flows, from a row on.
pub const HUNT_ROWS: CatalogueQuery = CatalogueQuery {
    name: "hunt_rows",
    text: concat!(
        "LET First <= int(int=MR_From)
LET Numbered = SELECT *, count() - 1 AS MR_Row FROM ",
        hunt_source!(),
        "
SELECT $columns FROM Numbered WHERE MR_Row >= First AND ($filter) LIMIT $limit"
    ),
    binds: &["MR_Hunt", "MR_Table", "MR_From"],
    needs: READ,
    mutates: false,
    columns: &[],
};

/// The same query on flows and on hunts.
macro_rules! pair {
    ($flow:ident, $flow_name:literal, $hunt:ident, $hunt_name:literal, $doc:literal,
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
    };
}

pair!(
    FLOW_SORTED,
    "flow_sorted",
    HUNT_SORTED,
    "hunt_sorted",
    "Rows that a filter keeps, sorted by one column, with their numbers.",
    ["MR_Begin"],
    &[],
    "LET Begin <= int(int=MR_Begin)
LET Sorted = SELECT *, count() - 1 AS MR_Row FROM ",
    "
WHERE MR_Row >= 0 AND ($filter) $order
LET Placed = SELECT *, count() AS MR_Place FROM Sorted
SELECT $columns FROM Placed WHERE MR_Place > Begin LIMIT $limit"
);

pair!(
    FLOW_GROUPS,
    "flow_groups",
    HUNT_GROUPS,
    "hunt_groups",
    "How often each value of one column occurs among the rows that a filter keeps.",
    ["MR_Begin", "MR_End"],
    &["MR_Value", "MR_Count", "MR_Total"],
    "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT $column AS MR_Value, count() AS MR_Count FROM ",
    "
WHERE $filter
GROUP BY MR_Value
ORDER BY MR_Count DESC
SELECT MR_Value, MR_Count, len(list=Found) AS MR_Total FROM foreach(
  row=slice(list=Found, start=int(int=MR_Begin), end=int(int=MR_End)))"
);

pair!(
    FLOW_COUNT,
    "flow_count",
    HUNT_COUNT,
    "hunt_count",
    "How many rows a filter keeps; no row where it keeps none.",
    [],
    &["MR_Count"],
    "SELECT count() AS MR_Count FROM ",
    "
WHERE $filter
GROUP BY 1"
);

pair!(
    FLOW_PROBE,
    "flow_probe",
    HUNT_PROBE,
    "hunt_probe",
    "What a filter makes of the first row. Unlike in WHERE, a name that is not there is told.",
    [],
    &["MR_Kept"],
    "SELECT if(condition=$filter, then=TRUE, else=FALSE) AS MR_Kept FROM ",
    "
LIMIT 1"
);
