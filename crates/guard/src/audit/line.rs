//! One line of the log: its text, and its place in the chain.
//!
//! A line is a JSON object that ends with `,"prev":"…","hash":"…"}`. The hash covers every byte
//! before `,"hash"`, the previous line's hash with it, under a prefix that names the kind of chain
//! and the log, so that a line of another log, or of another use of SHA-256, never fits.

use std::io::Write as _;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

pub(super) mod event;

use event::Kind;

/// What stands before the first line.
pub(super) const NOTHING: Digest = Digest::from_bytes([0; 32]);

/// No line is longer, its line feed included. Long arguments are cut before they get here.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// `,"hash":"` + 64 digits + `"}`
const SEAL: usize = 9 + 64 + 2;

/// What a line's hash stands for besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    domain: &'static str,
    log: String,
}

impl Chain {
    /// The chain of the log with this id.
    pub(super) fn log(id: &str) -> Self {
        Self { domain: "megaraptor audit line 1", log: id.to_owned() }
    }

    /// The chain of what was recorded in an emergency.
    pub(super) fn emergency() -> Self {
        Self { domain: "megaraptor emergency line 1", log: String::new() }
    }

    /// The log's id.
    pub(super) fn id(&self) -> &str {
        &self.log
    }

    fn hash(&self, bytes: &[u8]) -> Digest {
        let mut hasher = Sha256::new();
        for part in [self.domain.as_bytes(), b"\0", self.log.as_bytes(), b"\0", bytes] {
            hasher.update(part);
        }
        Digest::from_bytes(hasher.finalize().into())
    }

    /// Appends a line to `out` and gives its hash. `stamp` and `body` are members of a JSON object,
    /// without braces.
    pub(super) fn seal(&self, out: &mut Vec<u8>, stamp: &str, body: &str, prev: Digest) -> Digest {
        let start = out.len();
        // A Vec takes all that is written.
        let _ = write!(out, "{{{stamp},{body},\"prev\":\"{prev}\"");
        let hash = self.hash(&out[start..]);
        let _ = writeln!(out, ",\"hash\":\"{hash}\"}}");
        hash
    }

    /// Reads a line, without its line feed, and checks that its hash is that of its bytes.
    pub(super) fn open(&self, line: &[u8]) -> Result<Frame, Damage> {
        let sealed = line.len().checked_sub(SEAL).ok_or(Damage::NoLine)?;
        let (body, seal) = line.split_at(sealed);
        if !seal.starts_with(b",\"hash\":\"") || !seal.ends_with(b"\"}") {
            return Err(Damage::NoLine);
        }
        // Digit by digit: the same hash in capitals is another byte.
        let hash = self.hash(body);
        if seal[9..9 + 64] != *hash.to_string().as_bytes() {
            return Err(Damage::Hash);
        }
        let frame: Members = serde_json::from_slice(line).map_err(|_| Damage::NoLine)?;
        Ok(Frame { seq: frame.seq, kind: frame.kind, prev: frame.prev, hash })
    }
}

/// What places a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) seq: u64,
    pub(super) kind: Kind,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
}

#[derive(Deserialize)]
struct Members {
    seq: u64,
    kind: Kind,
    prev: Digest,
}

/// Why bytes are no line of this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("no complete line stands there")]
    NoLine,
    #[error("the line's bytes do not have the hash that it names")]
    Hash,
}

/// Writes hostile characters of a JSON text as JSON escapes: the values stay what they are, and the
/// file can be looked at in a terminal.
pub(super) fn ascii_hostile(json: String) -> String {
    use std::fmt::Write as _;

    use crate::outlet::hostile;
    if !hostile::is_in(&json) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if hostile::is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A String takes all that is written.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "\"seq\":1";
    const BODY: &str = "\"kind\":\"stop\"";

    fn line(chain: &Chain) -> Vec<u8> {
        let mut out = Vec::new();
        chain.seal(&mut out, STAMP, BODY, NOTHING);
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    #[test]
    fn a_line_fits_its_own_chain_only() {
        let chain = Chain::log("a");
        let line = line(&chain);
        let frame = chain.open(&line).unwrap();
        assert_eq!((frame.seq, frame.kind, frame.prev), (1, Kind::Stop, NOTHING));
        assert_eq!(Chain::log("b").open(&line).unwrap_err(), Damage::Hash);
        assert_eq!(Chain::emergency().open(&line).unwrap_err(), Damage::Hash);
    }

    #[test]
    fn each_changed_byte_is_seen() {
        let chain = Chain::log("a");
        let line = line(&chain);
        for at in 0..line.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = line.clone();
                changed[at] ^= flip;
                assert!(chain.open(&changed).is_err(), "byte {at} ^ {flip}");
            }
        }
    }

    #[test]
    fn hostile_characters_stay_the_same_values() {
        let text = "a\u{202e}b\u{e0041}c\u{9b}";
        let json = ascii_hostile(serde_json::to_string(text).unwrap());
        assert_eq!(json, r#""a\u202eb\udb40\udc41c\u009b""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
