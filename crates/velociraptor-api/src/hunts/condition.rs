//! Which clients a hunt means: as the server keeps it, and who that is.
//!
//! A hunt for an exact list of clients has a condition that nobody fits: one label for each
//! client, made of its id, which no client carries. So nothing happens when somebody starts it
//! from elsewhere, and the list can be read from the hunt itself.

use serde::{Deserialize, Deserializer};

use super::HuntScope;
use crate::clients::{self, label_pattern};
use crate::fault::Fault;
use crate::ids::ClientId;
use crate::os::Os;
use crate::queries::hunts::REACH;
use crate::row;
use crate::session::Session;

/// What the labels of a hunt for listed clients begin with.
const LISTED: &str = "only client ";

/// The clients that a hunt would reach now.
///
/// # Errors
///
/// [`Fault::UnknownClient`] where a listed one does not exist, [`Fault::Query`].
pub async fn reach(
    session: &Session<'_>,
    scope: &HuntScope,
) -> Result<Vec<clients::Client>, Fault> {
    let (os, include, exclude) = match scope {
        HuntScope::Rule { os, include_labels, exclude_labels } => {
            (os, label_pattern(include_labels).0, label_pattern(exclude_labels).0)
        }
        HuntScope::Clients(ids) => return all_of(session, ids).await,
    };
    let query = REACH
        .query()
        .bind("MR_Os", os.map_or("", Os::as_str))
        .bind("MR_Include", include)
        .bind("MR_Exclude", exclude);
    Ok(session.rows(&REACH, query).await?)
}

/// The clients of a list, each once, proved to exist.
pub(super) async fn all_of(
    session: &Session<'_>,
    ids: &[ClientId],
) -> Result<Vec<clients::Client>, Fault> {
    let mut wanted = ids.to_vec();
    wanted.sort();
    wanted.dedup();
    if wanted.iter().any(ClientId::is_server) {
        return Err(Fault::bad_input("a hunt does not run on the server itself"));
    }
    let found = clients::by_ids(session, &wanted).await?;
    let missing = wanted.iter().find(|id| !found.iter().any(|client| client.client_id == **id));
    match missing {
        Some(id) => Err(Fault::UnknownClient { given: id.to_string(), near: Vec::new() }),
        None => Ok(found),
    }
}

/// The labels that stand for listed clients.
pub(super) fn labels_of(ids: &[ClientId]) -> Vec<String> {
    ids.iter().map(|id| format!("{LISTED}{id}")).collect()
}

/// Reads the condition that the server keeps.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<HuntScope, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Condition {
        #[serde(deserialize_with = "row::or_default")]
        excluded_labels: Labels,
        #[serde(deserialize_with = "row::or_default")]
        labels: Labels,
        #[serde(deserialize_with = "row::or_default")]
        os: System,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Labels {
        #[serde(deserialize_with = "row::or_default")]
        label: Vec<String>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct System {
        #[serde(deserialize_with = "row::or_default")]
        os: String,
    }
    let condition: Condition = row::or_default(input)?;
    let include = condition.labels.label;
    let listed = |label: &String| ClientId::parse(label.strip_prefix(LISTED)?).ok();
    if !include.is_empty()
        && let Some(ids) = include.iter().map(listed).collect::<Option<Vec<_>>>()
    {
        return Ok(HuntScope::Clients(ids));
    }
    Ok(HuntScope::Rule {
        os: Os::from_name(&condition.os.os),
        include_labels: include,
        exclude_labels: condition.excluded_labels.label,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_conditions_of_the_server_are_read() {
        let rule = |os, include: &[&str], exclude: &[&str]| HuntScope::Rule {
            os,
            include_labels: include.iter().map(|label| (*label).to_owned()).collect(),
            exclude_labels: exclude.iter().map(|label| (*label).to_owned()).collect(),
        };
        let labels = |labels: &[&str]| json!({ "label": labels });
        for (condition, scope) in [
            (json!(null), rule(None, &[], &[])),
            (json!({"os": {"os": "ALL"}}), rule(None, &[], &[])),
            (json!({"os": {"os": "OSX"}}), rule(Some(Os::Darwin), &[], &[])),
            (
                json!({"labels": labels(&["a"]), "excluded_labels": labels(&["b"])}),
                rule(None, &["a"], &["b"]),
            ),
        ] {
            assert_eq!(read(condition).unwrap(), scope);
        }
    }

    #[test]
    fn a_list_of_clients_is_found_again() {
        let ids = ["C.0123456789abcdef", "C.0123456789abcdee-ORG"]
            .map(|id| ClientId::parse(id).unwrap())
            .to_vec();
        let condition = json!({"labels": {"label": labels_of(&ids)}, "os": {"os": "ALL"}});
        assert_eq!(read(condition).unwrap(), HuntScope::Clients(ids));
    }
}
