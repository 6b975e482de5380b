//! `label_client`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::clients::Resolved;
use velociraptor_api::labels::{self, LabelChange, LabelUse, Labelled};
use velociraptor_api::{ClientId, Permission, Session};

use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::gateway::{Go, Work};
use crate::resolve::{self, Named};
use crate::table;
use crate::tool::{Acts, Effect, Tool};
use crate::tool_error::ToolError;

/// `label_client`.
pub(super) struct LabelClient;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Ids or host names
    clients: Vec<String>,
    /// Labels to set
    #[serde(default)]
    add: Vec<String>,
    /// Labels to take off
    #[serde(default)]
    remove: Vec<String>,
}

/// The clients with their labels as read back.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    clients: Vec<Row>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    client_id: String,
    hostname: String,
    labels: Vec<String>,
    changed: bool,
}

impl Tool for LabelClient {
    const NAME: &'static str = "label_client";
    const TITLE: &'static str = "Label clients";
    const DESCRIPTION: &'static str = "Sets and removes labels of clients and reads them back. \
        Where one client is unknown, nothing is changed. Running hunts and monitoring tables that \
        go by a label act on the change: the answer names them.";
    const EFFECT: Effect = Effect::Respond;
    const NEEDS: &'static [Permission] =
        &[Permission::AnyQuery, Permission::ReadResults, Permission::LabelClient];
    const IDEMPOTENT: bool = true;
    type Input = Input;
    type Output = Output;
}

/// The clients, what is to change, and what goes by the labels.
pub(super) struct Prepared {
    clients: Vec<ClientId>,
    change: LabelChange,
    consequences: Vec<String>,
}

impl Acts for LabelClient {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        if input.clients.is_empty() {
            return Err(ToolError::invalid("clients is empty: name at least one"));
        }
        let named = all_known(resolve::each_for_change(session, &input.clients).await?)?;
        let change = LabelChange { add: input.add, remove: input.remove };
        let touched = [change.add.as_slice(), change.remove.as_slice()].concat();
        // Asked before the change: where it cannot be told what goes by a label, nothing is done.
        let uses = labels::uses(session, &touched).await?;
        let consequences: Vec<String> =
            uses.iter().map(|used| consequence(used, &change)).collect();
        let work = Work::that(what(&change))
            .on(named.iter().filter_map(|resolved| resolved.client.clone()))
            .beside(consequences.clone())
            .undone_by("the opposite change; what acts on a label meanwhile is not undone")
            .proved_by("the labels are read back");
        let clients = named.into_iter().map(|resolved| resolved.id).collect();
        Ok((work, Prepared { clients, change, consequences }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        _go: &Go,
        Prepared { clients, change, consequences }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let done = labels::change(session, &clients, &change).await?;
        let rows = done.into_iter().map(Row::from).collect::<Vec<_>>();
        let count = rows.len();
        Ok(Answer::of(cx, session, Output { clients: rows })
            .page(count as u64, count, None)
            .warn(consequences))
    }
}

/// A change in words.
fn what(change: &LabelChange) -> String {
    let parts = [("sets", &change.add), ("takes off", &change.remove)];
    let said = parts.iter().filter(|(_, labels)| !labels.is_empty());
    said.map(|(does, labels)| format!("{does} {}", labels.join(", ")))
        .collect::<Vec<_>>()
        .join("; ")
}

/// What was named, where all of it exists. The server would make a client of any id.
fn all_known(named: Vec<Named>) -> Result<Vec<Resolved>, ToolError> {
    let mut known = Vec::new();
    let mut unknown: Vec<(String, ToolError)> = Vec::new();
    for Named { given, found } in named {
        match found {
            Ok(resolved) => known.push(resolved),
            Err(error) => unknown.push((given, error)),
        }
    }
    let Some((_, first)) = unknown.first() else { return Ok(known) };
    let mut error = first.clone();
    let others: Vec<&str> = unknown.iter().skip(1).map(|(given, _)| given.as_str()).collect();
    if !others.is_empty() {
        error.message = format!("{}, and neither {} can be used", error.message, others.join(", "));
    }
    error.message.push_str("; nothing was changed");
    Err(error)
}

/// What a change means for something that goes by the label.
fn consequence(used: &LabelUse, change: &LabelChange) -> String {
    let is_set = |label: &str| change.add.iter().any(|add| add.trim().eq_ignore_ascii_case(label));
    match used {
        LabelUse::HuntIncludes { label, hunt } if is_set(label) => {
            format!("running hunt {hunt} includes label {label}: it collects from these clients")
        }
        LabelUse::HuntIncludes { label, hunt } => format!(
            "running hunt {hunt} includes label {label}: it no longer takes these clients; flows \
             that it has started go on"
        ),
        LabelUse::HuntExcludes { label, hunt } if is_set(label) => {
            format!("running hunt {hunt} excludes label {label}: it leaves these clients out")
        }
        LabelUse::HuntExcludes { label, hunt } => {
            format!("running hunt {hunt} excluded label {label}: it may now take these clients")
        }
        LabelUse::Monitoring { label, artifacts } => {
            let does = if is_set(label) { "now watch with" } else { "no longer watch with" };
            format!(
                "the monitoring table of label {label}: these clients {does} {}",
                artifacts.join(", ")
            )
        }
    }
}

impl From<Labelled> for Row {
    fn from(labelled: Labelled) -> Self {
        Self {
            changed: labelled.before != labelled.labels,
            client_id: labelled.client_id.to_string(),
            hostname: labelled.hostname,
            labels: labelled.labels,
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let rows = self.clients.iter().map(|client| {
            vec![
                client.client_id.clone(),
                client.hostname.clone(),
                String::from(if client.changed { "changed" } else { "as before" }),
                client.labels.join(", "),
            ]
        });
        table::write(out, &["client", "host", "", "labels, read back"], rows);
    }
}

#[cfg(test)]
mod tests {
    use crate::tool_error::Code;
    use velociraptor_api::HuntId;
    use velociraptor_api::clients::Resolved;

    use super::*;

    fn named(given: &str, found: Result<&str, ToolError>) -> Named {
        let resolved = |id| Resolved {
            id: ClientId::parse(id).unwrap(),
            client: None,
            passed_over: Vec::new(),
        };
        Named { given: given.to_owned(), found: found.map(resolved) }
    }

    #[test]
    fn one_unknown_client_keeps_all_from_being_changed() {
        let id = "C.0123456789abcdef";
        let unknown = |name: &str| {
            named(
                name,
                Err(ToolError::new(Code::NotFound, format!("no client is known as {name}"))),
            )
        };
        assert_eq!(all_known(vec![named(id, Ok(id))]).unwrap().len(), 1);
        let error = all_known(vec![named(id, Ok(id)), unknown("X"), unknown("Y")]).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert_eq!(
            error.message,
            "no client is known as X, and neither Y can be used; nothing was changed"
        );
    }

    #[test]
    fn setting_and_removing_a_label_mean_different_things_to_a_hunt() {
        let (label, hunt) = (String::from("Web"), HuntId::parse("H.1").unwrap());
        let used = LabelUse::HuntIncludes { label, hunt };
        let set = LabelChange { add: vec![String::from(" web")], remove: Vec::new() };
        assert!(consequence(&used, &set).contains("collects from these clients"));
        let removed = LabelChange { add: Vec::new(), remove: vec![String::from("web")] };
        assert!(consequence(&used, &removed).contains("no longer takes"));
    }
}
