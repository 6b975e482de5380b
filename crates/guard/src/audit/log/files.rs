//! The files of a log on disk: their names, how they are opened, whether they are still the same.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::audit::error::AuditError;

/// The name of a log's file.
pub(in crate::audit) fn file_name(ordinal: u64) -> String {
    format!("audit-{ordinal:08}.jsonl")
}

/// The log files of a folder by their numbers, the first one first.
pub(in crate::audit) fn files(folder: &Path) -> Result<Vec<u64>, AuditError> {
    let failed = |error| AuditError::io("reading", folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let ordinal = name
            .to_str()
            .and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok());
        if let Some(ordinal) = ordinal
            && name.to_str() == Some(&file_name(ordinal))
        {
            found.push(ordinal);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes the folder, for its owner only.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Readers and writers may come; nobody may rename or delete the file while it is written.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0x1 | 0x2);
    options
}

pub(super) fn open_file(path: &Path) -> Result<File, AuditError> {
    open_options().open(path).map_err(|error| AuditError::io("opening", path, error))
}

/// Opens a log file, or makes it so that a power cut does not lose it.
pub(super) fn make_file(folder: &Path, path: &Path) -> Result<File, AuditError> {
    let io = |error| AuditError::io("making", path, error);
    let file = open_options().create(true).open(path).map_err(io)?;
    file.sync_all().map_err(io)?;
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(file)
}

/// Says whether the open file is the one that the path names.
pub(super) fn same_file(file: &File, path: &Path) -> Result<(), AuditError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        let open = file.metadata().map_err(|error| AuditError::io("reading", path, error))?;
        match fs::symlink_metadata(path) {
            Ok(named) if identity(&named) == identity(&open) => {}
            Ok(_) => return Err(AuditError::Replaced { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(AuditError::Replaced { path: path.to_owned() });
            }
            Err(error) => return Err(AuditError::io("reading", path, error)),
        }
    }
    // On Windows nobody can take a file's place while it is open as we open it.
    #[cfg(not(unix))]
    let _ = (file, path);
    Ok(())
}
