//! Searching artifacts, page by page.

use serde::{Deserialize, Serialize};
use vql_builder::Query;

use super::ArtifactKind;
use super::systems::{ANY, other_names, systems};
use crate::clients::escape;
use crate::fault::Fault;
use crate::os::Os;
use crate::queries::artifacts::SEARCH;
use crate::row;
use crate::session::Session;
use crate::whole::between;

/// What artifacts are wanted.
#[derive(Clone, Debug)]
pub struct ArtifactSearch {
    /// Words that name or description must contain, in any case and in this order. Empty finds
    /// all.
    pub text: String,
    /// Only these kinds; empty means any.
    pub kinds: Vec<ArtifactKind>,
    /// Only what runs on endpoints of this system.
    pub os: Option<Os>,
    /// How many to pass over.
    pub from: u64,
    /// How many to give, at most.
    pub count: u32,
}

impl Default for ArtifactSearch {
    fn default() -> Self {
        Self { text: String::new(), kinds: Vec::new(), os: None, from: 0, count: 100 }
    }
}

impl ArtifactSearch {
    /// Binds which artifacts are wanted.
    pub(crate) fn filter(&self, query: Query) -> Query {
        let mut kinds = self.kinds.clone();
        if let (Some(_), true) = (self.os, kinds.is_empty()) {
            kinds = vec![ArtifactKind::Client, ArtifactKind::ClientEvent];
        }
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let types =
            if words.is_empty() { String::new() } else { format!("^({})$", words.join("|")) };
        query
            .bind("MR_Search", text_pattern(&self.text))
            .bind("MR_Types", types)
            .bind("MR_Os", self.os.map_or("", Os::as_str))
            .bind("MR_AnyOs", ANY)
            .bind("MR_OtherOs", self.os.map(other_names).unwrap_or_default())
    }

    /// Binds which, from where to where.
    pub(crate) fn page(&self, query: Query, (from, to): (u64, u64)) -> Query {
        self.filter(query).bind("MR_From", from.to_string()).bind("MR_To", to.to_string())
    }
}

/// An artifact in a list.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ArtifactSummary {
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: ArtifactKind,
    /// The first paragraph of the description, cut after 200 characters.
    pub description: String,
    /// How many parameters it takes.
    pub parameters: u64,
    /// Whether it came with the server.
    pub built_in: bool,
    /// For which systems it seems to be; empty where it does not tell.
    pub systems: Vec<Os>,
    /// The permissions that collecting it takes beside the usual.
    pub required_permissions: Vec<String>,
}

/// A page of artifacts, by name.
#[derive(Clone, Debug)]
pub struct ArtifactPage {
    /// The artifacts.
    pub artifacts: Vec<ArtifactSummary>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    name: String,
    r#type: ArtifactKind,
    #[serde(deserialize_with = "row::or_default")]
    description: String,
    #[serde(deserialize_with = "row::or_default")]
    parameters: u64,
    #[serde(deserialize_with = "row::or_default")]
    built_in: bool,
    #[serde(deserialize_with = "row::or_default")]
    precondition: String,
    #[serde(deserialize_with = "row::or_default")]
    permissions: Vec<String>,
    total: u64,
}

/// Searches artifacts.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn search(session: &Session<'_>, wanted: &ArtifactSearch) -> Result<ArtifactPage, Fault> {
    let page = fetch(session, wanted).await?;
    if !page.artifacts.is_empty() || wanted.from == 0 {
        return Ok(page);
    }
    // Beyond the last page no row tells the total.
    let first = ArtifactSearch { from: 0, count: 1, ..wanted.clone() };
    let total = fetch(session, &first).await?.total;
    Ok(ArtifactPage { artifacts: Vec::new(), total, next: None })
}

async fn fetch(session: &Session<'_>, wanted: &ArtifactSearch) -> Result<ArtifactPage, Fault> {
    let (from, to) = between(wanted.from, wanted.count);
    let query = wanted.page(SEARCH.query(), (from, to));
    let rows: Vec<Found> = session.rows(&SEARCH, query).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let artifacts: Vec<ArtifactSummary> = rows.into_iter().map(ArtifactSummary::from).collect();
    let end = from + artifacts.len() as u64;
    let next = (!artifacts.is_empty() && end < total).then_some(end);
    Ok(ArtifactPage { artifacts, total, next })
}

impl From<Found> for ArtifactSummary {
    fn from(row: Found) -> Self {
        Self {
            systems: systems(&row.name, &row.precondition),
            name: row.name,
            kind: row.r#type,
            description: first_paragraph(&row.description),
            parameters: row.parameters,
            built_in: row.built_in,
            required_permissions: row.permissions,
        }
    }
}

/// A pattern that finds the words of a text in their order, whatever they contain.
fn text_pattern(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(escape).collect();
    if words.is_empty() { String::new() } else { format!("(?is){}", words.join(".*")) }
}

/// The first paragraph on one line, cut after 200 characters.
fn first_paragraph(text: &str) -> String {
    const MOST: usize = 200;
    let paragraph = text.trim().split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", line[..at].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_text_is_words_and_not_a_pattern() {
        assert_eq!(text_pattern(" windows  (event) "), r"(?is)windows.*\(event\)");
        assert_eq!(text_pattern(""), "");
    }

    #[test]
    fn descriptions_are_cut_at_characters() {
        assert_eq!(first_paragraph("\nOne\n two.\n\nMore."), "One two.");
        let long = "ä".repeat(300);
        assert_eq!(first_paragraph(&long).chars().count(), 201);
    }
}
