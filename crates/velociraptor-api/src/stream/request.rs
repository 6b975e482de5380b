//! The message that starts a query.

use prost::Message;
use vql_builder::Query;

use crate::error::QueryErrorKind;
use crate::generated::{VqlCollectorArgs, VqlEnv, VqlRequest};
use crate::ids::OrgId;
use crate::limits::Limits;

/// The largest message that the server takes; it offers no setting for it.
const MAX_REQUEST: usize = 4 << 20;

/// Builds the message.
///
/// # Errors
///
/// [`QueryErrorKind::RequestTooLarge`], before anything is sent.
pub(super) fn build(
    org: &OrgId,
    query: &Query,
    limits: &Limits,
) -> Result<VqlCollectorArgs, QueryErrorKind> {
    let request = VqlCollectorArgs {
        query: vec![VqlRequest { vql: query.text().to_owned(), name: query.name().to_owned() }],
        env: query
            .env()
            .map(|(key, value)| VqlEnv { key: key.to_owned(), value: value.to_owned() })
            .collect(),
        max_row: u64::from(limits.batch_rows.max(1)),
        max_wait: 1,
        timeout: limits.server_seconds(),
        org_id: if org.is_root() { String::new() } else { org.to_string() },
        ..VqlCollectorArgs::default()
    };
    if request.encoded_len() > MAX_REQUEST {
        return Err(QueryErrorKind::RequestTooLarge);
    }
    Ok(request)
}
