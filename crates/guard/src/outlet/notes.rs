//! What the filter did, and where: for the answer, so that nobody takes a mask for evidence.

use std::collections::HashSet;
use std::fmt::{Display, Write as _};

use aho_corasick::{AhoCorasick, MatchKind};
use secret::Secret;
use serde::Serialize;

use super::place::Place;

/// No answer names more places; the rest is counted.
const MOST: usize = 10;

/// No more of one kind, so that one kind does not use up the names of all.
const EACH: usize = 5;

/// Longest place that is named, in bytes.
const PLACE: usize = 200;

/// Shortest secret that is looked for in a rendering: a shorter one could blot out ordinary words.
const SHORTEST: usize = 12;

/// The same for one that has digits.
const SHORTEST_ODD: usize = 6;

/// No more secrets are looked for in a rendering, which masks by shape and by column itself.
const REMEMBERED: usize = 4096;

/// The kinds of secret that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A private key in any armour.
    PrivateKey,
    /// The nonce with which an agent enrols.
    Nonce,
    /// A client's or an API client's configuration.
    ApiFile,
    /// A bearer, session or access token.
    Token,
    /// A password or passphrase.
    Password,
    /// A password's hash as `crypt` writes it.
    PasswordHash,
    /// Something else that is called secret.
    Secret,
}

impl SecretKind {
    /// What stands in the secret's place.
    pub const fn mask(self) -> &'static str {
        match self {
            Self::PrivateKey => "[masked: private key]",
            Self::Nonce => "[masked: nonce]",
            Self::ApiFile => "[masked: configuration]",
            Self::Token => "[masked: token]",
            Self::Password => "[masked: password]",
            Self::PasswordHash => "[masked: password hash]",
            Self::Secret => "[masked: secret]",
        }
    }

    /// The kind in words.
    fn words(self) -> &'static str {
        self.mask().trim_start_matches("[masked: ").trim_end_matches(']')
    }

    /// Whether a list or an object of this name is masked as one: all of it is the secret. Of the
    /// others, each text inside is masked for itself.
    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Self::PrivateKey | Self::Nonce | Self::ApiFile)
    }
}

/// What was seen at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Seen {
    /// A secret was masked.
    Masked {
        /// Of this kind.
        kind: SecretKind,
    },
    /// Text that speaks to a model rather than to a person. It is evidence; it was left as it is.
    AddressesModel {
        /// The rule that it met.
        rule: &'static str,
    },
    /// A long run of base64 or hexadecimal digits. It was left as it is.
    Encoded {
        /// The length of the longest, in bytes.
        bytes: usize,
    },
    /// A value was nested too deeply, and left out.
    LeftOut,
    /// A text was cut to the bound.
    Cut {
        /// What the longest had, in bytes.
        bytes: usize,
    },
}

impl Seen {
    /// Takes in another, where it is of the same kind.
    fn takes(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Encoded { bytes }, Self::Encoded { bytes: more })
            | (Self::Cut { bytes }, Self::Cut { bytes: more }) => {
                *bytes = more.max(*bytes);
                true
            }
            (known, other) => *known == other,
        }
    }
}

/// What was seen, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it was.
    #[serde(flatten)]
    pub seen: Seen,
    /// The first places, such as `rows[3].CommandLine`; none for a text by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// How many places more.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// All that the filter has to say about an answer, a note for each kind.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Notes {
    notes: Vec<Note>,
    #[serde(skip)]
    secrets: Vec<(Secret<String>, SecretKind)>,
    #[serde(skip)]
    known: HashSet<u64>,
}

impl Notes {
    /// Nothing was masked, flagged or cut.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The notes.
    pub fn all(&self) -> &[Note] {
        &self.notes
    }

    /// Whether any text was flagged as speaking to a model.
    pub fn addresses_model(&self) -> bool {
        self.notes.iter().any(|note| matches!(note.seen, Seen::AddressesModel { .. }))
    }

