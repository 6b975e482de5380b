//! A file that has its name once it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::deployer::StepError;
use crate::server::draw_lot;

/// A file beside its place; gone with this, unless it is kept. Its name was drawn by lot, so that no
/// other copy, and no other program, has the same.
pub(super) struct Part {
    path: PathBuf,
    place: PathBuf,
}

impl Part {
    /// Makes one beside that place, for its owner only.
    pub(super) fn beside(place: &Path) -> Result<(Self, File), StepError> {
        super::place(place)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", draw_lot()?));
        let path = place.with_file_name(name);
        let file = owner_only::create(&path).map_err(|error| failed(&path, &error))?;
        Ok((Self { path, place: place.to_owned() }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, where nothing has that name meanwhile.
    pub(super) fn keep(self) -> Result<(), StepError> {
        match fs::hard_link(&self.path, &self.place) {
            // A file system without links.
            Err(error)
                if error.kind() != io::ErrorKind::AlreadyExists
                    && fs::symlink_metadata(&self.place).is_err() =>
            {
                fs::rename(&self.path, &self.place)
            }
            linked => linked,
        }
        .map_err(|error| failed(&self.place, &error))?;
        // The folder knows the name after a loss of power too; not every system lets it be said.
        if let Some(folder) = self.place.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is no copy, or is whole under its own name.
        let _ = fs::remove_file(&self.path);
    }
}

fn failed(path: &Path, cause: &dyn std::fmt::Display) -> StepError {
    StepError::failed(
        format!("{}: {cause}", path.display()),
        "make room, or name a file in another folder",
    )
}
