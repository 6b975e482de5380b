//! Finding the `velociraptor` executable.

use std::env;
use std::path::PathBuf;

use crate::suite::Halt;

/// The executable that `VELOCIRAPTOR_BINARY` names, else `velociraptor` on `PATH`.
///
/// # Errors
/// [`Halt::Skip`] when neither is there. A variable that names something else than a file is a
/// mistake of the caller: [`Halt::Fail`].
pub fn find() -> Result<PathBuf, Halt> {
    if let Some(named) = env::var_os("VELOCIRAPTOR_BINARY") {
        let path = PathBuf::from(named);
        if path.is_file() {
            return Ok(path);
        }
        return Err(Halt::Fail(anyhow::anyhow!(
            "VELOCIRAPTOR_BINARY is not a file: {}",
            path.display()
        )));
    }
    let name = format!("velociraptor{}", env::consts::EXE_SUFFIX);
    env::var_os("PATH")
        .iter()
        .flat_map(env::split_paths)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Halt::Skip(
                "no Velociraptor: set VELOCIRAPTOR_BINARY, or put `velociraptor` on PATH".into(),
            )
        })
}
