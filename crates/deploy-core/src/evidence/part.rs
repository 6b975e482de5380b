//! A file that has its name once it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::deployer::StepError;

/// A file beside its place; gone with this, unless it is kept.
pub(super) struct Part {
    path: PathBuf,
    place: PathBuf,
}

impl Part {
    /// Beside that place. One that a killed program left is of no use and goes.
    pub(super) fn beside(place: &Path) -> Result<Self, StepError> {
        super::place(place)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let path = place.with_file_name(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, &error)),
            _ => Ok(Self { path, place: place.to_owned() }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, for its owner only.
    pub(super) fn open(&self) -> Result<File, StepError> {
        owner_only::create(&self.path).map_err(|error| failed(&self.path, &error))
    }

    /// Gives it its name, where nothing has that name meanwhile.
    pub(super) fn keep(self) -> Result<(), StepError> {
        fs::hard_link(&self.path, &self.place).map_err(|error| failed(&self.place, &error))?;
        // The folder knows the name after a loss of power too; not every system lets it be said.
        if let Some(folder) = self.place.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It was never made, or is whole under its name.
        let _ = fs::remove_file(&self.path);
    }
}

fn failed(path: &Path, cause: &dyn std::fmt::Display) -> StepError {
    StepError::failed(
        format!("{}: {cause}", path.display()),
        "make room, or name a file in another folder",
    )
}
