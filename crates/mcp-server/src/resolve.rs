//! The `client` argument of the tools: an id, `server`, or a host name.

use std::collections::HashSet;

use velociraptor_api::clients::{self, Purpose, Resolved};
use velociraptor_api::{ClientId, Session};

use crate::tool_error::ToolError;

/// Finds the client to look at. The only client of a name that was seen within seven days is
/// taken, and the session's warnings say so.
///
/// # Errors
///
/// `not_found` with near names, `ambiguous` with the candidates, or what kept the server from
/// answering.
pub async fn for_read(session: &Session<'_>, text: &str) -> Result<Resolved, ToolError> {
    one(session, text, Purpose::Read).await
}

/// Finds the client to act on: where several carry the name, an id is wanted.
///
/// # Errors
///
/// As [`for_read`].
pub async fn for_change(session: &Session<'_>, text: &str) -> Result<Resolved, ToolError> {
    one(session, text, Purpose::Change).await
}

async fn one(session: &Session<'_>, text: &str, why: Purpose) -> Result<Resolved, ToolError> {
    if text.trim().is_empty() {
        return Err(ToolError::invalid("client is empty: give a client id or a host name"));
    }
    Ok(clients::resolve(session, text, why).await?)
}

/// One of several clients that were named.
pub struct Named {
    /// As it was given.
    pub given: String,
    /// What it means.
    pub found: Result<Resolved, ToolError>,
}

/// Finds several clients to act on, each for itself: one that is unknown keeps no other from
/// being found. A client that is named twice, by id and by name too, comes once.
///
/// # Errors
///
/// Only where the server did not answer.
pub async fn each_for_change(
    session: &Session<'_>,
    texts: &[String],
) -> Result<Vec<Named>, ToolError> {
    // Ids are looked up together; a fleet is named by ids, a handful by host names.
    let ids: Vec<ClientId> = texts.iter().filter_map(|t| ClientId::parse(t.trim()).ok()).collect();
    let mut known = Vec::new();
    if ids.len() > 1 {
        known = clients::by_ids(session, &ids).await?;
    }
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for text in texts {
        let found = match known.iter().find(|client| client.client_id.as_str() == text.trim()) {
            Some(client) => Ok(Resolved {
                id: client.client_id.clone(),
                client: Some(client.clone()),
                passed_over: Vec::new(),
            }),
            None => for_change(session, text).await,
        };
        let key = match &found {
            Ok(resolved) => resolved.id.to_string(),
            Err(error) if error.is_about_the_name() => text.trim().to_owned(),
            Err(error) => return Err(error.clone()),
        };
        if seen.insert(key) {
            out.push(Named { given: text.trim().to_owned(), found });
        }
    }
    Ok(out)
}
