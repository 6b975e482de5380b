//! Deployments as callers see them.

use std::fmt::Write as _;

use credstore::CredentialStore as _;
use deploy_core::server::{ANSWERED, ServerOrder, ServerStep, VERSION, Vault, names};
use deploy_core::{DeploymentId, Record, Status};
use deploy_docker::DockerStep;
use deploy_linux::{LinuxDeployer, LinuxStep};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_api::IdentityKind;

use super::{Deployments, Listed};
use crate::clock;
use crate::tool_error::{Code, ToolError};

/// A deployment in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Brief {
    /// Its id; tools take it as `server`.
    pub id: String,
    /// planned, undone, partial, up, removing, gone, or unreadable
    pub status: &'static str,
    /// On what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub made: Option<Timestamp>,
    /// When it is to be removed; nothing removes it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub due: Option<Timestamp>,
    /// It is past its time.
    pub overdue: bool,
    /// Why it is not where it was to be, or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A step of a plan, and how far it is on record.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepShown {
    /// Its name.
    pub name: String,
    /// What it does.
    pub does: String,
    /// waiting, begun, done or undoing
    pub phase: String,
}

/// All that is told of a deployment. No secret: references to them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Whole {
    #[serde(flatten)]
    pub brief: Brief,
    /// Where agents reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<String>,
    /// The GUI's address, for a browser on the machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gui: Option<String>,
    /// Who logs in there first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gui_user: Option<String>,
    /// The API's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The version that the server says that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When a query was last answered while it was deployed or resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// References of its secrets; a person reads one with megaraptor credential show.
    pub credentials: Vec<String>,
    /// Copies of its evidence, each with its SHA-256 as it was read back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// What to keep in mind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// The plan, and how far it is.
    pub steps: Vec<StepShown>,
}

impl Brief {
    /// Of a record, or of what cannot be read.
    pub fn of(listed: &Listed, now: Timestamp) -> Self {
        match &listed.record {
            Ok(record) => Self::read(record, now),
            Err(error) => Self {
                id: listed.id.to_string(),
                status: "unreadable",
                on: None,
                profile: None,
                case: None,
                description: None,
                tags: Vec::new(),
                made: None,
                due: None,
                overdue: false,
                trouble: Some(error.message.clone()),
            },
        }
    }

    /// Of a record.
    pub fn read(record: &Record, now: Timestamp) -> Self {
        let about = &record.about;
        let trouble = record.trouble.as_ref().map(|it| {
            format!("{}, step {}: {}; {}", clock::to_second(it.at), it.step, it.cause, it.next)
        });
        Self {
            id: record.id.to_string(),
            status: record.status().as_str(),
            on: Some(record.kind.to_string()),
            profile: Some(about.profile.clone()),
            case: about.case.clone(),
            description: Some(about.description.clone()).filter(|text| !text.is_empty()),
            tags: about.tags.iter().cloned().collect(),
            made: Some(clock::to_second(record.made)),
            due: about.due.map(clock::to_second),
            overdue: record.is_due(now),
            trouble,
        }
    }
}

impl Brief {
    /// Whether its tags, case or description have a word.
    pub fn has(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let texts = [self.case.as_deref(), self.description.as_deref(), Some(self.id.as_str())];
        let mut texts = texts.into_iter().flatten().chain(self.tags.iter().map(String::as_str));
        texts.any(|text| text.to_lowercase().contains(&word))
    }
}

impl Deployments {
    /// All that is told of a record.
    ///
    /// # Errors
    ///
    /// Where the store of secrets could not be asked to its end.
    pub async fn whole(&self, record: &Record, now: Timestamp) -> Result<Whole, ToolError> {
        // The store is files: they are not waited for where other calls run.
        let (this, id) = (self.clone(), record.id.clone());
        let references = tokio::task::spawn_blocking(move || this.references(&id)).await;
        let (credentials, unlisted) =
            references.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
        let mut exposed = record.plan.warnings().to_vec();
        exposed.extend(unlisted.map(|error| format!("not all of its secrets are listed: {error}")));
        let order = order(record);
        let fact =
            |name: &str| record.facts.get(name).and_then(|fact| fact.as_str()).map(str::to_owned);
        let phase =
            |phase| serde_json::to_value(phase).ok().and_then(|it| it.as_str().map(str::to_owned));
        Ok(Whole {
            brief: Brief::read(record, now),
            agents: order.as_ref().map(|order| order.agents_at.to_string()),
            gui: gui(record),
            gui_user: order.as_ref().map(|order| order.gui_user.clone()),
            api: order.as_ref().map(|order| order.api_at.to_string()),
            version: fact(VERSION),
            answered: fact(ANSWERED)
                .and_then(|at| at.parse().ok())
                .map(|at| clock::to_second(at).to_string()),
            credentials,
            copies: record
                .copies
                .iter()
                .map(|it| {
                    let (at, file) = (clock::to_second(it.at), it.file.display());
                    format!("{at} {file}, SHA-256 {}", it.sha256)
                })
                .collect(),
            exposed,
            steps: record
                .steps()
                .map(|(step, at)| StepShown {
                    name: step.name.to_string(),
                    does: step.does.clone(),
                    phase: phase(at).unwrap_or_default(),
                })
                .collect(),
        })
    }

