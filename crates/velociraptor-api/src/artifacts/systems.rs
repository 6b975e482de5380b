//! For which systems an artifact is.

use crate::os::Os;

/// The systems with the words for them in preconditions, and the first words of the names of
/// artifacts for them.
const SYSTEMS: [(Os, &str, &str); 4] = [
    (Os::Windows, "windows", "Windows"),
    (Os::Linux, "linux", "Linux"),
    (Os::Darwin, "darwin", "MacOS|Darwin"),
    (Os::FreeBsd, "freebsd", "FreeBSD"),
];

/// Matches a precondition that names a system.
pub(super) const ANY: &str = "(?i)\\bOS\\b.*(windows|linux|darwin|freebsd)";

/// The systems that an artifact is for: those that its precondition names, else the one that its
/// name begins with; empty where neither tells.
///
/// It is a hint for choosing. Only the agent evaluates the precondition.
pub fn systems(name: &str, precondition: &str) -> Vec<Os> {
    let text = precondition.to_ascii_lowercase();
    let named: Vec<Os> =
        SYSTEMS.iter().filter(|(_, word, _)| text.contains(word)).map(|(os, ..)| *os).collect();
    if !named.is_empty() && text.contains("os") {
        // What excludes a system is for the others, and which they are it does not tell.
        let excludes = ["!=", "!~", "not "].iter().any(|word| text.contains(word));
        return if excludes { Vec::new() } else { named };
    }
    let mut words = name.split('.').filter(|word| *word != "Custom" && *word != "Exchange");
    let first = words.next().unwrap_or_default();
    let is_first = |names: &str| names.split('|').any(|name| name.eq_ignore_ascii_case(first));
    SYSTEMS.iter().filter(|(.., names)| is_first(names)).map(|(os, ..)| *os).collect()
}

/// Matches the names of artifacts that are for systems other than this one.
pub(super) fn other_names(os: Os) -> String {
    let others: Vec<&str> =
        SYSTEMS.iter().filter(|(other, ..)| *other != os).map(|(.., names)| *names).collect();
    format!(r"(?i)^((Custom|Exchange)\.)*({})\.", others.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precondition_decides_before_the_name() {
        let both = "SELECT OS From info() where OS =~ 'linux|darwin'";
        assert_eq!(systems("Linux.Sys.Pslist", both), [Os::Linux, Os::Darwin]);
        assert_eq!(systems("Custom.Windows.Mine", ""), [Os::Windows]);
        for excludes in ["SELECT * FROM info() WHERE OS != 'windows'", "WHERE NOT OS =~ 'windows'"]
        {
            assert_eq!(systems("Custom.Mine", excludes), [], "{excludes}");
        }
        assert_eq!(systems("MacOS.System.TCC", "SELECT 1 FROM scope()"), [Os::Darwin]);
        assert_eq!(systems("Generic.Client.Info", ""), []);
    }
}
