//! The folder that holds all of a throw-away deployment.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deploy_core::server::DATASTORE;
use deploy_core::{DeploymentId, Found, StepCx, StepError};
use jiff::Timestamp;

/// The file that says to which deployment the folder belongs, and since when.
const MARK: &str = "megaraptor-demo";

/// Folders in it: the server's data and logs, and what programs put aside.
const INNER: [&str; 3] = ["store", "logs", "tmp"];

/// How long removing it is tried: somebody who was killed may still be writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the folder of a deployment is.
pub(super) fn of(id: &DeploymentId) -> PathBuf {
    std::env::temp_dir().join(format!("megaraptor-demo-{}", id.as_str().to_ascii_lowercase()))
}

pub(super) fn look(cx: &StepCx<'_>, folder: &Path) -> Result<Found, StepError> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(failed("looking at", folder, &error)),
        Ok(_) => {}
    }
    let Some(since) = mark(folder, cx.id) else {
        return Ok(Found::Refused {
            expected: format!("nothing, or a folder of {}", cx.id),
            found: format!("{} without the mark of that deployment", folder.display()),
            next: String::from("look whose it is; it is not touched. Then try again"),
        });
    };
    cx.note(DATASTORE, since);
    let missing = INNER.iter().any(|inner| !folder.join(inner).is_dir());
    Ok(if missing {
        Found::Half { left: vec![format!("the folder {}", folder.display())] }
    } else {
        Found::Done
    })
}

pub(super) fn make(cx: &StepCx<'_>, folder: &Path) -> Result<(), StepError> {
    if mark(folder, cx.id).is_none() {
        // Made by us, or not at all: a folder of somebody else is no place for keys.
        create(folder).map_err(|error| failed("making", folder, &error))?;
        let text = format!("{} {}", cx.id, Timestamp::now());
        write(&folder.join(MARK), text.as_bytes())?;
    }
    for inner in INNER {
        let inner = folder.join(inner);
        owner_only::make_folder(&inner).map_err(|error| failed("making", &inner, &error))?;
    }
    Ok(())
}

/// Removes it where it is ours.
pub(super) async fn remove(cx: &StepCx<'_>, folder: &Path) -> Result<(), StepError> {
    cx.forget(DATASTORE);
    if mark(folder, cx.id).is_none() {
        return Ok(());
    }
    let end = Instant::now() + PATIENCE;
    loop {
        match tokio::fs::remove_dir_all(folder).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() >= end => return Err(failed("removing", folder, &error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Writes a file for its owner only.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StepError> {
    owner_only::replace(path, bytes).map_err(|error| failed("writing", path, &error))
}

/// Makes a folder for its owner only, and fails where there is something of that name.
fn create(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Since when the folder belongs to this deployment.
fn mark(folder: &Path, id: &DeploymentId) -> Option<String> {
    let text = fs::read_to_string(folder.join(MARK)).ok()?;
    text.strip_prefix(id.as_str())?.strip_prefix(' ').map(str::to_owned)
}

pub(super) fn failed(doing: &str, path: &Path, error: &dyn std::fmt::Display) -> StepError {
    let what = format!("{doing} {}: {error}", path.display());
    StepError::failed(what, "mend what it names; TMPDIR names another place for the folder")
}
