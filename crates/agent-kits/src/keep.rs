//! A kit on the disk: whole, and its owner's alone.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::KitError;

/// What is behind the name of a file that is being written.
const UNFINISHED: &str = "part";

/// A kit that was written, and read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// A file that goes again, unless it gets its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Whoever was told of a failure is told of that. One that is left is named by the next run.
        let _ = fs::remove_file(&self.0);
    }
}

struct Summed<W> {
    to: W,
    sum: Sha256,
    size: u64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.sum.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes a new file beside its place and gives it its name once it is whole.
pub(crate) fn keep(
    out: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Written, KitError> {
    if fs::symlink_metadata(out).is_ok() {
        return Err(KitError::Taken(out.to_owned()));
    }
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    let path = PathBuf::from(name);
    let file = owner_only::create(&path).map_err(|error| {
        if error.is_taken() { KitError::Unfinished(path.clone()) } else { error.into() }
    })?;
    let part = Part(path);
    let mut summed = Summed { to: BufWriter::new(file), sum: Sha256::new(), size: 0 };
    let done = write(&mut summed).and_then(|()| summed.flush());
    done.map_err(KitError::io("writing", out))?;
    let Summed { to, sum, size } = summed;
    let sha256 = hex(sum);
    let file = to.into_inner().map_err(|error| error.into_error());
    file.and_then(|file| file.sync_all()).map_err(KitError::io("writing", out))?;
    // By way of its rights: a disk that keeps none would show the kit to everybody.
    let read = sum_of(owner_only::open(&part.0)?).map_err(KitError::io("reading", out))?;
    if read != (size, sha256.clone()) {
        return Err(KitError::Changed(out.to_owned()));
    }
    named(&part, out)?;
    Ok(Written { path: out.to_owned(), size, sha256 })
}

/// Gives it its name. What has that name meanwhile stays as it is.
fn named(part: &Part, out: &Path) -> Result<(), KitError> {
    match fs::hard_link(&part.0, out) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(KitError::Taken(out.to_owned()))
        }
        // A file system without links.
        Err(_) if fs::symlink_metadata(out).is_err() => {
            fs::rename(&part.0, out).map_err(KitError::io("naming", out))
        }
        Err(error) => Err(KitError::io("naming", out)(error)),
    }
}

fn sum_of(mut file: File) -> io::Result<(u64, String)> {
    let (mut sum, mut size, mut block) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok((size, hex(sum)));
        }
        sum.update(&block[..count]);
        size += count as u64;
    }
}

pub(crate) fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("kit.deb");
        let failed = keep(&out, |to| {
            to.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(KitError::Io { .. })), "{failed:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let written = keep(&out, |to| to.write_all(b"whole")).unwrap();
        assert_eq!((written.size, fs::read(&out).unwrap()), (5, b"whole".to_vec()));
        let mut sum = Sha256::new();
        sum.update(b"whole");
        assert_eq!(written.sha256, hex(sum));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_stays_also_when_it_comes_while_the_kit_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("kit.deb");
        let late = keep(&out, |to| {
            fs::write(&out, b"mine")?;
            to.write_all(b"whole")
        });
        assert!(matches!(late, Err(KitError::Taken(_))), "{late:?}");
        let there = keep(&out, |_| Ok(()));
        assert!(matches!(there, Err(KitError::Taken(_))), "{there:?}");
        assert_eq!(fs::read(&out).unwrap(), b"mine");
        fs::write(folder.path().join("other.part"), b"").unwrap();
        let other = keep(&folder.path().join("other"), |_| Ok(()));
        assert!(matches!(other, Err(KitError::Unfinished(_))), "{other:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it_at_any_moment() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("kit");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        keep(&out, |to| {
            assert_eq!(mode(&folder.path().join("kit.part")), 0o600);
            to.write_all(b"x")
        })
        .unwrap();
        assert_eq!(mode(&out), 0o600);
    }
}
