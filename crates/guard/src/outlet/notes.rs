//! What the filter did, and where: for the answer, so that nobody takes a mask for evidence.

use secret::Secret;
use serde::Serialize;

/// No answer carries more notes; the rest is counted.
const MOST: usize = 64;

/// Longest place that is named, in bytes.
const PLACE: usize = 200;

/// Shortest secret that is looked for in a rendering: a shorter one could blot out ordinary words.
const SHORTEST: usize = 6;

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
}

/// What was seen at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Seen {
    /// A secret was masked.
    Masked {
        /// Of this kind.
        kind: SecretKind,
    },
    /// Text that speaks to a model rather than to a person. It is evidence; it was left as it is.
    PromptLike {
        /// The rule that it met.
        rule: &'static str,
    },
    /// A long run of base64 or hexadecimal digits. It was left as it is.
    Encoded {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A value was nested too deeply, and left out.
    LeftOut,
    /// A text was cut to the bound.
    Cut {
        /// What it had, in bytes.
        bytes: usize,
    },
}

/// What was seen, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The JSON pointer of the string, empty for a text by itself.
    pub at: String,
    /// What it was.
    #[serde(flatten)]
    pub seen: Seen,
}

/// All that the filter has to say about an answer.
#[derive(Debug, Default, Serialize)]
pub struct Notes {
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Hostile characters that are shown escaped.
    #[serde(skip_serializing_if = "is_zero")]
    pub escaped: usize,
    #[serde(skip)]
    changed: bool,
    #[serde(skip)]
    secrets: Vec<(Secret<String>, SecretKind)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Notes {
    /// Nothing was masked, flagged, cut or escaped.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.more == 0 && self.escaped == 0
    }

    /// Whether the answer is another than it was. Flags alone change nothing.
    pub(super) fn changed(&self) -> bool {
        self.escaped > 0 || self.changed
    }

    /// Masks in another rendering of the same answer what was masked in this one: there a secret
    /// may stand without the name that it was known by.
    pub fn mask_in(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, (secret, kind)| {
            if text.contains(secret.expose().as_str()) {
                text.replace(secret.expose().as_str(), kind.mask())
            } else {
                text
            }
        })
    }

    pub(super) fn add(&mut self, at: &str, seen: Seen) {
        self.changed |= matches!(seen, Seen::Masked { .. } | Seen::Cut { .. } | Seen::LeftOut);
        if self.notes.len() == MOST {
            self.more += 1;
            return;
        }
        // Names of members are evidence as well.
        let at = super::hostile::escape(&at[..at.floor_char_boundary(PLACE)]).into_owned();
        self.notes.push(Note { at, seen });
    }

    /// A value was left out because it was nested too deeply.
    pub(super) fn left_out(&mut self, at: &str) {
        self.add(at, Seen::LeftOut);
    }

    pub(super) fn masked(&mut self, at: &str, kind: SecretKind, secret: &str) {
        self.add(at, Seen::Masked { kind });
        let known = |(other, _): &(Secret<String>, SecretKind)| other.expose() == secret;
        if secret.len() >= SHORTEST && self.secrets.len() < MOST && !self.secrets.iter().any(known)
        {
            self.secrets.push((Secret::new(secret.to_owned()), kind));
        }
    }
}
