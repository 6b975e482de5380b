//! Where rows are: a table of a flow, one of a hunt, or a query that runs again.

use serde_json::{Map, Value};
use vql_builder::{Query, RawVql};

use crate::catalogue::CatalogueQuery;
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId, HuntId};
use crate::queries::results::Each;

/// Where rows are.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A table that a flow has filled.
    Flow {
        /// The client.
        client: &'a ClientId,
        /// Its flow.
        flow: &'a FlowId,
        /// The table.
        table: &'a str,
    },
    /// A table that a hunt has filled.
    Hunt {
        /// The hunt.
        hunt: &'a HuntId,
        /// The table.
        table: &'a str,
    },
    /// What a query gives when it is run again.
    Query(&'a Again),
}

/// A query that is run again, around whose rows others are put.
#[derive(Clone, Debug)]
pub struct Again {
    /// Statements that end with `LET MR_Rows = SELECT …`.
    pub text: RawVql,
    /// Values by name, as the query was given them.
    pub env: Map<String, Value>,
}

impl Place<'_> {
    /// The query of this place, with the values that say which it is.
    pub(super) fn query(
        &self,
        each: &Each,
        from: u64,
    ) -> Result<(&'static CatalogueQuery, Query), Fault> {
        Ok(match self {
            Self::Flow { client, flow, table } => {
                let query = each.flow.query().bind("MR_Client", client.as_str());
                let query = query.bind("MR_Flow", flow.as_str()).bind("MR_Table", *table);
                (each.flow, query.bind("MR_From", from.to_string()))
            }
            Self::Hunt { hunt, table } => {
                let query = each.hunt.query().bind("MR_Hunt", hunt.as_str());
                let query = query.bind("MR_Table", *table);
                (each.hunt, query.bind("MR_From", from.to_string()))
            }
            Self::Query(again) => {
                let mut query = each.query.query().after(&again.text);
                for (name, value) in &again.env {
                    query = query
                        .bind_value(name, value)
                        .map_err(|error| Fault::bad_input(format!("env: {error}")))?;
                }
                (each.query, query.bind("MR_From", from.to_string()))
            }
        })
    }
}
