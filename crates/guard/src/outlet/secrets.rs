//! Secrets in text: where they stand, and what kind they are.
//!
//! One automaton over the whole text finds places where a secret could begin, or the name of one.
//! What stands there is then read by hand-written rules, each for one shape, so that ordinary text
//! costs one pass and nothing else. The rules err towards masking where a value looks made by a
//! machine, and towards leaving it where it looks like prose.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};

use super::notes::SecretKind;
use super::prompts;

mod assigned;
mod keys;
pub(super) mod names;
mod tokens;

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) kind: SecretKind,
}

/// What a place that the automaton finds may be the beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Pem,
    PuttyKey,
    Name,
    Token(usize),
    Jwt,
    Bearer,
    Basic,
    Url,
    Crypt,
    Prompt,
}

/// Parts of the names of secrets; the whole name is judged where one is found.
const NAMES: &[&str] = &[
    "nonce",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accountkey",
    "account_key",
    "account-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "authorization",
    "cookie",
    "client_config",
];

const FIXED: &[(&str, Anchor)] = &[
    ("-----begin ", Anchor::Pem),
    ("private-lines:", Anchor::PuttyKey),
    ("eyj", Anchor::Jwt),
    ("bearer ", Anchor::Bearer),
    ("basic ", Anchor::Basic),
    ("://", Anchor::Url),
    ("$1$", Anchor::Crypt),
    ("$2a$", Anchor::Crypt),
    ("$2b$", Anchor::Crypt),
    ("$2y$", Anchor::Crypt),
    ("$5$", Anchor::Crypt),
    ("$6$", Anchor::Crypt),
    ("$y$", Anchor::Crypt),
];

struct Automaton {
    search: AhoCorasick,
    anchors: Vec<Anchor>,
}

/// For texts of the usual size: a tenth of the memory of the other, and two thirds of its speed.
static SMALL: LazyLock<Automaton> = LazyLock::new(|| build(AhoCorasickKind::ContiguousNFA));

/// For large pages. Made when the first one comes.
static LARGE: LazyLock<Automaton> = LazyLock::new(|| build(AhoCorasickKind::DFA));

/// What is larger is worth the larger automaton. A page of rows is 40 kB where nobody asks for more.
const USUAL: usize = 128 * 1024;

fn automaton(bytes: &[u8]) -> &'static Automaton {
    if bytes.len() > USUAL { &LARGE } else { &SMALL }
}

fn build(kind: AhoCorasickKind) -> Automaton {
    let tokens = tokens::PREFIXES.iter().enumerate();
    let all: Vec<(&str, Anchor)> = FIXED
        .iter()
        .copied()
        .chain(NAMES.iter().map(|name| (*name, Anchor::Name)))
        .chain(tokens.map(|(at, shape)| (shape.prefix, Anchor::Token(at))))
        .chain(prompts::ANCHORS.iter().map(|anchor| (*anchor, Anchor::Prompt)))
        .collect();
    let search = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(kind))
        .build(all.iter().map(|(text, _)| text))
        .unwrap_or_else(|error| unreachable!("the anchors are constants: {error}"));
    Automaton { search, anchors: all.into_iter().map(|(_, anchor)| anchor).collect() }
}

/// Says whether any place of the bytes has to be looked at. Also of use on serialised JSON.
pub(super) fn has_anchor(bytes: &[u8]) -> bool {
    automaton(bytes).search.is_match(Input::new(bytes).earliest(true))
}

/// Where the anchors of the bytes are; of those that overlap, the first. None reaches from one
/// string of serialised JSON into another, since none has a quote.
pub(super) fn anchors(bytes: &[u8]) -> Vec<usize> {
    automaton(bytes).search.find_iter(bytes).map(|place| place.start()).collect()
}

/// What was found in a text.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Secrets, in order and apart from each other.
    pub(super) secrets: Vec<Found>,
    /// Where text that speaks to a model may begin.
    pub(super) prompts: Vec<usize>,
}

/// Looks at every anchor of a text.
pub(super) fn find(text: &str) -> Places {
    let mut places = Places::default();
    let mut found = Vec::new();
    let automaton = automaton(text.as_bytes());
    // Anchors overlap: "secret" stands in "client_secret_token", and all of them count.
    for place in automaton.search.find_overlapping_iter(text) {
        let (start, end) = (place.start(), place.end());
        match automaton.anchors[place.pattern().as_usize()] {
            Anchor::Prompt => places.prompts.push(start),
            Anchor::Pem => found.extend(keys::pem(text, start, end)),
            Anchor::PuttyKey => found.extend(keys::putty(text, end)),
            Anchor::Name => found.extend(assigned::value(text, start, end)),
            Anchor::Token(at) => found.extend(tokens::prefixed(text, start, end, at)),
            Anchor::Jwt => found.extend(tokens::jwt(text, start)),
            Anchor::Bearer => found.extend(tokens::bearer(text, end)),
            Anchor::Basic => found.extend(tokens::basic(text, start, end)),
            Anchor::Url => found.extend(assigned::in_url(text, end)),
            Anchor::Crypt => found.extend(tokens::crypt(text, start, end)),
        }
    }
    places.secrets = apart(found);
    places
}

/// In order, with those that overlap made one.
fn apart(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
    let mut apart: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match apart.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
            }
            _ => apart.push(next),
        }
    }
    apart
}

/// The text with what was found masked.
pub(super) fn mask<'a>(text: &'a str, found: &[Found]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Found { range, kind } in found {
        out.push_str(&text[from..range.start]);
        out.push_str(kind.mask());
        from = range.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// What every mask begins with: it is no secret itself.
pub(super) const MASKED: &str = "[masked";

/// The bytes that belong to a token of the given set, from `at` on.
fn run(text: &str, at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    text.as_bytes()[at..].iter().take_while(|byte| belongs(**byte)).count()
}

/// Whether a token that begins here would begin in the middle of a word. The letter of an escaped
/// line feed or tab, as in JSON within a text, belongs to none.
fn inside_word(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at];
    let escape = matches!(before, [.., b'\\', b'n' | b'r' | b't']);
    !escape && before.last().is_some_and(u8::is_ascii_alphanumeric)
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}
