//! Patterns for names of artifacts: `*` stands for any run of characters, `?` for one.

use serde::{Deserialize, Serialize};

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// A pattern over whole names. Every text is one; an empty one matches nothing.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name fits, letter by letter.
    pub fn matches(&self, name: &str) -> bool {
        !self.0.is_empty() && fits(self.0.as_bytes(), name.as_bytes())
    }

    /// Whether the name fits, upper and lower case taken for the same. For lists that forbid.
    pub fn matches_any_case(&self, name: &str) -> bool {
        let lower = |text: &str| text.to_lowercase().into_bytes();
        !self.0.is_empty() && fits(&lower(&self.0), &lower(name))
    }
}

/// Goes back to the last `*` only, so the time is bounded by the product of the lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                n += 1;
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_cover_whole_names() {
        for (pattern, name, fits) in [
            ("Windows.*", "Windows.Sys.Users", true),
            ("Windows.*", "Custom.Windows.X", false),
            ("*.Remediation.*", "Windows.Remediation.Quarantine", true),
            ("*.Remediation.*", "Windows.Remediation", false),
            ("Linux.?ys.*", "Linux.Sys.Users", true),
            ("Generic.Client.Info", "Generic.Client.Info", true),
            ("Generic.Client.Info", "Generic.Client.Infos", false),
            ("*", "", true),
            ("", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), fits, "{pattern} {name}");
        }
        assert!(!Glob::new("windows.*").matches("Windows.X"));
        assert!(Glob::new("windows.*").matches_any_case("WINDOWS.X"));
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_itself_with_a_hole(name in "[A-Za-z.]{1,20}", at in 0usize..20) {
            prop_assert!(Glob::new(&name).matches(&name));
            let at = at.min(name.len());
            let holed = format!("{}*{}", &name[..at], &name[at..]);
            prop_assert!(Glob::new(holed).matches(&name));
        }
    }
}
