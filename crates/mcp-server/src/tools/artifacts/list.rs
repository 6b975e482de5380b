//! `list_artifacts`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use velociraptor_api::artifacts::{self, ArtifactKind, ArtifactSearch, ArtifactSummary};
use velociraptor_api::catalogue::READ;
use velociraptor_api::near::near;
use velociraptor_api::{Os, Permission, Session, census, whole};

use super::census::Census;
use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::page::{self, Binding, Rows};
use crate::records;
use crate::system::System;
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

/// Most names that are suggested.
const LIKE: usize = 5;

/// `list_artifacts`.
pub(super) struct ListArtifacts;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Words in name or description, in this order
    search: Option<String>,
    /// Default all; client ones are collected on endpoints
    #[serde(rename = "type")]
    kind: Option<Kind>,
    /// Runs on endpoints of this system
    os: Option<System>,
    /// Default 50
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Of the last answer
    cursor: Option<String>,
}

/// A type of artifact, taken in any case: the server stores lower case, and its documentation
/// writes upper case.
#[derive(Clone, Copy, Debug, Serialize)]
struct Kind(ArtifactKind);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let word = String::deserialize(input)?;
        ArtifactKind::from_name(word.trim()).map(Self).ok_or_else(|| {
            let all: Vec<&str> = ArtifactKind::ALL.iter().map(|kind| kind.as_str()).collect();
            serde::de::Error::custom(format!("type {word:?} is none of {}", all.join(", ")))
        })
    }
}

impl JsonSchema for Kind {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Kind")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let all: Vec<&str> = ArtifactKind::ALL.iter().map(|kind| kind.as_str()).collect();
        json_schema!({ "type": "string", "enum": all })
    }
}

/// The artifacts found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    artifacts: Vec<Row>,
    /// With detail full, instead of those.
    #[serde(skip_serializing_if = "<[page::Row]>::is_empty")]
    records: Rows,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Census>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    name: String,
    r#type: String,
    os: Vec<String>,
    parameters: u64,
    /// Permissions beside the usual.
    needs: Vec<String>,
    custom: bool,
    description: String,
}

impl Tool for ListArtifacts {
    const NAME: &'static str = "list_artifacts";
    const TITLE: &'static str = "List artifacts";
    const DESCRIPTION: &'static str = "Finds artifacts, the named queries that are collected, by \
        words, type and system. get_artifact gives parameters and columns; collect_artifact runs \
        one on endpoints, create_hunt on many.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for ListArtifacts {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let binding = Binding::of(&cx, Self::NAME, &(&input.search, input.kind, input.os))?;
        records::one_page(cx.detail, input.cursor.as_deref())?;
        let from: u64 = input.cursor.as_deref().map_or(Ok(0), |cursor| binding.open(cursor))?;
        let wanted = ArtifactSearch {
            text: input.search.unwrap_or_default(),
            kinds: input.kind.map(|kind| kind.0).into_iter().collect(),
            os: input.os.map(Into::into),
            from,
            count: input.limit.unwrap_or(50).clamp(1, 500),
        };
        let session = cx.session();
        let (mut data, mut warning) = (Output::default(), None);
        let (total, next) = match cx.detail {
            Detail::Summary => {
                let (found, custom) = census::artifacts(&session, &wanted).await?;
                (data.summary.insert(Census::of(&found, custom)).artifacts(), None)
            }
            Detail::Full => {
                let found = whole::artifacts(&session, &wanted).await?;
                let total = found.total;
                let handed = records::hand_over(found, from)?;
                (data.records, warning) = (handed.records, handed.warning);
                (total, handed.next)
            }
            Detail::Compact => {
                let found = artifacts::search(&session, &wanted).await?;
                let rows = found.artifacts.into_iter().map(Row::from).collect();
                let kept = page::fit_whole(rows, page::BYTES)?;
                data.artifacts = kept.rows;
                let more = kept.more.then_some(from + data.artifacts.len() as u64);
                (found.total, more.or(found.next))
            }
        };
        if total == 0 {
            warning = Some(no_match(&session, &wanted).await?);
        }
        let returned = data.artifacts.len() + data.records.len();
        let cursor = next.map(|next| binding.seal(&next)).transpose()?;
        let answer = Answer::of(&cx, &session, data).warn(warning);
        Ok(answer.listed(cx.detail, total, returned, cursor))
    }
}

