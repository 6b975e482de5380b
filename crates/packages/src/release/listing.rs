//! The release host's own account of its newest release.

use serde::Deserialize;

use crate::error::PackageError;
use crate::platform::Platform;
use crate::version::Version;

/// The real list has some 30 assets and 60 KB.
pub(super) const MAX_BYTES: u64 = 4 << 20;

/// The newest release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The highest version in it that has the package.
    pub version: Version,
    /// The tag that carries it.
    pub tag: String,
}

#[derive(Deserialize)]
struct Listed {
    tag_name: String,
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    name: String,
}

/// One tag may carry several versions: the assets' names count.
pub(super) fn read(url: &str, bytes: &[u8], platform: Platform) -> Result<Latest, PackageError> {
    let wrong = |cause: String| PackageError::Listing { url: url.to_owned(), cause };
    let listed: Listed = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let versions = listed.assets.iter().filter_map(|asset| platform.version_of(&asset.name));
    let tag: String = listed.tag_name.chars().take(40).collect();
    let version = versions.filter(|version| !version.is_preview()).max();
    let version = version
        .ok_or_else(|| wrong(format!("{} holds no package for {platform}", tag.escape_debug())))?;
    if !version.tags().contains(&tag) {
        return Err(wrong(format!("{version} is under the tag {}", tag.escape_debug())));
    }
    Ok(Latest { version, tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Latest, PackageError> {
        read("there", text.as_bytes(), "linux-amd64".parse().unwrap())
    }

    #[test]
    fn the_highest_version_for_the_platform_is_found() {
        let text = r#"{"tag_name": "v0.73", "x": 1, "assets": [
            {"name": "velociraptor-v0.73.9-linux-amd64", "size": 1},
            {"name": "velociraptor-v0.73.10-linux-amd64"},
            {"name": "velociraptor-v0.73.11-rc1-linux-amd64"},
            {"name": "velociraptor-v0.73.12-linux-amd64.sig"},
            {"name": "velociraptor-v0.73.12-linux-arm64"}]}"#;
        let latest = read_text(text).unwrap();
        assert_eq!(
            (latest.version.to_string().as_str(), latest.tag.as_str()),
            ("0.73.10", "v0.73")
        );
    }

    #[test]
    fn what_is_no_such_list_is_told() {
        let other_tag =
            r#"{"tag_name": "nightly", "assets": [{"name": "velociraptor-v0.73.9-linux-amd64"}]}"#;
        for (text, cause) in [
            ("<html>", "expected value"),
            ("{}", "tag_name"),
            (
                r#"{"tag_name": "v1\u001b", "assets": []}"#,
                r"v1\u{1b} holds no package for linux-amd64",
            ),
            (other_tag, "0.73.9 is under the tag nightly"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }
}
