//! The evidence of a deployment, copied out of it and read back.
//!
//! A copy is one file for its owner only. It is written beside its place, read back whole, compared
//! with the source entry by entry, and has its name only then: a file of that name is a whole copy.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::deployer::StepError;
use crate::preflight::free_disk;
use crate::record::Record;

mod archive;
mod part;

pub use archive::Listing;
use archive::{Flow, list, read_back, write};
use part::Part;

/// Pieces that are on their way at a time, so that a slow disk holds a fast source back.
const ON_THE_WAY: usize = 16;

/// What a copy may need beyond the content: headers of entries, and some.
const BESIDE: u64 = 1 << 20;
const OF_AN_ENTRY: u64 = 2048;

/// Where the evidence of deployments comes from.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// Stops the server in order, so that nothing changes while it is copied. That it does not run is
    /// no failure.
    async fn rest(&self, record: &Record) -> Result<(), StepError>;

    /// Starts the server again that was stopped for a copy, and does nothing else: what is not there is
    /// not made.
    async fn wake(&self, record: &Record) -> Result<(), StepError>;

    /// Whether a file of this machine would be among what is copied or removed.
    fn holds(&self, record: &Record, file: &Path) -> bool;

    /// Sends all of the data as one tar, in the same order each time.
    async fn pour(&self, record: &Record, into: &Pipe) -> Result<(), StepError>;
}

/// Where a source sends its bytes.
#[derive(Clone, Debug)]
pub struct Pipe(mpsc::Sender<Vec<u8>>);

impl Pipe {
    /// Sends some bytes, and waits while whoever takes them is behind.
    ///
    /// # Errors
    ///
    /// Where nobody takes them any longer: why, whoever took them says.
    pub async fn send(&self, bytes: Vec<u8>) -> Result<(), StepError> {
        self.0
            .send(bytes)
            .await
            .map_err(|_| StepError::failed("nobody takes the copy any longer", "begin it again"))
    }
}

/// A copy of the evidence of a deployment, as it was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The file.
    pub file: PathBuf,
    /// When it was whole.
    pub at: Timestamp,
    /// Files, folders and links in it.
    pub entries: u64,
    /// Bytes of all files in it.
    pub content: u64,
    /// Bytes of the file itself.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// How a copy is led.
#[derive(Clone, Copy)]
pub struct Copying<'a> {
    /// Where it comes from.
    pub source: &'a dyn Evidence,
    /// The file, which is not there yet, in a folder that is.
    pub file: &'a Path,
    /// Stops it; what was written is removed.
    pub cancel: &'a CancellationToken,
    /// Where it is told how far it is.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

