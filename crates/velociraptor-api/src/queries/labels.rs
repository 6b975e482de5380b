//! Queries about labels.

use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// Sets labels on clients. The server takes ids that do not exist and makes ghosts of them, so
/// existence is proved before.
pub const SET: CatalogueQuery = CatalogueQuery {
    name: "labels_set",
    text: "LET Done <= SELECT label(client_id=_value, labels=parse_json_array(data=MR_Labels),
                        op='set') AS Done
FROM foreach(row=parse_json_array(data=MR_Clients))
SELECT len(list=Done) AS Done FROM scope()",
    binds: &["MR_Clients", "MR_Labels"],
    needs: &[Permission::AnyQuery, Permission::ReadResults, Permission::LabelClient],
    mutates: true,
    columns: &["Done"],
};

/// Removes labels from clients. Existence is proved before.
pub const REMOVE: CatalogueQuery = CatalogueQuery {
    name: "labels_remove",
    text: "LET Done <= SELECT label(client_id=_value, labels=parse_json_array(data=MR_Labels),
                        op='remove') AS Done
FROM foreach(row=parse_json_array(data=MR_Clients))
SELECT len(list=Done) AS Done FROM scope()",
    binds: &["MR_Clients", "MR_Labels"],
    needs: &[Permission::AnyQuery, Permission::ReadResults, Permission::LabelClient],
    mutates: true,
    columns: &["Done"],
};

/// What the monitoring table makes clients with a label watch for.
pub const MONITORING: CatalogueQuery = CatalogueQuery {
    name: "labels_monitoring",
    text: "SELECT _value.label AS Label, _value.artifacts.artifacts AS Artifacts
FROM foreach(row=get_client_monitoring().label_events)",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["Label", "Artifacts"],
};