    /// References of the secrets that there are, and why some may lack. None is opened. Blocking.
    fn references(&self, id: &DeploymentId) -> (Vec<String>, Option<ToolError>) {
        let all = [names::CONFIG, names::GUI_PASSWORD]
            .into_iter()
            .chain(IdentityKind::ALL.map(names::api));
        let own = all.filter_map(|name| {
            let reference = Vault::reference(id, name).ok()?;
            self.store().find(&reference).ok().flatten().map(|_| reference.to_string())
        });
        let mut references: Vec<String> = own.collect();
        let further = self.further_users(id).map(|all| {
            references.extend(all.iter().map(|kept| kept.credential.to_string()));
        });
        (references, further.err())
    }
}

/// What was decided about the server, as its plan has it.
pub(crate) fn order(record: &Record) -> Option<ServerOrder> {
    record.plan.steps().iter().find_map(|step| {
        let step = if record.kind.0 == LinuxDeployer::KIND {
            match step.settings::<LinuxStep>().ok()? {
                LinuxStep::Server { step, .. } => step,
                _ => return None,
            }
        } else {
            match step.settings::<DockerStep>().ok()? {
                DockerStep::Server { step, .. } => step,
                _ => return None,
            }
        };
        match step {
            ServerStep::Keys(order) => Some(*order),
            _ => None,
        }
    })
}

/// The address of the GUI.
pub(super) fn gui(record: &Record) -> Option<String> {
    order(record).map(|order| format!("https://{}", order.gui_at))
}

impl Whole {
    /// Names of its secrets, with what they have in common once.
    fn secrets(&self) -> String {
        let names: Vec<&str> =
            self.credentials.iter().filter_map(|it| it.rsplit('/').next()).collect();
        match self.credentials.first().and_then(|first| first.rsplit_once('/')) {
            Some((group, _)) => format!("{group}/ {}", names.join(", ")),
            None => String::new(),
        }
    }

    /// The lines for a person.
    pub fn write(&self, out: &mut String) {
        let brief = &self.brief;
        let _ = write!(out, "{} {}", brief.id, brief.status.to_uppercase());
        if let (Some(on), Some(profile)) = (&brief.on, &brief.profile) {
            let _ = write!(out, " on {on}, profile {profile}");
        }
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                // Somebody wrote it: a line end in it would begin a line of ours.
                let value = value.replace(['\n', '\r'], "\\n");
                let _ = write!(out, "\n{name:<12} {value}");
            }
        };
        line("case", brief.case.clone());
        line("about", brief.description.clone());
        line("tags", Some(brief.tags.join(", ")));
        line("made", brief.made.map(|at| at.to_string()));
        line(
            "due",
            brief.due.map(|at| {
                let over = if brief.overdue { " (PAST: megaraptor deployments sweep)" } else { "" };
                format!("{at}{over}")
            }),
        );
        line("agents", self.agents.clone());
        line(
            "GUI",
            self.gui.as_ref().map(|gui| {
                let user = self.gui_user.as_deref().unwrap_or_default();
                format!("{gui} as {user}; its certificate is of the deployment's own CA")
            }),
        );
        line("API", self.api.clone());
        line("version", self.version.clone());
        line("answered", self.answered.clone());
        let password = self.credentials.iter().find(|name| name.ends_with(names::GUI_PASSWORD));
        line(
            "password",
            password.map(|name| format!("a person sees it with megaraptor credential show {name}")),
        );
        line("secrets", Some(self.secrets()));
        for copy in &self.copies {
            line("copy", Some(copy.clone()));
        }
        line("trouble", brief.trouble.clone());
        for warning in &self.exposed {
            line("!", Some(warning.clone()));
        }
        let up = brief.status == Status::Up.as_str();
        if !up {
            for step in &self.steps {
                let _ = write!(out, "\n  {:<8} {}", step.phase, step.does);
            }
        }
    }
}