impl Copying<'_> {
    /// Stops the server, copies its evidence, and reads the copy back. The server stays stopped.
    ///
    /// # Errors
    ///
    /// Where anything of it fails: then there is no file, and nothing of the source was changed.
    pub async fn run(&self, record: &Record) -> Result<Copied, StepError> {
        self.outside(record)?;
        (self.say)("stopping the server, so that nothing changes while it is copied");
        self.stoppable(self.source.rest(record)).await?;
        (self.say)("listing the evidence");
        let listed = self.poured(record, list).await?;
        if listed.entries == 0 {
            return Err(StepError::failed(
                "the source has nothing, not even a folder",
                "look whether the data are where the deployment has them",
            ));
        }
        self.room(&listed)?;
        let total = format!("{} entries, {} MiB", listed.entries, listed.content >> 20);
        (self.say)(&format!("copying the evidence: {total}"));
        let (part, to) = Part::beside(self.file)?;
        self.poured(record, move |from| write(from, to)).await?;
        (self.say)(&format!("reading the copy back: {total}"));
        let path = part.path().to_owned();
        let reading = tokio::task::spawn_blocking(move || read_back(&path));
        let read = self.stoppable(async {
            let read = reading.await.map_err(|error| StepError::Panicked(error.to_string()))?;
            read.map_err(|error| not_read_back(part.path(), &error.to_string()))
        });
        let read = read.await?;
        if read.listing != listed {
            let told = |it: &Listing| format!("{} entries and {} bytes", it.entries, it.content);
            let same =
                (read.listing.entries, read.listing.content) == (listed.entries, listed.content);
            let how = if same { ", with other content" } else { "" };
            let cause =
                format!("the source has {}, the copy {}{how}", told(&listed), told(&read.listing));
            return Err(not_read_back(part.path(), &cause));
        }
        part.keep()?;
        Ok(Copied {
            file: self.file.to_owned(),
            at: Timestamp::now(),
            entries: listed.entries,
            content: listed.content,
            size: read.size,
            sha256: read.sha256,
        })
    }

    /// A copy within the deployment would be copied too, and be removed with it.
    fn outside(&self, record: &Record) -> Result<(), StepError> {
        place(self.file)?;
        let folder = self.file.parent().map(fs::canonicalize);
        let Some((Ok(folder), name)) = folder.zip(self.file.file_name()) else {
            return Err(StepError::failed(
                format!("{}: its folder cannot be looked at", self.file.display()),
                "name a file in another folder",
            ));
        };
        if self.source.holds(record, &folder.join(name)) {
            return Err(StepError::failed(
                format!("{} is within {}: it would go with it", self.file.display(), record.id),
                "name a file elsewhere",
            ));
        }
        Ok(())
    }

    /// Lets the source pour, and a thread of its own take what comes.
    async fn poured<T: Send + 'static>(
        &self,
        record: &Record,
        take: impl FnOnce(Flow) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StepError> {
        let (to, from) = mpsc::channel(ON_THE_WAY);
        let taken = tokio::task::spawn_blocking(move || take(Flow::new(from)));
        let poured = async {
            // Dropped at its end, which is how the other side knows.
            let pipe = Pipe(to);
            let done = self.stoppable(self.source.pour(record, &pipe)).await;
            (done, pipe.0.is_closed())
        };
        let (poured, taken) = tokio::join!(poured, taken);
        let taken = taken.map_err(|error| StepError::Panicked(error.to_string()))?;
        let taken = taken.map_err(|error| {
            StepError::failed(
                format!("copying to {}: {error}", self.file.display()),
                "make room, or name a file in another folder",
            )
        });
        match poured {
            // Whoever took it stopped first, and knows why.
            (Err(error), true) => taken.and(Err(error)),
            (Err(error), false) => Err(error),
            (Ok(()), _) => taken,
        }
    }

    async fn stoppable<T>(
        &self,
        work: impl Future<Output = Result<T, StepError>> + Send,
    ) -> Result<T, StepError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                Err(StepError::failed("it was stopped", "begin it again"))
            }
            done = work => done,
        }
    }

    /// Whether there is room, before anything is written: content that does not compress needs all.
    fn room(&self, listed: &Listing) -> Result<(), StepError> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let needed = listed.content + listed.entries * OF_AN_ENTRY + BESIDE;
        match free_disk(folder) {
            Some(free) if free < needed => Err(StepError::failed(
                format!(
                    "{} has {} MiB free, and a copy may need {} MiB",
                    folder.display(),
                    free >> 20,
                    needed.div_ceil(1 << 20)
                ),
                "make room, or name a file in another folder",
            )),
            // Where it cannot be seen, a disk that fills up ends it all the same.
            _ => Ok(()),
        }
    }
}

fn not_read_back(path: &Path, cause: &str) -> StepError {
    StepError::failed(
        format!("the copy {} was not read back as it was: {cause}", path.display()),
        "look at the disk that it is on, then copy it again",
    )
}

/// Whether a path is free for a copy: from the root on, its folder there, and nothing of that name.
///
/// # Errors
///
/// What is wrong with it.
pub fn place(file: &Path) -> Result<(), StepError> {
    let failed = |cause: &str| {
        let next = "name a file that is not there yet, in a folder that is";
        StepError::failed(format!("{}: {cause}", file.display()), next)
    };
    if !file.is_absolute() || file.file_name().is_none() {
        return Err(failed("expected the whole path of a file"));
    }
    if fs::symlink_metadata(file).is_ok() {
        return Err(failed("it is there already, and stays as it is"));
    }
    match file.parent().map(fs::metadata) {
        Some(Ok(folder)) if folder.is_dir() => Ok(()),
        _ => Err(failed("its folder is not there")),
    }
}

#[cfg(test)]
mod tests;