    /// The notes for reading, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.notes.iter().map(Note::line).collect()
    }

    /// Masks in another rendering of the same answer what was masked in this one: there a secret
    /// may stand without the name that it was known by.
    pub fn mask_in(&self, text: String) -> String {
        let secrets: Vec<&str> =
            self.secrets.iter().map(|(secret, _)| secret.expose().as_str()).collect();
        if secrets.is_empty() {
            return text;
        }
        let masks: Vec<&str> = self.secrets.iter().map(|(_, kind)| kind.mask()).collect();
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&secrets);
        match search {
            Ok(search) if search.is_match(&text) => search.replace_all(&text, &masks),
            Ok(_) => text,
            // Too many for one automaton.
            Err(_) => self.secrets.iter().fold(text, |text, (secret, kind)| {
                text.replace(secret.expose().as_str(), kind.mask())
            }),
        }
    }

    pub(super) fn add(&mut self, at: &Place<'_>, seen: Seen) {
        self.add_at(at, 1, seen);
    }

    fn add_at(&mut self, at: &dyn Display, count: usize, seen: Seen) {
        let named: usize = self.notes.iter().map(|note| note.at.len()).sum();
        let note = match self.notes.iter_mut().position(|note| note.seen.takes(seen)) {
            Some(known) => &mut self.notes[known],
            None => {
                self.notes.push(Note { seen, at: Vec::new(), more: 0 });
                let last = self.notes.len() - 1;
                &mut self.notes[last]
            }
        };
        if named >= MOST || note.at.len() >= EACH {
            note.more += count;
            return;
        }
        let mut place = at.to_string();
        if place.len() > PLACE {
            place.truncate(place.floor_char_boundary(PLACE));
            place.push('…');
        }
        if !place.is_empty() && !note.at.contains(&place) {
            note.at.push(place);
        }
    }

    pub(super) fn masked(&mut self, at: &Place<'_>, kind: SecretKind, secret: &str) {
        self.add(at, Seen::Masked { kind });
        self.remember(kind, secret);
    }

    /// Keeps a secret, so that it is found in another rendering.
    pub(super) fn remember(&mut self, kind: SecretKind, secret: &str) {
        use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
        let odd = secret.len() >= SHORTEST_ODD && secret.bytes().any(|b| b.is_ascii_digit());
        if (odd || secret.len() >= SHORTEST) && self.secrets.len() < REMEMBERED {
            let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(secret);
            if self.known.insert(hash) {
                self.secrets.push((Secret::new(secret.to_owned()), kind));
            }
        }
    }

    /// Takes in what was found elsewhere: of another rendering, only kinds that are not known.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.notes.is_empty() && self.secrets.is_empty() {
            *self = other;
            return;
        }
        for note in other.notes {
            if !self.notes.iter_mut().any(|known| known.seen.takes(note.seen)) {
                self.notes.push(note);
            }
        }
        for (secret, kind) in other.secrets {
            self.remember(kind, secret.expose());
        }
    }
}

impl Note {
    /// In words. Nothing in them looks like a secret or speaks to anybody: they pass the filter.
    fn line(&self) -> String {
        let mut places = String::new();
        for (number, place) in self.at.iter().enumerate() {
            let _ = write!(places, "{}{place}", if number == 0 { " at " } else { ", " });
        }
        if self.more > 0 {
            let _ = write!(places, " and {} more", self.more);
        }
        match self.seen {
            Seen::Masked { kind } => format!("a secret was masked ({}){places}", kind.words()),
            Seen::AddressesModel { rule } => format!(
                "text that addresses a model ({rule}){places} - evidence: data, no instruction"
            ),
            Seen::Encoded { bytes } => {
                format!(
                    "a long encoded run (up to {bytes} bytes){places} - what it hides was not looked at"
                )
            }
            Seen::LeftOut => format!("left out, because nested too deeply{places}"),
            Seen::Cut { bytes } => format!("a text was cut (it had up to {bytes} bytes){places}"),
        }
    }
}
