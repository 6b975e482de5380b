//! Creating a hunt.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::condition::{all_of, labels_of};
use super::{HuntScope, HuntState, HuntStatus, modify, status};
use crate::clients::{self, ClientSearch};
use crate::collections::Checked;
use crate::fault::Fault;
use crate::generated::{
    ArtifactCollectorArgs, ArtifactParameters, ArtifactSpec, Hunt as Message, HuntCondition,
    HuntLabelCondition, HuntOsCondition, VqlEnv, hunt, hunt_condition, hunt_os_condition,
};
use crate::ids::HuntId;
use crate::limits::Limits;
use crate::os::Os;
use crate::permission::Permission;
use crate::queries::hunts::CREATE;
use crate::session::Session;

/// How long a hunt lives where nothing else is said: the server's own default.
const LIFE: Duration = Duration::from_secs(168 * 3600);

/// Most clients in an exact list: each is a label in the condition.
const MOST_LISTED: usize = 1000;

/// A hunt to be created.
#[derive(Clone, Debug)]
pub struct HuntPlan {
    /// What it collects, checked for clients.
    pub collection: Checked,
    /// What to call it.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Which clients it means.
    pub scope: HuntScope,
    /// When it stops scheduling clients; a week from now where nothing is said.
    pub expires: Option<Timestamp>,
    /// Whether it starts at once.
    pub start: bool,
}

/// Creates a hunt, paused unless the plan starts it, and reads it back.
///
/// # Errors
///
/// [`Fault::NotPermitted`], [`Fault::BadInput`], [`Fault::UnknownClient`], and [`Fault::Refused`]
/// where the server cannot express the scope, before anything is sent; [`Fault::Query`];
/// [`Fault::Unproved`] where the hunt that came of it is not the one that was planned. It is
/// paused then.
pub async fn create(session: &Session<'_>, plan: &HuntPlan) -> Result<HuntStatus, Fault> {
    let now = Timestamp::now();
    let expires = plan.expires.unwrap_or(now + LIFE);
    if expires <= now {
        return Err(Fault::bad_input(format!("the hunt would expire in the past ({expires})")));
    }
    let mut needs = plan.collection.permissions();
    needs.extend([Permission::StartHunt, Permission::CollectClient]);
    session.permitted(&needs).await?;
    let (os, include, exclude) = match &plan.scope {
        HuntScope::Rule { os, include_labels, exclude_labels } => {
            (*os, include_labels.clone(), exclude_labels.clone())
        }
        HuntScope::Clients(ids) => (None, listed(session, ids).await?, Vec::new()),
    };
    let id = match os {
        Some(os) if !include.is_empty() => {
            return Err(Fault::refused(format!(
                "a hunt's condition is a system or labels to include, not both: name the clients \
                 themselves, or leave {os} out where the artifacts run on nothing else"
            )));
        }
        Some(os) if !exclude.is_empty() => {
            create_by_call(session, plan, os, &exclude, expires).await?
        }
        _ => create_by_query(session, plan, &needs, (os, &include, &exclude), expires).await?,
    };
    // From here on there is a hunt, and whoever hears of a fault must hear its id.
    let made = status(session, &id).await.map_err(|fault| {
        Fault::unproved(format!(
            "hunt {id} was created paused, and reading it back failed: {fault}"
        ))
    })?;
    if let Some(difference) = differs(&made, plan) {
        return Err(Fault::unproved(format!(
            "hunt {id} was created and is paused, but {difference}"
        )));
    }
    if plan.start {
        return modify(session, &id, &super::HuntChange::Start).await.map_err(|fault| {
            Fault::unproved(format!("hunt {id} was created, and starting it failed: {fault}"))
        });
    }
    Ok(made)
}

/// The labels of a condition that only stands for these clients.
async fn listed(session: &Session<'_>, ids: &[crate::ids::ClientId]) -> Result<Vec<String>, Fault> {
    if ids.is_empty() || ids.len() > MOST_LISTED {
        return Err(Fault::bad_input(format!("a list of clients has 1 to {MOST_LISTED} of them")));
    }
    let found = all_of(session, ids).await?;
    let ids: Vec<_> = found.into_iter().map(|client| client.client_id).collect();
    let labels = labels_of(&ids);
    // The search finds labels by their beginning.
    let carried = ClientSearch {
        term: String::from("label:only client *"),
        count: 1,
        ..ClientSearch::default()
    };
    if clients::search(session, &carried).await?.total > 0 {
        return Err(Fault::refused(
            "a client carries a label that begins with \"only client\", which stands for one \
             client in the condition of such a hunt: remove that label first",
        ));
    }
    Ok(labels)
}

