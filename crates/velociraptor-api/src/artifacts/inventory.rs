//! The server's inventory of programs that artifacts fetch.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::queries::artifacts::INVENTORY;
use crate::row;
use crate::session::Session;

/// A program as the server would hand it out now. What the inventory says wins over what an
/// artifact says of the same name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InventoryEntry {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    #[serde(deserialize_with = "row::or_default")]
    pub url: String,
    /// The SHA-256 of what the server has, or was told.
    #[serde(deserialize_with = "row::text")]
    pub hash: Option<String>,
    /// The SHA-256 that an artifact demands.
    #[serde(deserialize_with = "row::text")]
    pub expected_hash: Option<String>,
    /// The server hands it on.
    #[serde(deserialize_with = "row::or_default")]
    pub serve_locally: bool,
    /// Whatever else the server says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl InventoryEntry {
    /// The SHA-256 that it must have.
    pub fn sha256(&self) -> Option<&str> {
        self.hash.as_deref().or(self.expected_hash.as_deref())
    }
}

/// The entries of these names. One that the server does not have is left out.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn inventory(
    session: &Session<'_>,
    names: &[&str],
) -> Result<Vec<InventoryEntry>, Fault> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let query = INVENTORY.query().bind_json("MR_Tools", &json!(names));
    Ok(session.rows(&INVENTORY, query).await?)
}
