//! Queries about clients.

use crate::catalogue::{CatalogueQuery, READ};

/// The columns that [`crate::clients::Client`] is read from.
macro_rules! client_columns {
    () => {
        "client_id AS ClientId, os_info.hostname AS Hostname, os_info.fqdn AS Fqdn,
       os_info.system AS Os, os_info.release AS Release, labels AS Labels, last_ip AS LastIp,
       last_seen_at AS LastSeen, first_seen_at AS FirstSeen,
       agent_information.version AS AgentVersion, now() AS Now"
    };
}

pub(super) use client_columns;

/// The clients that a search finds, with the filters that the search has no verb for. `Online` is in
/// seconds, 0 for all.
macro_rules! client_filter {
    () => {
        "
FROM clients(search=MR_Search)
WHERE (MR_Os = '' OR os_info.system = MR_Os)
  AND (MR_Labels = ''
       OR len(list=filter(list=labels, regex=MR_Labels)) >= int(int=MR_LabelCount))
  AND (Online = 0 OR last_seen_at > (now() - Online) * 1000000)"
    };
}

/// What puts clients into a total order.
macro_rules! client_order {
    () => {
        "if(condition=MR_Order = 'name', then=lowcase(string=os_info.hostname),
          else=if(condition=MR_Order = 'last_seen',
                  then=str(str=9000000000000000 - last_seen_at), else='')) + ' ' + client_id"
    };
}

pub(super) use {client_filter, client_order};

/// One page of the clients that a search finds, with the filters that the search has no verb for,
/// in a total order, so that pages neither lose nor repeat a client while none enrols.
///
/// `MR_Os` and `MR_Labels` may be empty. `MR_Labels` is a regular expression that matches a
/// wanted label as a whole; a client must carry `MR_LabelCount` of them.
pub const SEARCH: CatalogueQuery = CatalogueQuery {
    name: "clients_search",
    text: concat!(
        "LET Online <= int(int=MR_Online)
LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT ",
        client_columns!(),
        ",
       ",
        client_order!(),
        "
         AS SortKey",
        client_filter!(),
        "
ORDER BY SortKey
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: &[
        "MR_Search",
        "MR_Os",
        "MR_Labels",
        "MR_LabelCount",
        "MR_Online",
        "MR_Order",
        "MR_From",
        "MR_To",
    ],
    needs: READ,
    mutates: false,
    columns: &[
        "ClientId",
        "Hostname",
        "Fqdn",
        "Os",
        "Release",
        "Labels",
        "LastIp",
        "LastSeen",
        "FirstSeen",
        "AgentVersion",
        "Now",
        "SortKey",
        "Total",
    ],
};

/// The columns of [`BY_ID`] and [`BY_HOST`].
pub(super) const CLIENT: &[&str] = &[
    "ClientId",
    "Hostname",
    "Fqdn",
    "Os",
    "Release",
    "Labels",
    "LastIp",
    "LastSeen",
    "FirstSeen",
    "AgentVersion",
    "Now",
];

/// The clients with these ids; unknown ones give no row.
pub const BY_ID: CatalogueQuery = CatalogueQuery {
    name: "clients_by_id",
    text: concat!(
        "SELECT * FROM foreach(row=parse_json_array(data=MR_Clients), query={
  SELECT ",
        client_columns!(),
        " FROM clients(client_id=_value)
})"
    ),
    binds: &["MR_Clients"],
    needs: READ,
    mutates: false,
    columns: CLIENT,
};

/// The clients whose host name or full name is exactly this one, in any case. `MR_Search` narrows
/// the search by the index, which knows host names but not full names.
pub const BY_HOST: CatalogueQuery = CatalogueQuery {
    name: "clients_by_host",
    text: concat!(
        "LET Wanted <= lowcase(string=MR_Host)
SELECT ",
        client_columns!(),
        "
FROM clients(search=MR_Search)
WHERE lowcase(string=os_info.hostname) = Wanted OR lowcase(string=os_info.fqdn) = Wanted"
    ),
    binds: &["MR_Search", "MR_Host"],
    needs: READ,
    mutates: false,
    columns: CLIENT,
};

/// The host names of all clients, for suggestions.
pub const HOST_NAMES: CatalogueQuery = CatalogueQuery {
    name: "clients_host_names",
    text: "SELECT os_info.hostname AS Hostname FROM clients() GROUP BY Hostname",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["Hostname"],
};

/// All that the server records of one client.
pub const DETAIL: CatalogueQuery = CatalogueQuery {
    name: "client_detail",
    text: concat!(
        "SELECT ",
        client_columns!(),
        ",
       os_info.machine AS Machine, os_info.mac_addresses AS MacAddresses,
       agent_information.name AS AgentName, agent_information.build_time AS AgentBuilt,
       last_interrogate_flow_id AS InterrogateFlow, in_flight_flows AS InFlight,
       client_metadata(client_id=client_id) AS Metadata
FROM clients(client_id=MR_Client)"
    ),
    binds: &["MR_Client"],
    needs: READ,
    mutates: false,
    columns: &[
        "ClientId",
        "Hostname",
        "Fqdn",
        "Os",
        "Release",
        "Labels",
        "LastIp",
        "LastSeen",
        "FirstSeen",
        "AgentVersion",
        "Now",
        "Machine",
        "MacAddresses",
        "AgentName",
        "AgentBuilt",
        "InterrogateFlow",
        "InFlight",
        "Metadata",
    ],
};
