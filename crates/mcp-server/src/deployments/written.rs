//! Files that are written for a person.

use std::path::Path;

use crate::tool_error::{Code, ToolError};

/// Makes a folder for its owner only; one that is there has to be its owner's alone. Blocking.
///
/// # Errors
///
/// `conflict`, with what is in the way.
pub fn own_folder(folder: &Path) -> Result<(), ToolError> {
    owner_only::make_folder(folder).map_err(|error| {
        ToolError::new(Code::Conflict, error.to_string()).next("name another folder")
    })
}

/// Writes a file for its owner only, whole or not at all, in a folder that is there. A file that is
/// there stays as it is. Blocking.
///
/// # Errors
///
/// `conflict`, with what is in the way.
pub fn keep(file: &Path, text: &str) -> Result<(), ToolError> {
    let refused = |error: owner_only::Error| {
        if error.is_taken() {
            return taken(file);
        }
        ToolError::new(Code::Conflict, error.to_string()).next("name another folder")
    };
    let made = owner_only::create(file).map_err(refused)?;
    fill(file, made, text.as_bytes())
}

/// What is half written is no document, and would be in the way of the next try.
fn fill(file: &Path, mut made: impl Filled, bytes: &[u8]) -> Result<(), ToolError> {
    let written = made.write_all(bytes).and_then(|()| made.settle());
    written.map_err(|error| {
        let removed = std::fs::remove_file(file);
        let left = removed.err().map_or_else(String::new, |why| format!(", and is left: {why}"));
        let said = format!("{} was not written: {error}{left}", file.display());
        ToolError::new(Code::Conflict, said).next("make room, or name another folder")
    })
}

/// Something that is written to and then waited for.
trait Filled: std::io::Write {
    fn settle(&self) -> std::io::Result<()>;
}

impl Filled for std::fs::File {
    fn settle(&self) -> std::io::Result<()> {
        self.sync_all()
    }
}

/// There is something of that name.
pub fn taken(file: &Path) -> ToolError {
    ToolError::new(
        Code::Conflict,
        format!("{} is there already, and stays as it is", file.display()),
    )
    .next("name another one, or move the file away")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full after some bytes.
    struct Full(std::fs::File);

    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(&bytes[..1])?;
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Filled for Full {
        fn settle(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_whole_is_not_left_half() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.config.yaml");
        let made = owner_only::create(&file).unwrap();
        let error = fill(&file, Full(made), b"secret").unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        assert!(!file.exists(), "half of it is left");
        keep(&file, "whole").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "whole");
        let error = keep(&file, "other").unwrap_err();
        assert!(error.message.contains("is there already"), "{}", error.message);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "whole");
    }
}
