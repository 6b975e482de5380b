//! The version of a release.

use std::fmt;
use std::str::FromStr;

/// A version such as `0.77.2` or `0.77.0-rc1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    numbers: [u32; 3],
    /// What follows the dash of one that is no release yet.
    pre: Option<String>,
}

/// A text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version; expected one such as 0.77.2")]
pub struct VersionError(String);

impl Version {
    pub(crate) const fn released(major: u32, minor: u32, patch: u32) -> Self {
        Self { numbers: [major, minor, patch], pre: None }
    }

    /// Whether it is no finished release.
    pub fn is_preview(&self) -> bool {
        self.pre.is_some()
    }

    /// The tags under which it may be published, the likeliest first: one tag carries several
    /// patch versions now and then.
    pub(crate) fn tags(&self) -> [String; 2] {
        let [major, minor, _] = self.numbers;
        [format!("v{self}"), format!("v{major}.{minor}")]
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.chars().take(40).collect());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (numbers, pre) = match bare.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (bare, None),
        };
        let sound = |pre: &str| {
            !pre.is_empty() && pre.len() <= 20 && pre.chars().all(|c| c.is_ascii_alphanumeric())
        };
        if pre.is_some_and(|pre| !sound(pre)) {
            return Err(wrong());
        }
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        });
        let mut next = || parts.next().flatten().ok_or_else(wrong);
        let numbers = [next()?, next()?, next()?];
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { numbers, pre: pre.map(str::to_owned) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.pre.iter().try_for_each(|pre| write!(f, "-{pre}"))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A preview comes before its release.
        let rank = |version: &Self| (version.numbers, version.pre.is_none());
        rank(self).cmp(&rank(other)).then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_printed_and_ordered() {
        let order = ["0.76.6", "0.77.0-rc1", "0.77.0", "0.77.2", "0.77.10"];
        let versions: Vec<Version> = order.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted());
        assert_eq!(versions.iter().map(ToString::to_string).collect::<Vec<_>>(), order);
        assert_eq!("v0.77.2".parse(), Ok(Version::released(0, 77, 2)));
        assert_eq!(versions[3].tags(), ["v0.77.2", "v0.77"]);
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_version() {
        for wrong in
            ["", "0.77", "0.77.2.1", "0.77.x", "0.77.2-", "0.77.2-../x", "+0.7.1", "latest"]
        {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
