//! Records on disk: one JSON file each, versioned, whole or not at all, for their owner only.
//!
//! A [`Shelf`] is a folder of numbered records. Whoever reads or writes it holds its lock, between
//! processes too, so that what is used once is used once. It also remembers the highest time that
//! was ever seen: see [`Times`].

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::home::{self, HomeError};

/// The version of the form in which records are written.
const VERSION: u32 = 1;

/// How far a clock may be set back by what keeps it right. Up to here time stands still; beyond,
/// nobody knows what is still within its life.
const CORRECTION: Duration = Duration::from_secs(120);

/// The clock of the machine, or of a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    pub fn of_the_machine() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that says what it is told.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Why records cannot be read or written. Nothing runs on the word of a record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What was found.
        source: io::Error,
    },
    /// A file holds something else than a record.
    #[error("{path} is no record that can be read: {why}; move it away to go on without it")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file was written by a newer version.
    #[error("{path} has version {found}, and this program knows {VERSION}: use the newer program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Another process holds the lock.
    #[error(
        "another megaraptor has held {path} for {} ms: end the one that hangs (fuser or lsof names it), then try again",
        waited.as_millis()
    )]
    Busy {
        /// The locked file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// There is no state folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file or folder cannot be made, or not for its owner alone.
    #[error(transparent)]
    Own(#[from] owner_only::Error),
    /// The folder can be changed by others.
    #[error(
        "{path} is open to others (mode {mode:o}): chmod 700 it, after a look at who wrote there"
    )]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl RecordError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    record: T,
}

#[derive(Serialize)]
struct EnvelopeRef<'a, T> {
    version: u32,
    record: &'a T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// The highest time seen.
#[derive(Serialize, Deserialize)]
struct HighMark {
    highest: Timestamp,
}

/// What time it is, for lives of records.
///
/// A clock that is set back must not bring anything back to life. So the highest time that was seen
/// counts as now until the clock has passed it. Where the clock went back by more than two minutes,
/// nobody knows what would still be alive: [`Times::went_back`] says so, the holder of the records
/// ends whatever lives, and time begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Now.
    pub(crate) now: Timestamp,
    /// The clock went back by more than a correction.
    pub(crate) went_back: bool,
}

/// A folder of numbered records.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    clock: Clock,
}

/// A shelf while its lock is held.
pub(crate) struct Held<'a> {
    shelf: &'a Shelf,
    times: Times,
    _lock: File,
}

impl Shelf {
    /// Opens a folder of the state folder; both are made where they are missing.
    pub(crate) fn open(home: &Path, name: &str, clock: Clock) -> Result<Self, RecordError> {
        Ok(Self { folder: own_folder(home, name)?, clock })
    }

    /// Waits for the lock and keeps it until the value is dropped.
    pub(crate) fn hold(&self) -> Result<Held<'_>, RecordError> {
        let lock = lock(&self.folder)?;
        let mark = self.folder.join("clock.json");
        let highest = read_json::<HighMark>(&mark)?.map(|mark| mark.highest);
        let wall = self.clock.now();
        let times = match highest {
            Some(highest) if wall < highest => {
                let back = wall.duration_until(highest).unsigned_abs();
                let went_back = back > CORRECTION;
                Times { now: if went_back { wall } else { highest }, went_back }
            }
            _ => Times { now: wall, went_back: false },
        };
        Ok(Held { shelf: self, times, _lock: lock })
    }
}

