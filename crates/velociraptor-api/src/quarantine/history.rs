//! Whether a client was ever cut off from here.

use super::LABEL;
use crate::clients::Client;
use crate::fault::Fault;
use crate::flows::{self, FlowSearch};
use crate::session::Session;

/// Most flows of a client that are looked at.
const MOST: u64 = 10_000;

/// Why a client cannot be isolated, as far as the server knows: it does not carry the label and no
/// flow of it ran an artifact that isolates. `None` where one of them is so, or where it has too
/// many flows to tell.
///
/// # Errors
///
/// [`Fault::Query`].
pub(super) async fn never_isolated(
    session: &Session<'_>,
    client: &Client,
) -> Result<Option<String>, Fault> {
    if client.labels.iter().any(|label| label.eq_ignore_ascii_case(LABEL)) {
        return Ok(None);
    }
    let mut wanted = FlowSearch { count: 1000, ..FlowSearch::default() };
    loop {
        let page = flows::list(session, &client.client_id, &wanted).await?;
        let isolates = |name: &String| name.ends_with("Remediation.Quarantine");
        if page.flows.iter().any(|flow| flow.artifacts.iter().any(isolates)) {
            return Ok(None);
        }
        match page.next {
            Some(next) if next >= MOST => return Ok(None),
            Some(next) => wanted.from = next,
            None => {
                return Ok(Some(format!(
                    "{} ({}) is not isolated, as far as the server knows: it does not carry the \
                     label {LABEL}, no order waits for it, and none of its {} flows ran a \
                     quarantine artifact. Nothing was sent",
                    client.hostname, client.client_id, page.total
                )));
            }
        }
    }
}