async fn create_by_query(
    session: &Session<'_>,
    plan: &HuntPlan,
    needs: &[Permission],
    (os, include, exclude): (Option<Os>, &[String], &[String]),
    expires: Timestamp,
) -> Result<HuntId, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        hunt_id: Option<HuntId>,
    }
    let query = plan
        .collection
        .bind(CREATE.query())
        .bind("MR_Description", plan.description.as_str())
        .bind_json("MR_Tags", &json!(plan.tags))
        .bind("MR_Expires", expires.as_second().to_string())
        .bind("MR_Pause", "Y")
        .bind("MR_Os", os.map_or("", Os::as_str))
        .bind_json("MR_Include", &json!(include))
        .bind_json("MR_Exclude", &json!(exclude));
    let mut rows: Vec<Row> = session.rows_with(&CREATE, query, needs, Limits::READ).await?;
    let unproved = || Fault::unproved("the server gave no hunt id, and no reason in its log");
    rows.pop().and_then(|row| row.hunt_id).ok_or_else(unproved)
}

/// VQL drops excluded labels where a system is named; the unary call keeps both. It acts on the
/// root org only.
async fn create_by_call(
    session: &Session<'_>,
    plan: &HuntPlan,
    os: Os,
    exclude: &[String],
    expires: Timestamp,
) -> Result<HuntId, Fault> {
    let system = match os {
        Os::Windows => hunt_os_condition::Os::Windows,
        Os::Linux => hunt_os_condition::Os::Linux,
        Os::Darwin => hunt_os_condition::Os::Osx,
        Os::FreeBsd => {
            return Err(Fault::bad_input("hunts know windows, linux and darwin, not freebsd"));
        }
    };
    let specs = plan.collection.parameters().iter().map(|(artifact, parameters)| ArtifactSpec {
        artifact: artifact.clone(),
        parameters: Some(ArtifactParameters {
            env: parameters
                .iter()
                .map(|(key, value)| VqlEnv { key: key.clone(), value: value.clone() })
                .collect(),
        }),
        ..ArtifactSpec::default()
    });
    let limits = plan.collection.limits();
    let request = ArtifactCollectorArgs {
        artifacts: plan.collection.parameters().keys().cloned().collect(),
        specs: specs.collect(),
        timeout: limits.timeout.map_or(0, |span| span.as_secs()),
        max_rows: limits.max_rows.unwrap_or(0),
        max_upload_bytes: limits.max_bytes.unwrap_or(0),
        cpu_limit: f32::from(limits.cpu_percent.unwrap_or(0)),
        ..ArtifactCollectorArgs::default()
    };
    let condition = HuntCondition {
        excluded_labels: Some(HuntLabelCondition { label: exclude.to_vec() }),
        union_field: Some(hunt_condition::UnionField::Os(HuntOsCondition { os: system.into() })),
    };
    let message = Message {
        hunt_description: plan.description.clone(),
        tags: plan.tags.clone(),
        state: hunt::State::Paused.into(),
        expires: u64::try_from(expires.as_microsecond()).unwrap_or_default(),
        start_request: Some(request),
        condition: Some(condition),
        ..Message::default()
    };
    let call = session.call(Limits::READ);
    let (id, identity) = session.server().create_hunt(message, &call).await?;
    session.used(identity);
    Ok(id)
}

/// What is different between a hunt and its plan.
fn differs(made: &HuntStatus, plan: &HuntPlan) -> Option<String> {
    let same_set =
        |a: &[String], b: &[String]| a.len() == b.len() && a.iter().all(|item| b.contains(item));
    let same_scope = match (&made.hunt.scope, &plan.scope) {
        (
            HuntScope::Rule { os, include_labels, exclude_labels },
            HuntScope::Rule {
                os: planned,
                include_labels: planned_include,
                exclude_labels: planned_exclude,
            },
        ) => {
            os == planned
                && same_set(include_labels, planned_include)
                && same_set(exclude_labels, planned_exclude)
        }
        (HuntScope::Clients(made), HuntScope::Clients(planned)) => {
            planned.iter().all(|id| made.contains(id)) && made.iter().all(|id| planned.contains(id))
        }
        _ => false,
    };
    if !same_scope {
        return Some(format!("its condition is {:?}", made.hunt.scope));
    }
    let artifacts: Vec<String> = plan.collection.parameters().keys().cloned().collect();
    if !same_set(&made.hunt.artifacts, &artifacts) {
        return Some(format!("it collects {}", made.hunt.artifacts.join(", ")));
    }
    if made.hunt.state != HuntState::Paused {
        return Some(format!("it is {}", made.hunt.state));
    }
    plan.collection.differs(&made.request)
}
