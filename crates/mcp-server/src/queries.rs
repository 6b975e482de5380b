//! The queries that this crate itself sends; all others are the facade's.

use velociraptor_api::CatalogueQuery;
use velociraptor_api::catalogue::READ;

/// Every query of this crate.
pub const ALL: &[&CatalogueQuery] = &[&FLEET, &CLOCK, &ORGS];

/// How many clients there are, and how many of them are online.
pub const FLEET: CatalogueQuery = CatalogueQuery {
    name: "doctor_fleet",
    text: "LET Since <= (now() - 900) * 1000000
SELECT count() AS Total, sum(item=if(condition=last_seen_at > Since, then=1, else=0)) AS Online
FROM clients()
GROUP BY 1",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["Total", "Online"],
};

/// The server's clock, in whole seconds.
pub const CLOCK: CatalogueQuery = CatalogueQuery {
    name: "doctor_clock",
    text: "SELECT now() AS Now FROM scope()",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["Now"],
};

/// The orgs that the identity can see.
pub const ORGS: CatalogueQuery = CatalogueQuery {
    name: "doctor_orgs",
    text: "SELECT OrgId, Name FROM orgs()",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["OrgId", "Name"],
};
