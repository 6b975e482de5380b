//! What a process left when it died while it wrote: bytes that are no lines.
//!
//! They stay where they are. The next process to write puts a line after them that names their
//! place, length and SHA-256; so they are told from a line that was changed later.

use std::collections::HashMap;

use memchr::memmem;

use crate::digest::Digest;

use super::line::Chain;
use super::line::event::{Event, Kind};

/// The torn places of a file that a line of the chain vouches for.
pub(super) struct Marks(HashMap<usize, usize>);

impl Marks {
    /// Finds the marks in a file's bytes.
    pub(super) fn of(bytes: &[u8], chain: &Chain) -> Self {
        let mut marks = HashMap::new();
        for at in memmem::find_iter(bytes, b"\"kind\":\"torn\"") {
            let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |feed| feed + 1);
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed);
            if let Some((from, length, sha256)) = mark(&bytes[start..end], chain)
                && let Some(torn) = from.checked_add(length).and_then(|to| bytes.get(from..to))
                && Digest::of_bytes(torn) == sha256
                // A line feed is put after what does not end in one.
                && start == from + length + usize::from(torn.last() != Some(&b'\n'))
            {
                marks.insert(from, start);
            }
        }
        Self(marks)
    }

    /// Where the marking line begins, if a torn place begins here.
    pub(super) fn at(&self, at: usize) -> Option<usize> {
        self.0.get(&at).copied()
    }
}

fn mark(line: &[u8], chain: &Chain) -> Option<(usize, usize, Digest)> {
    if chain.open(line).ok()?.kind != Kind::Torn {
        return None;
    }
    match serde_json::from_slice(line).ok()? {
        Event::Torn { at, bytes, sha256 } => {
            Some((usize::try_from(at).ok()?, usize::try_from(bytes).ok()?, sha256))
        }
        _ => None,
    }
}
