//! The VQL that a server was built with.

use super::{RealServer, Role};

impl RealServer {
    /// Every VQL text of every artifact that the server was built with.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn built_in_texts(&self) -> anyhow::Result<Vec<String>> {
        let vql = "SELECT name, precondition, export, sources FROM artifact_definitions()";
        let rows = self.query(Role::Reader, "root", vql, &[]).await?;
        let mut texts = Vec::new();
        for artifact in &rows.rows {
            texts.extend(artifact.get("precondition").and_then(|text| text.as_str()));
            texts.extend(artifact.get("export").and_then(|text| text.as_str()));
            let Some(sources) = artifact.get("sources").and_then(|list| list.as_array()) else {
                continue;
            };
            for source in sources {
                texts.extend(source["precondition"].as_str());
                texts.extend(source["query"].as_str());
                for query in source["queries"].as_array().into_iter().flatten() {
                    texts.extend(query.as_str());
                }
            }
        }
        texts.retain(|text| !text.is_empty());
        Ok(texts.into_iter().map(str::to_owned).collect())
    }
}
