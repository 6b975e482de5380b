//! Where in a serialised value somebody has to look: one pass over the bytes, before anything is
//! taken apart.

use super::{LONGEST, blobs, hostile, secrets};

/// What is nested deeper is left out: the reader's parser has a bound as well.
pub(super) const DEEPEST: usize = 120;

/// The places of the bytes that make a string worth a look, in order.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<usize>);

impl Marks {
    /// Finds them. Nothing where nothing in the whole text has to be looked at.
    pub(super) fn find(serialised: &str) -> Option<Self> {
        let bytes = serialised.as_bytes();
        let mut marks = secrets::anchors(bytes);
        marks.extend(hostile::places(serialised));
        marks.extend(blobs::find(bytes).into_iter().map(|run| run.start));
        marks.extend(escapes(bytes));
        let clean = marks.is_empty() && !has_long_string(bytes) && !may_be_deep(bytes);
        marks.sort_unstable();
        (!clean).then_some(Self(marks))
    }

    /// The number of those before a place.
    pub(super) fn before(&self, at: usize, from: usize) -> usize {
        from + self.0[from..].iter().take_while(|mark| **mark < at).count()
    }

    /// The mark of this number.
    pub(super) fn get(&self, number: usize) -> Option<usize> {
        self.0.get(number).copied()
    }
}

/// Where a string is spelled so that the bytes do not show its characters: `\u`, `\/`, and the
/// control characters with a letter of their own. `\n`, `\t`, `\"` and `\\` hide nothing.
fn escapes(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &bytes[at..]) {
        if matches!(bytes.get(at + next + 1), Some(b'u' | b'/' | b'r' | b'b' | b'f')) {
            found.push(at + next);
        }
        at = (at + next + 2).min(bytes.len());
    }
    found
}

fn has_long_string(bytes: &[u8]) -> bool {
    if bytes.len() <= LONGEST {
        return false;
    }
    let mut last = 0;
    memchr::memchr_iter(b'"', bytes).chain([bytes.len()]).any(|quote| {
        let long = quote - last > LONGEST;
        last = quote;
        long
    })
}

/// Whether a value may be nested too deeply. Brackets inside of strings are counted as well.
fn may_be_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for byte in bytes {
        let opens = usize::from(matches!(byte, b'[' | b'{'));
        let closes = usize::from(matches!(byte, b']' | b'}'));
        depth = (depth + opens).saturating_sub(closes);
        deepest = deepest.max(depth);
    }
    deepest > DEEPEST
}
