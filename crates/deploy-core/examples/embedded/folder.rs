//! A deployer of three steps on a folder: small enough to be read, and whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use deploy_core::{
    Deployer, Found, Plan, PlanError, Step, StepCx, StepError, StepName, TargetKind,
};
use serde::{Deserialize, Serialize};

/// What each step does, as it is kept in the plan.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
enum Action {
    /// Makes the folder of the deployment. Its name holds the id, so what stands there is ours.
    Folder,
    /// Writes two files. Between the two, it has run by half.
    Files { first: String, second: String },
    /// Writes how long the two are together, as the step before found out.
    Sum,
}

/// Deploys into a folder of `root` that has the deployment's id as its name.
#[derive(Debug)]
pub(crate) struct FolderDeployer {
    pub(crate) root: PathBuf,
    /// Called between any two effects: a test ends the program here.
    pub(crate) moment: fn(),
}

/// The plan: what will be done, as data.
pub(crate) fn plan(first: &str, second: &str) -> Result<Plan, PlanError> {
    let name = |text| StepName::new(text).expect("these are names");
    let files = Action::Files { first: first.to_owned(), second: second.to_owned() };
    Plan::new(vec![
        Step::new(name("folder"), "makes the folder of the deployment", &Action::Folder)?,
        Step::new(name("files"), "writes two files there", &files)?,
        Step::new(name("sum"), "writes how long they are together", &Action::Sum)?,
    ])
}

impl FolderDeployer {
    fn folder(&self, cx: &StepCx<'_>) -> PathBuf {
        self.root.join(cx.id.as_str())
    }

    async fn pause(&self) {
        (self.moment)();
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Deployer for FolderDeployer {
    fn kind(&self) -> TargetKind {
        TargetKind(String::from("folder"))
    }

    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        self.pause().await;
        let folder = self.folder(cx);
        let holds = |name: &str, text: &str| {
            fs::read_to_string(folder.join(name)).is_ok_and(|found| found == text)
        };
        let parts: Vec<(&str, bool)> = match action(step)? {
            Action::Folder if folder.is_file() => {
                return Ok(Found::Refused {
                    expected: String::from("a folder or nothing"),
                    found: format!("a file {}", folder.display()),
                    next: String::from("look what it is, and remove it"),
                });
            }
            Action::Folder => vec![("folder", folder.is_dir())],
            Action::Files { first, second } => {
                cx.note("length", first.len() + second.len());
                // A file with other content is there, too: it is written anew, or removed.
                vec![("first", holds("first", &first)), ("second", holds("second", &second))]
            }
            Action::Sum => {
                let length = cx.fact::<usize>("length").unwrap_or_default();
                vec![("sum", holds("sum", &length.to_string()))]
            }
        };
        let left = parts
            .iter()
            .filter(|part| part.1 || part.0 != "folder" && folder.join(part.0).exists());
        let left: Vec<String> = left.map(|part| part.0.to_owned()).collect();
        Ok(match (parts.iter().all(|part| part.1), left.is_empty()) {
            (true, _) => Found::Done,
            (false, true) => Found::Absent,
            (false, false) => Found::Half { left },
        })
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let folder = self.folder(cx);
        self.pause().await;
        match action(step)? {
            Action::Folder => made(fs::create_dir_all(&folder), &folder)?,
            Action::Files { first, second } => {
                cx.note("length", first.len() + second.len());
                made(fs::write(folder.join("first"), first), &folder)?;
                self.pause().await;
                made(fs::write(folder.join("second"), second), &folder)?;
            }
            Action::Sum => {
                let length: usize = cx.fact("length")?;
                made(fs::write(folder.join("sum"), length.to_string()), &folder)?;
            }
        }
        self.pause().await;
        Ok(())
    }

    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let folder = self.folder(cx);
        self.pause().await;
        match action(step)? {
            Action::Folder => gone(fs::remove_dir(&folder), &folder)?,
            Action::Files { .. } => {
                gone(fs::remove_file(folder.join("second")), &folder)?;
                self.pause().await;
                gone(fs::remove_file(folder.join("first")), &folder)?;
            }
            Action::Sum => gone(fs::remove_file(folder.join("sum")), &folder)?,
        }
        self.pause().await;
        Ok(())
    }
}

fn action(step: &Step) -> Result<Action, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

fn made(done: io::Result<()>, at: &Path) -> Result<(), StepError> {
    done.map_err(|error| {
        StepError::failed(format!("{}: {error}", at.display()), "mend the folder, then resume")
    })
}

/// What is not there is gone.
fn gone(done: io::Result<()>, at: &Path) -> Result<(), StepError> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => made(done, at),
    }
}
