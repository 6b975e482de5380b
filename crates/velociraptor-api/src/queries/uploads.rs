//! Queries about the files that collections have uploaded.

use crate::catalogue::{CatalogueQuery, READ};

/// The columns of both queries.
const UPLOAD: &[&str] =
    &["Path", "ClientPath", "Accessor", "Type", "Size", "Stored", "Components", "At", "Total"];

/// The files of a flow, each once: the server may list a file twice.
pub const OF_FLOW: CatalogueQuery = CatalogueQuery {
    name: "flow_uploads",
    text: "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT vfs_path AS Path, client_path AS ClientPath,
       Upload.Accessor AS Accessor, get(field='Type') AS Type, file_size AS Size,
       uploaded_size AS Stored, Upload.Components AS Components, Timestamp AS At
FROM uploads(client_id=MR_Client, flow_id=MR_Flow)
GROUP BY Path
ORDER BY Path
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))",
    binds: &["MR_Client", "MR_Flow", "MR_From", "MR_To"],
    needs: READ,
    mutates: false,
    columns: UPLOAD,
};

/// The files of all flows of a hunt, each once.
pub const OF_HUNT: CatalogueQuery = CatalogueQuery {
    name: "hunt_uploads",
    text: "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT vfs_path AS Path, client_path AS ClientPath,
       Upload.Accessor AS Accessor, get(field='Type') AS Type, file_size AS Size,
       uploaded_size AS Stored, Upload.Components AS Components, Timestamp AS At
FROM uploads(hunt_id=MR_Hunt)
GROUP BY Path
ORDER BY Path
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))",
    binds: &["MR_Hunt", "MR_From", "MR_To"],
    needs: READ,
    mutates: false,
    columns: UPLOAD,
};