/// Says what there would be instead: a name that is nearly right, or the match under another type
/// or system.
async fn no_match(session: &Session<'_>, wanted: &ArtifactSearch) -> Result<String, ToolError> {
    let narrowed = !wanted.kinds.is_empty() || wanted.os.is_some();
    if narrowed {
        let wider = ArtifactSearch { text: wanted.text.clone(), ..ArtifactSearch::default() };
        let total = artifacts::search(session, &ArtifactSearch { count: 1, ..wider }).await?.total;
        if total > 0 {
            return Ok(format!("{total} artifacts match without type and os"));
        }
    }
    let names = artifacts::names(session).await?;
    let near = like(&wanted.text, names.iter().map(|(name, _)| name.as_str()));
    Ok(if near.is_empty() {
        format!("no match among the {} artifacts of this server; try fewer words", names.len())
    } else {
        format!("no match; names like it: {}", near.join(", "))
    })
}

/// Names like the one that was meant; where none is as a whole, those of which a part is.
fn like<'a>(meant: &str, names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let whole = near(meant, names.clone());
    if !whole.is_empty() || meant.contains('.') {
        return whole;
    }
    let parts = near(meant, names.clone().flat_map(|name| name.split('.')));
    let has = |name: &&str, part: &str| name.split('.').any(|known| known == part);
    let found = parts.iter().flat_map(|part| names.clone().filter(move |name| has(name, part)));
    let mut found: Vec<String> = found.map(str::to_owned).take(LIKE).collect();
    found.dedup();
    found
}

impl From<ArtifactSummary> for Row {
    fn from(artifact: ArtifactSummary) -> Self {
        Self {
            name: artifact.name,
            r#type: artifact.kind.to_string(),
            os: artifact.systems.into_iter().map(|os: Os| os.to_string()).collect(),
            parameters: artifact.parameters,
            needs: artifact.required_permissions,
            custom: !artifact.built_in,
            description: artifact.description,
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(summary) = &self.summary {
            summary.write(out);
            return;
        }
        if !self.records.is_empty() {
            records::write(out, &self.records);
            return;
        }
        if self.artifacts.is_empty() {
            out.push_str("no artifacts");
            return;
        }
        let rows = self.artifacts.iter().map(|artifact| {
            let custom = if artifact.custom { " (custom)" } else { "" };
            vec![
                format!("{}{custom}", artifact.name),
                artifact.r#type.clone(),
                artifact.os.join(" "),
                artifact.parameters.to_string(),
                artifact.needs.join(" "),
                artifact.description.clone(),
            ]
        });
        table::write(out, &["artifact", "type", "os", "params", "needs", "description"], rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_part_finds_the_names_that_have_it() {
        let names = ["Windows.System.Pslist", "Linux.Sys.Pslist", "Windows.Sys.Users"];
        let found = like("pslst", names.into_iter());
        assert_eq!(found, ["Windows.System.Pslist", "Linux.Sys.Pslist"]);
        assert_eq!(like("Windows.System.Pslst", names.into_iter())[0], names[0]);
        assert!(like("zzzzzz", names.into_iter()).is_empty());
    }

    #[test]
    fn d08_types_are_taken_in_any_case() {
        for (word, kind) in [
            ("CLIENT", ArtifactKind::Client),
            ("Server_Event", ArtifactKind::ServerEvent),
            ("internal", ArtifactKind::Internal),
        ] {
            let input: Input = serde_json::from_value(serde_json::json!({ "type": word })).unwrap();
            assert_eq!(input.kind.map(|kind| kind.0), Some(kind), "{word}");
        }
        let error = serde_json::from_value::<Input>(serde_json::json!({ "type": "agent" }));
        assert!(error.unwrap_err().to_string().contains("client_event"));
    }
}
