//! Queries that start collections.

use crate::catalogue::{CatalogueQuery, READ};

/// Starts a collection. The flow id is NULL where the server refused, and its log says why. Zero
/// leaves a limit to the server's default.
pub const COLLECT: CatalogueQuery = CatalogueQuery {
    name: "collect",
    text: "LET Result <= collect_client(client_id=MR_Client,
    artifacts=parse_json_array(data=MR_Artifacts), spec=parse_json(data=MR_Spec),
    timeout=int(int=MR_Timeout), max_rows=int(int=MR_MaxRows), max_bytes=int(int=MR_MaxBytes),
    cpu_limit=int(int=MR_Cpu), urgent=MR_Urgent = 'Y')
SELECT Result.flow_id AS FlowId, Result.request AS Request FROM scope()",
    binds: &[
        "MR_Client",
        "MR_Artifacts",
        "MR_Spec",
        "MR_Timeout",
        "MR_MaxRows",
        "MR_MaxBytes",
        "MR_Cpu",
        "MR_Urgent",
    ],
    // The client decides between COLLECT_CLIENT and COLLECT_SERVER, the artifacts add their own.
    needs: READ,
    mutates: true,
    columns: &["FlowId", "Request"],
};

/// Whether a text matches a pattern, by the server's own engine. A pattern that does not compile
/// is a failure.
pub const MATCHES: CatalogueQuery = CatalogueQuery {
    name: "pattern_matches",
    text: "SELECT MR_Text =~ MR_Pattern AS Matches FROM scope()",
    binds: &["MR_Text", "MR_Pattern"],
    needs: READ,
    mutates: false,
    columns: &["Matches"],
};