impl Held<'_> {
    pub(crate) const fn times(&self) -> Times {
        self.times
    }

    /// Remembers the time. To be called when the lives of the records were looked at, and after
    /// what ended was written down.
    pub(crate) fn remember_time(&self) -> Result<(), RecordError> {
        write_json(&self.shelf.folder.join("clock.json"), &HighMark { highest: self.times.now })
    }

    /// All records with their numbers, in the order in which they were made.
    pub(crate) fn all<T: DeserializeOwned>(&self) -> Result<Vec<(u64, T)>, RecordError> {
        let folder = &self.shelf.folder;
        let mut records = Vec::new();
        for number in self.numbers()? {
            let path = folder.join(name(number));
            let record = read_json(&path)?.ok_or_else(|| RecordError::Corrupt {
                path,
                why: "it went away while it was read".to_owned(),
            })?;
            records.push((number, record));
        }
        Ok(records)
    }

    /// The record of a number, where there is one.
    pub(crate) fn one<T: DeserializeOwned>(&self, number: u64) -> Result<Option<T>, RecordError> {
        read_json(&self.shelf.folder.join(name(number)))
    }

    /// A number that no record has had.
    pub(crate) fn next_number(&self) -> Result<u64, RecordError> {
        Ok(self.numbers()?.last().map_or(1, |last| last + 1))
    }

    /// Writes a record, whole or not at all, and onto the disk.
    pub(crate) fn write<T: Serialize>(&self, number: u64, record: &T) -> Result<(), RecordError> {
        write_json(&self.shelf.folder.join(name(number)), record)
    }

    /// Removes a record.
    pub(crate) fn remove(&self, number: u64) -> Result<(), RecordError> {
        let path = self.shelf.folder.join(name(number));
        fs::remove_file(&path).map_err(RecordError::io("removing", &path))
    }

    fn numbers(&self) -> Result<Vec<u64>, RecordError> {
        let folder = &self.shelf.folder;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder).map_err(RecordError::io("listing", folder))? {
            let entry = entry.map_err(RecordError::io("listing", folder))?;
            let number = entry.file_name().to_str().and_then(|name| {
                name.strip_suffix(".json").and_then(|digits| digits.parse::<u64>().ok())
            });
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn name(number: u64) -> String {
    format!("{number:08}.json")
}

/// Makes a folder of the state folder, for its owner only.
pub(crate) fn own_folder(home: &Path, name: &str) -> Result<PathBuf, RecordError> {
    let folder = home.join(name);
    home::make(home)?;
    // Whoever looks after the account may use what is there, in an emergency above all: whose it is
    // is not asked, but who else may come in.
    if !folder.is_dir() {
        owner_only::make_folder(&folder)?;
    }
    // Who may write to the state folder may put another folder in the place of this one.
    check(home, 0o022)?;
    check(&folder, 0o077)?;
    Ok(folder)
}

#[cfg(unix)]
fn check(folder: &Path, forbidden: u32) -> Result<(), RecordError> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(folder).map_err(RecordError::io("looking at", folder))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(RecordError::Exposed { path: folder.to_owned(), mode })
    }
}

/// Elsewhere a folder in the account's own data folder takes over its rights.
#[cfg(not(unix))]
fn check(_folder: &Path, _forbidden: u32) -> Result<(), RecordError> {
    Ok(())
}

/// Opens a file, or makes an empty one for its owner only.
pub(crate) fn own_file(options: &OpenOptions, path: &Path) -> Result<File, RecordError> {
    let opened = || options.open(path);
    match opened() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match owner_only::create(path) {
            // Another process was faster.
            Err(error) if error.is_taken() => opened().map_err(RecordError::io("opening", path)),
            made => Ok(made?),
        },
        opened => opened.map_err(RecordError::io("opening", path)),
    }
}

/// How long a lock is waited for: whoever holds one writes a file or two.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Waits for the lock of a folder, but not for ever. It ends with the file that is given back, and
/// with the process.
pub(crate) fn lock(folder: &Path) -> Result<File, RecordError> {
    lock_within(folder, LOCK_WAIT)
}

fn lock_within(folder: &Path, wait: Duration) -> Result<File, RecordError> {
    let path = folder.join("lock");
    let file = own_file(OpenOptions::new().write(true), &path)?;
    let start = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(RecordError::io("locking", &path)(error));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                return Err(RecordError::Busy { path, waited: start.elapsed() });
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(4));
            }
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::io("reading", path)(error)),
    };
    let corrupt = |error: serde_json::Error| RecordError::Corrupt {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let VersionOnly { version } = serde_json::from_slice(&text).map_err(corrupt)?;
    if version != VERSION {
        return Err(RecordError::Newer { path: path.to_owned(), found: version });
    }
    let envelope: Envelope<T> = serde_json::from_slice(&text).map_err(corrupt)?;
    Ok(Some(envelope.record))
}

fn write_json<T: Serialize>(path: &Path, record: &T) -> Result<(), RecordError> {
    let text = serde_json::to_vec_pretty(&EnvelopeRef { version: VERSION, record })
        .map_err(|error| RecordError::io("writing", path)(error.into()))?;
    Ok(owner_only::replace(path, &text)?)
}

