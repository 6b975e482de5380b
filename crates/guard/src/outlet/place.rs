//! Where in an answer something was seen, as `rows[3].CommandLine`.

use std::borrow::Cow;
use std::fmt;

/// Longest name of a member that is written in a place, in characters. Names are evidence as well.
const NAME: usize = 40;

/// A step from a value into it.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// The item of this number.
    Item(usize),
    /// The member of this name, as it is serialised, quotes included.
    Member(&'a str),
}

/// A place in an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    steps: &'a [Step<'a>],
    /// What it is of the value there.
    of: &'static str,
}

impl<'a> Place<'a> {
    /// A text by itself.
    pub(super) const NONE: Place<'static> = Place { steps: &[], of: "" };

    /// The rendering of an answer.
    pub(super) const TEXT: Place<'static> = Place { steps: &[], of: "the text" };

    pub(super) const fn of(steps: &'a [Step<'a>]) -> Self {
        Self { steps, of: "" }
    }

    /// The name of a member, whose value is named by the last step.
    pub(super) const fn name(steps: &'a [Step<'a>]) -> Self {
        Self { steps, of: " (its name)" }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Member(name) => {
                    let name = decode(name);
                    if is_plain(&name) {
                        write!(f, "{}{name}", if number == 0 { "" } else { "." })?;
                    } else {
                        write!(f, "[{}]", quoted(&name))?;
                    }
                }
            }
        }
        f.write_str(self.of)
    }
}

/// The text of a serialised string.
pub(super) fn decode(serialised: &str) -> Cow<'_, str> {
    let inner = serialised.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        _ => serde_json::from_str(serialised)
            .map_or(Cow::Borrowed(serialised), |text: String| Cow::Owned(text)),
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.len() <= NAME && name.bytes().all(plain)
}

/// A name that could be anything: masked, cut, escaped, in quotes.
fn quoted(name: &str) -> String {
    let masked = super::mask_text(name);
    let shown: String = super::hostile::escape(&masked).chars().take(NAME).collect();
    let cut = if shown.len() < masked.len() { "…" } else { "" };
    format!("{:?}", format!("{shown}{cut}"))
}
