//! How the record of calls is kept: from flags, the environment, or the table `[audit]` of
//! `megaraptor.toml`, in that order.

use std::path::{Path, PathBuf};

use guard::audit::{Copy, Flush, Options};
use serde::Deserialize;

use crate::tool_error::ToolError;

/// Where the settings are read from.
#[derive(Clone, Debug, Default)]
pub struct From {
    /// The settings file, where one is used.
    pub settings: Option<PathBuf>,
    /// `--audit-flush` or its variable.
    pub flush: Option<String>,
    /// `--audit-copy` or its variable.
    pub copy: Option<String>,
}

/// How the record is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// When lines are put onto the disk.
    pub flush: Flush,
    /// A second place for the lines.
    pub copy: Option<Copy>,
}

impl Keeping {
    /// How the record in a state folder is opened.
    pub(crate) fn options(&self, home: &Path) -> Options {
        Options {
            program: format!("megaraptor {}", env!("CARGO_PKG_VERSION")),
            flush: self.flush,
            copy: self.copy.clone(),
            ..Options::new(home.join("audit"))
        }
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    audit: Table,
}

/// The table `[audit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    flush: Option<String>,
    copy: Option<String>,
}

/// Reads the settings.
///
/// # Errors
///
/// `invalid_input` naming the place, the value and what was expected: then nothing is started.
pub fn load(from: &From) -> Result<Keeping, ToolError> {
    let table = from.settings.as_deref().map(table).transpose()?.unwrap_or_default();
    let flush = chosen("flush", from.flush.as_deref(), table.flush.as_deref(), from);
    let copy = chosen("copy", from.copy.as_deref(), table.copy.as_deref(), from);
    Ok(Keeping {
        flush: match flush {
            None => Flush::default(),
            Some((word, place)) => Flush::parse(word).ok_or_else(|| {
                let known = Flush::WORDS.join(" or ");
                ToolError::invalid(format!("{place} is {word:?}; expected {known}"))
            })?,
        },
        copy: copy
            .map(|(text, place)| {
                Copy::parse(text).map_err(|why| ToolError::invalid(format!("{place}: {why}")))
            })
            .transpose()?,
    })
}

/// The value that wins, with the place that it comes from. An empty one counts as not set.
fn chosen<'a>(
    key: &str,
    given: Option<&'a str>,
    in_file: Option<&'a str>,
    from: &From,
) -> Option<(&'a str, String)> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return Some((given, format!("--audit-{key}")));
    }
    let file = from.settings.as_deref().unwrap_or_else(|| Path::new(""));
    in_file.map(|text| (text, format!("{}: audit.{key}", file.display())))
}

fn table(path: &Path) -> Result<Table, ToolError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ToolError::invalid(format!("{shown} cannot be read: {error}")))?;
    let file: File = toml::from_str(&text)
        .map_err(|error| ToolError::invalid(format!("{shown}: {}", error.message())))?;
    Ok(file.audit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(text: &str, given: &From) -> Result<Keeping, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("megaraptor.toml");
        std::fs::write(&path, text).unwrap();
        load(&From { settings: Some(path), ..given.clone() }).map_err(|error| error.message)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let nothing = From::default();
        assert_eq!(load(&nothing).unwrap(), Keeping::default());
        assert_eq!(from_file("[policy]\nread = \"ask\"", &nothing).unwrap(), Keeping::default());
        let text = "[audit]\nflush = \"each\"\ncopy = \"syslog:udp:siem:514\"";
        let of_file = from_file(text, &nothing).unwrap();
        assert_eq!(of_file.flush, Flush::Each);
        assert_eq!(of_file.copy, Some(Copy::SyslogUdp("siem:514".into())));
        let given = From { flush: Some("second".into()), copy: Some(String::new()), ..nothing };
        let of_both = from_file(text, &given).unwrap();
        assert_eq!((of_both.flush, of_both.copy), (Flush::Second, of_file.copy));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_place() {
        let error = from_file("[audit]\nflush = \"never\"", &From::default()).unwrap_err();
        assert!(error.contains("audit.flush is \"never\"") && error.contains("each"), "{error}");
        let error = from_file("[audit]\nfsync = true", &From::default()).unwrap_err();
        assert!(error.contains("fsync"), "{error}");
        let given = From { copy: Some("siem".into()), ..From::default() };
        let error = from_file("", &given).unwrap_err();
        assert!(error.contains("--audit-copy: \"siem\""), "{error}");
    }
}