#[cfg(test)]
pub(crate) mod testing {
    //! A clock that is set by hand.

    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Seconds since a day in 2026.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Hand(Arc<AtomicI64>);

    impl Hand {
        pub(crate) fn set(&self, seconds: i64) {
            self.0.store(seconds, Ordering::SeqCst);
        }

        pub(crate) fn clock(&self) -> Clock {
            let hand = self.clone();
            Clock::from_fn(move || at(hand.0.load(Ordering::SeqCst)))
        }
    }

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Hand, at};
    use super::*;

    fn shelf() -> (tempfile::TempDir, Hand, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::default();
        let shelf = Shelf::open(&folder.path().join("home"), "shelf", hand.clock()).unwrap();
        (folder, hand, shelf)
    }

    #[test]
    fn records_are_numbered_and_read_back() {
        let (_folder, _, shelf) = shelf();
        let held = shelf.hold().unwrap();
        assert_eq!(held.next_number().unwrap(), 1);
        held.write(1, &"one").unwrap();
        held.write(2, &"two").unwrap();
        held.write(1, &"uno").unwrap();
        assert_eq!(held.all::<String>().unwrap(), [(1, "uno".into()), (2, "two".into())]);
        held.remove(1).unwrap();
        assert_eq!(held.next_number().unwrap(), 3);
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_file() {
        let (_folder, _, shelf) = shelf();
        let path = shelf.folder.join(name(1));
        for (text, wanted) in [
            ("", "is no record"),
            ("{\"version\": 1", "is no record"),
            ("{\"version\": 1, \"record\": 5}", "is no record"),
            ("{\"version\": 2, \"record\": \"x\"}", "has version 2"),
        ] {
            fs::write(&path, text).unwrap();
            let error = shelf.hold().unwrap().all::<String>().unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("00000001.json"), "{text}: {error}");
        }
        // What was left by a write that did not end is no record.
        fs::remove_file(&path).unwrap();
        fs::write(shelf.folder.join(".tmpAbC"), "half").unwrap();
        assert_eq!(shelf.hold().unwrap().all::<String>().unwrap(), []);
    }

    #[test]
    fn time_never_goes_back() {
        let (_folder, hand, shelf) = shelf();
        let look = |seconds| {
            hand.set(seconds);
            let held = shelf.hold().unwrap();
            held.remember_time().unwrap();
            held.times()
        };
        assert_eq!(look(1000), Times { now: at(1000), went_back: false });
        assert_eq!(look(900), Times { now: at(1000), went_back: false });
        assert_eq!(look(879), Times { now: at(879), went_back: true });
        assert_eq!(look(880), Times { now: at(880), went_back: false });
    }

    #[cfg(unix)]
    #[test]
    fn records_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, _, shelf) = shelf();
        let home = folder.path().join("home");
        shelf.hold().unwrap().write(1, &"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&shelf.folder), 0o700);
        for entry in fs::read_dir(&shelf.folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        let refused = || match Shelf::open(&home, "shelf", Clock::of_the_machine()) {
            Err(RecordError::Exposed { path, mode }) => (path, mode),
            other => panic!("{other:?}"),
        };
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&shelf.folder, 0o750);
        assert_eq!(refused(), (shelf.folder.clone(), 0o750));
        set(&shelf.folder, 0o700);
        set(&home, 0o775);
        assert_eq!(refused(), (home.clone(), 0o775));
    }

    #[test]
    fn one_holder_at_a_time() {
        let (_folder, _, shelf) = shelf();
        let count = || {
            for _ in 0..50 {
                let held = shelf.hold().unwrap();
                let number = held.next_number().unwrap();
                held.write(number, &number).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(count);
            }
        });
        let all = shelf.hold().unwrap().all::<u64>().unwrap();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|(number, record)| number == record));
    }

    #[test]
    fn a_lock_that_another_holds_is_named_and_not_waited_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let error = lock_within(folder.path(), Duration::from_millis(20)).unwrap_err();
        let named = matches!(&error, RecordError::Busy { path, .. } if path.ends_with("lock"));
        assert!(named && error.to_string().contains("end the one that hangs"), "{error}");
        drop(held);
        lock_within(folder.path(), Duration::from_millis(20)).unwrap();
    }
}
