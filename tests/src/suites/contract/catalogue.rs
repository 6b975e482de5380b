//! What each query of the catalogue needs to be run: values for its names, pieces for its slots,
//! and something on the server to ask about.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;
use velociraptor_api::clients::{self, ClientSearch};
use velociraptor_api::collections::{self, Collection, Target};
use velociraptor_api::hunts::{self, HuntPlan, HuntScope};
use velociraptor_api::{CatalogueQuery, ClientId, FlowId, HuntId, Os, Session, flows};
use vql_builder::{Direction, Identifier, Piece, PureExpr, Query, RawVql};

/// An artifact that every server has, with several tables on every system.
const ARTIFACT: &str = "Generic.Client.Info";
const TABLE: &str = "Generic.Client.Info/BasicInformation";

/// An artifact that uploads what it finds.
const FINDER: &str = "Linux.Search.FileFinder";

/// Things on a server that queries ask about.
pub(super) struct World {
    client: clients::Client,
    flow: FlowId,
    hunt: HuntId,
}

impl World {
    pub(super) async fn prepare(session: &Session<'_>) -> anyhow::Result<Self> {
        let wanted =
            ClientSearch { os: Some(Os::Linux), online_only: true, ..ClientSearch::default() };
        let mut found = clients::search(session, &wanted).await?.clients;
        let client = found.pop().context("no Linux client is online")?;
        let flow = collect(session, &client.client_id).await?;
        let hunt = hunt(session, &client.client_id).await?;
        Ok(Self { client, flow, hunt })
    }

    /// The query with everything that it needs.
    pub(super) async fn query(
        &mut self,
        session: &Session<'_>,
        entry: &CatalogueQuery,
    ) -> anyhow::Result<Query> {
        let mut query = entry.query();
        if entry.name.starts_with("query_") {
            let rows = "LET MR_Rows = SELECT os_info.hostname AS Hostname,
                timestamp(epoch=1700000000) AS BuildTime FROM clients()";
            query = query.after(&RawVql::from_caller(rows));
        }
        for name in entry.binds {
            query = query.bind(*name, self.value(session, entry, name).await?);
        }
        for (slot, piece) in pieces(entry.name)? {
            if entry.text.contains(&format!("${slot}")) {
                query = query.fill(slot, piece);
            }
        }
        Ok(query)
    }

    async fn value(
        &mut self,
        session: &Session<'_>,
        entry: &CatalogueQuery,
        name: &str,
    ) -> anyhow::Result<String> {
        let id = self.client.client_id.clone();
        let text = match (entry.name, name) {
            (
                "hunt_rows" | "hunt_groups" | "hunt_count" | "hunt_probe" | "hunt_sorted",
                "MR_Table",
            ) => String::from(TABLE),
            (
                "clients_search" | "whole_clients" | "census_clients" | "census_labels",
                "MR_Labels",
            ) => String::from("(?i)^(?:no such label)$"),
            (_, "MR_Window") => String::from("900"),
            (_, "MR_Rarest") => String::from("Y"),
            (_, "MR_LabelCount") => String::from("0"),
            ("flow_cancel", "MR_Flow") => self.flow.to_string(),
            (_, "MR_Client") => id.to_string(),
            (_, "MR_Clients") => json!([id]).to_string(),
            (_, "MR_Flow") => self.flow.to_string(),
            (_, "MR_Flows") => json!([{"client": id, "flow": self.flow}]).to_string(),
            (_, "MR_Hunt") => self.hunt.to_string(),
            (_, "MR_Table") => String::from(TABLE),
            (_, "MR_Artifacts") => json!([ARTIFACT]).to_string(),
            // One that both have.
            (_, "MR_Tools") => json!(["Autorun_386"]).to_string(),
            (_, "MR_Spec") => json!({ ARTIFACT: {} }).to_string(),
            (_, "MR_Labels") => json!(["contract"]).to_string(),
            (_, "MR_Tags") => json!(["contract"]).to_string(),
            ("hunt_create", "MR_Include" | "MR_Exclude") => String::from("[]"),
            (_, "MR_Host") => {
                let host = clients::info(session, &id).await?.client.hostname;
                host.to_uppercase()
            }
            (_, "MR_User") => String::from("contract"),
            (_, "MR_Roles") => json!(["reader"]).to_string(),
            (_, "MR_Order") => String::from("name"),
            (_, "MR_Online") => String::from("900"),
            (_, "MR_Description") => String::from("contract"),
            (_, "MR_Expires") => (Timestamp::now().as_second() + 3600).to_string(),
            (_, "MR_Pause") => String::from("Y"),
            (_, "MR_Pattern") => String::from("^a+$"),
            (_, "MR_Text") => String::from("aa"),
            (_, "MR_To" | "MR_End") => String::from("10"),
            (
                _,
                "MR_From" | "MR_Begin" | "MR_Timeout" | "MR_MaxRows" | "MR_MaxBytes" | "MR_Cpu",
            ) => String::from("0"),
            (
                _,
                "MR_Search" | "MR_Os" | "MR_Types" | "MR_AnyOs" | "MR_OtherOs" | "MR_States"
                | "MR_Include" | "MR_Exclude" | "MR_Urgent",
            ) => String::new(),
            (query, name) => bail!("nothing is known to bind to {name} of {query}"),
        };
        Ok(text)
    }
}

