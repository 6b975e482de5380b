//! Hunts listed, and one in detail.

use serde::{Deserialize, Serialize};
use vql_builder::Query;

use super::{Compiled, Hunt, HuntState};
use crate::clients::escape;
use crate::fault::Fault;
use crate::flows::Request;
use crate::ids::HuntId;
use crate::queries::hunts::{LIST, STATUS};
use crate::session::Session;
use crate::whole::between;

/// What hunts are wanted.
#[derive(Clone, Debug)]
pub struct HuntSearch {
    /// Only these states; empty means any.
    pub states: Vec<HuntState>,
    /// A text that description or artifacts must contain, in any case.
    pub text: String,
    /// How many to pass over.
    pub from: u64,
    /// How many to give, at most.
    pub count: u32,
}

impl Default for HuntSearch {
    fn default() -> Self {
        Self { states: Vec::new(), text: String::new(), from: 0, count: 50 }
    }
}

impl HuntSearch {
    /// Binds which hunts are wanted.
    pub(crate) fn filter(&self, query: Query) -> Query {
        let words: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        let states =
            if words.is_empty() { String::new() } else { format!("^({})$", words.join("|")) };
        query.bind("MR_States", states).bind("MR_Search", escape(self.text.trim()))
    }

    /// Binds which, from where to where.
    pub(crate) fn page(&self, query: Query, (from, to): (u64, u64)) -> Query {
        self.filter(query).bind("MR_From", from.to_string()).bind("MR_To", to.to_string())
    }
}

/// A page of hunts, the newest first.
#[derive(Clone, Debug)]
pub struct HuntPage {
    /// The hunts.
    pub hunts: Vec<Hunt>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

/// A hunt in detail.
#[derive(Clone, Debug, Serialize)]
pub struct HuntStatus {
    /// The hunt.
    pub hunt: Hunt,
    /// What it asks of each client, as the server keeps it.
    pub request: Request,
    /// What each client runs: the artifacts as they were when the hunt was made.
    #[serde(skip)]
    pub compiled: Compiled,
}

/// Lists hunts.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn list(session: &Session<'_>, wanted: &HuntSearch) -> Result<HuntPage, Fault> {
    let page = fetch(session, wanted).await?;
    if !page.hunts.is_empty() || wanted.from == 0 {
        return Ok(page);
    }
    // Beyond the last page no row tells the total.
    let first = HuntSearch { from: 0, count: 1, ..wanted.clone() };
    let total = fetch(session, &first).await?.total;
    Ok(HuntPage { hunts: Vec::new(), total, next: None })
}

async fn fetch(session: &Session<'_>, wanted: &HuntSearch) -> Result<HuntPage, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        #[serde(flatten)]
        hunt: Hunt,
        total: u64,
    }
    let (from, to) = between(wanted.from, wanted.count);
    let query = wanted.page(LIST.query(), (from, to));
    let rows: Vec<Found> = session.rows(&LIST, query).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let hunts: Vec<Hunt> = rows.into_iter().map(|row| row.hunt).collect();
    let end = from + hunts.len() as u64;
    Ok(HuntPage { next: (!hunts.is_empty() && end < total).then_some(end), hunts, total })
}

/// Reads a hunt.
///
/// # Errors
///
/// [`Fault::UnknownHunt`], [`Fault::Query`].
pub async fn status(session: &Session<'_>, hunt: &HuntId) -> Result<HuntStatus, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        #[serde(flatten)]
        hunt: Hunt,
        request: Whole,
    }
    #[derive(Deserialize)]
    struct Whole {
        #[serde(flatten)]
        request: Request,
        #[serde(default, rename = "compiled_collector_args")]
        compiled: Compiled,
    }
    let query = STATUS.query().bind("MR_Hunt", hunt.as_str());
    let mut rows: Vec<Found> = session.rows(&STATUS, query).await?;
    let row = rows.pop().ok_or_else(|| Fault::UnknownHunt { hunt: hunt.clone() })?;
    let Whole { request, compiled } = row.request;
    Ok(HuntStatus { hunt: row.hunt, request, compiled })
}
