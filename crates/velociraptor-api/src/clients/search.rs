//! Searching clients, page by page.

use serde::Deserialize;
use vql_builder::Query;

use super::Client;
use crate::fault::Fault;
use crate::os::Os;
use crate::queries::clients::SEARCH;
use crate::session::Session;
use crate::time::ONLINE_WITHIN;
use crate::whole::between;

/// The order of a page. Each is total, so pages do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientOrder {
    /// By client id.
    Id,
    /// By host name, without regard to case.
    #[default]
    Name,
    /// The last seen first.
    LastSeen,
}

/// What clients are wanted.
#[derive(Clone, Debug)]
pub struct ClientSearch {
    /// A search term of Velociraptor: a host name prefix, a client id, or a verb such as
    /// `label:web`, `host:*dc*`, `ip:10.1.`, `mac:02:`. Empty finds all.
    pub term: String,
    /// Only this system.
    pub os: Option<Os>,
    /// Only clients that carry all of these labels, compared as a whole and in any case.
    pub labels: Vec<String>,
    /// Only clients that were seen within fifteen minutes.
    pub online_only: bool,
    /// The order.
    pub order: ClientOrder,
    /// How many to pass over.
    pub from: u64,
    /// How many to give, at most.
    pub count: u32,
}

impl Default for ClientSearch {
    fn default() -> Self {
        Self {
            term: String::new(),
            os: None,
            labels: Vec::new(),
            online_only: false,
            order: ClientOrder::default(),
            from: 0,
            count: 100,
        }
    }
}

impl ClientSearch {
    /// Binds which clients are wanted.
    pub(crate) fn filter(&self, query: Query) -> Query {
        let (labels, label_count) = label_pattern(&self.labels);
        let online = if self.online_only { ONLINE_WITHIN.as_secs() } else { 0 };
        query
            .bind("MR_Search", self.term.trim())
            .bind("MR_Os", self.os.map_or("", Os::as_str))
            .bind("MR_Labels", labels)
            .bind("MR_LabelCount", label_count.to_string())
            .bind("MR_Online", online.to_string())
    }

    /// Binds which, in what order, from where to where.
    pub(crate) fn page(&self, query: Query, (from, to): (u64, u64)) -> Query {
        let order = match self.order {
            ClientOrder::Id => "id",
            ClientOrder::Name => "name",
            ClientOrder::LastSeen => "last_seen",
        };
        self.filter(query)
            .bind("MR_Order", order)
            .bind("MR_From", from.to_string())
            .bind("MR_To", to.to_string())
    }
}

/// A page of clients.
#[derive(Clone, Debug)]
pub struct ClientPage {
    /// The clients.
    pub clients: Vec<Client>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    client: Client,
    total: u64,
}

/// Searches clients.
///
/// # Errors
///
/// [`Fault::Query`]; an unknown verb is a [`crate::QueryErrorKind::BadArgument`].
pub async fn search(session: &Session<'_>, wanted: &ClientSearch) -> Result<ClientPage, Fault> {
    let page = fetch(session, wanted).await?;
    if !page.clients.is_empty() || wanted.from == 0 {
        return Ok(page);
    }
    // Beyond the last page no row tells the total.
    let first = ClientSearch { from: 0, count: 1, ..wanted.clone() };
    let total = fetch(session, &first).await?.total;
    Ok(ClientPage { clients: Vec::new(), total, next: None })
}

async fn fetch(session: &Session<'_>, wanted: &ClientSearch) -> Result<ClientPage, Fault> {
    let (from, to) = between(wanted.from, wanted.count);
    let query = wanted.page(SEARCH.query(), (from, to));
    let rows: Vec<Found> = session.rows(&SEARCH, query).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let clients: Vec<Client> = rows.into_iter().map(|row| row.client).collect();
    let end = from + clients.len() as u64;
    Ok(ClientPage { next: (!clients.is_empty() && end < total).then_some(end), clients, total })
}

/// A regular expression that matches each of the labels as a whole in any case, and how many
/// different ones there are.
pub(crate) fn label_pattern(labels: &[String]) -> (String, usize) {
    let mut wanted: Vec<String> =
        labels.iter().map(|label| label.trim().to_lowercase()).filter(|l| !l.is_empty()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return (String::new(), 0);
    }
    let words: Vec<String> = wanted.iter().map(|label| escape(label)).collect();
    (format!("(?i)^(?:{})$", words.join("|")), wanted.len())
}

/// Escapes what has a meaning in the server's regular expressions.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_matched_whole_and_counted_once() {
        let labels = ["Web", "web ", "a|b", ""].map(String::from);
        assert_eq!(label_pattern(&labels), (String::from(r"(?i)^(?:a\|b|web)$"), 2));
        assert_eq!(label_pattern(&[]), (String::new(), 0));
    }
}