fn pieces(query: &str) -> anyhow::Result<Vec<(&'static str, Piece)>> {
    let column = match query.rsplit_once('_') {
        Some((_, "span")) => "BuildTime",
        Some(("hunt", _)) => "ClientId",
        _ => "Hostname",
    };
    let column = Identifier::new(column)?;
    Ok(vec![
        ("filter", Piece::Filter(PureExpr::always())),
        ("columns", Piece::Columns(vec![column.clone()])),
        ("order", Piece::Order(Some((column.clone(), Direction::Ascending)))),
        ("column", Piece::Column(column.clone())),
        ("key", Piece::List(vec![column])),
        ("most", Piece::Number(1000)),
        ("limit", Piece::Number(5)),
    ])
}

/// Rows in several tables, and a file.
fn wanted() -> Collection {
    let finder = IndexMap::from([
        (String::from("SearchFilesGlob"), json!("/etc/passwd")),
        (String::from("Upload_File"), json!(true)),
    ]);
    let artifacts =
        IndexMap::from([(ARTIFACT.to_owned(), IndexMap::new()), (FINDER.to_owned(), finder)]);
    Collection { artifacts, ..Collection::default() }
}

/// A flow that has ended.
async fn collect(session: &Session<'_>, id: &ClientId) -> anyhow::Result<FlowId> {
    let good = collections::check(session, &wanted(), Target::Clients).await?;
    let flow = collections::start(session, id, &good).await?.status.flow.flow_id;
    let waited = flows::wait(session, id, &flow, Duration::from_secs(60), |_| {}).await?;
    ensure!(waited.flow.state.is_final() && waited.flow.rows > 0, "{waited:?}");
    Ok(flow)
}

/// A hunt with one flow that has ended.
async fn hunt(session: &Session<'_>, id: &ClientId) -> anyhow::Result<HuntId> {
    let plan = HuntPlan {
        collection: collections::check(session, &wanted(), Target::Clients).await?,
        description: String::from("contract"),
        tags: Vec::new(),
        scope: HuntScope::Clients(vec![id.clone()]),
        expires: None,
        start: true,
    };
    let hunt = hunts::create(session, &plan).await?.hunt.hunt_id;
    let what = "the flow of the hunt to end";
    crate::wait::until(what, Duration::from_secs(60), || async {
        let running = hunts::running_flows(session, &hunt).await?;
        ensure!(running.is_empty(), "{running:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    Ok(hunt)
}
