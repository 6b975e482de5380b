//! The files of a server's datastore, to be compared before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::RealServer;
use crate::wait;

/// What the server writes by itself, whether or not anybody asks, with the reason.
pub const HOUSEKEEPING: &[(&str, &str)] = &[
    ("/flow_index.json", "the index of flows, made anew from the flows every few minutes"),
    ("/journal", "its own log of events and tasks"),
    ("/ping.db", "when each client was heard of last"),
    ("/server_artifact_logs", "what its own monitoring says of itself"),
    (
        "/repository_metadata.json",
        "which built-in artifacts are hidden, written some minutes after the start by a server that \
         nobody asks; the state has the metadata of each artifact",
    ),
    ("/Server.Internal", "queues within the server"),
    ("/Server.Monitor.Health", "its statistics, every few seconds"),
];

/// Sizes and times of the files of a datastore. A file that is written anew with the same content
/// is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    root: PathBuf,
    found: BTreeMap<PathBuf, (u64, SystemTime)>,
}

impl Files {
    /// The files as they are now.
    ///
    /// # Errors
    /// The datastore cannot be read, or holds next to nothing.
    pub fn of(server: &RealServer) -> anyhow::Result<Self> {
        let root = server.datastore();
        let mut found = BTreeMap::new();
        list(&root, &root, &mut found)?;
        ensure!(found.len() > 20, "only {} files in {}", found.len(), root.display());
        Ok(Self { root, found })
    }

    /// The files when the server has stopped writing what it was asked for before.
    ///
    /// # Errors
    /// It does not stop.
    pub async fn settled(server: &RealServer) -> anyhow::Result<Self> {
        let mut last = Self::of(server)?;
        let mut since = Instant::now();
        wait::until("the datastore to come to rest", Duration::from_secs(90), || {
            let outcome = Self::of(server).and_then(|now| {
                let differs = last.difference(&now);
                if !differs.is_empty() {
                    (last, since) = (now, Instant::now());
                }
                // The records of clients are written every 15 seconds.
                ensure!(since.elapsed() > Duration::from_secs(18), "just changed: {differs:?}");
                Ok(())
            });
            std::future::ready(outcome)
        })
        .await?;
        Ok(last)
    }

    /// What is different in `after`, a text for each file.
    pub fn difference(&self, after: &Self) -> Vec<String> {
        let (before, after) = (&self.found, &after.found);
        let mut differs = Vec::new();
        for (path, about) in before {
            match after.get(path) {
                None => differs.push(format!("{} is gone", path.display())),
                Some(now) if now != about => differs.push(format!("{} is another", path.display())),
                Some(_) => {}
            }
        }
        let new = after.keys().filter(|path| !before.contains_key(*path));
        differs.extend(new.map(|path| format!("{} is new", path.display())));
        differs
    }

    /// The SHA-256 of each file.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn hashes(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let hash = |path: &PathBuf| {
            let whole = self.root.join(path);
            let bytes = fs::read(&whole).with_context(|| whole.display().to_string())?;
            let digest = Sha256::digest(bytes);
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok((path.display().to_string(), digits))
        };
        self.found.keys().map(hash).collect()
    }
}

fn list(
    root: &Path,
    folder: &Path,
    found: &mut BTreeMap<PathBuf, (u64, SystemTime)>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let within = path.strip_prefix(root)?.to_path_buf();
        let name = format!("/{}", within.display());
        if HOUSEKEEPING.iter().any(|(own, _)| name.contains(own)) {
            continue;
        }
        // What goes while we look was a temporary file, or will be missed in the comparison.
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_dir() {
            list(root, &path, found)?;
        } else {
            found.insert(within, (about.len(), about.modified()?));
        }
    }
    Ok(())
}
