//! Files, programs that ran, and installed packages.

use super::Os;
use super::endpoint::Endpoint;
use crate::value::{Dict, Value, row};

/// Traces of programs that ran.
pub(super) fn prefetch(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Windows {
        return Vec::new();
    }
    let mut random = endpoint.random("prefetch");
    let names =
        ["CHROME.EXE", "OUTLOOK.EXE", "EXCEL.EXE", "TEAMS.EXE", "NOTEPAD.EXE", "MSEDGE.EXE"];
    names
        .iter()
        .map(|name| ran(endpoint, name, &random.hex(8).to_uppercase(), 10 + random.below(2000)))
        .collect()
}

pub(super) fn ran(endpoint: &Endpoint, name: &str, hash: &str, minutes_ago: u64) -> Dict {
    row! {
        "Executable" => name,
        "FileSize" => 41_202,
        "Hash" => format!("0x{hash}"),
        "Version" => "Win10 (30)",
        "LastRunTimes" => Value::array([Value::from(endpoint.ago(minutes_ago))]),
        "RunCount" => 3,
        "OSPath" => format!(r"C:\Windows\Prefetch\{name}-{hash}.pf"),
        "PrefetchFileName" => format!("{name}-{hash}.pf"),
        "CreationTime" => endpoint.ago(minutes_ago + 9000),
        "ModificationTime" => endpoint.ago(minutes_ago),
        "FilesAccessed" => Value::Null,
        "Binary" => format!(r"\VOLUME{{01d9a1b2c3d4e5f6-1a2b3c4d}}\{name}"),
    }
}

/// Installed packages.
pub(super) fn packages(endpoint: &Endpoint) -> Vec<Dict> {
    let names =
        ["base-files", "bash", "coreutils", "curl", "nginx", "openssh-server", "sudo", "vim"];
    names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            row! {
                "Package" => *name,
                "InstalledSize" => 1024 * (at + 3),
                "Version" => format!("{}.{}-1", 1 + at % 4, endpoint.seed % 20),
                "Source" => Value::Null,
                "_Description" => format!("{name} of the distribution"),
                "Architecture" => &endpoint.machine,
            }
        })
        .collect()
}

/// The few files that a search can find: the users' documents and the system's own.
pub(super) fn list(endpoint: &Endpoint) -> Vec<Dict> {
    paths(endpoint)
        .iter()
        .enumerate()
        .map(|(at, path)| {
            let size = content(endpoint, path).map_or(0, |data| data.len());
            let time = endpoint.ago(300 + 77 * u64::try_from(at).unwrap_or(0));
            file(path, size, time)
        })
        .collect()
}

pub(super) fn file(path: &str, size: usize, time: jiff::Timestamp) -> Dict {
    row! {
        "OSPath" => path,
        "Inode" => "",
        "Mode" => "-rw-r--r--",
        "Size" => size,
        "MTime" => time,
        "ATime" => time,
        "CTime" => time,
        "BTime" => time,
        "Keywords" => Value::Null,
        "IsDir" => false,
        "Upload" => Value::Null,
        "Hash" => Value::Null,
        "Data" => Value::Null,
    }
}

fn paths(endpoint: &Endpoint) -> Vec<String> {
    let user = endpoint.user();
    let (own, system): (String, &[&str]) = match endpoint.os {
        Os::Windows => (
            format!(r"C:\Users\{user}\Documents\"),
            &[r"C:\Windows\System32\drivers\etc\hosts", r"C:\Windows\System32\notepad.exe"],
        ),
        Os::Linux => (format!("/home/{user}/"), &["/etc/hosts", "/etc/passwd"]),
        Os::Darwin => (format!("/Users/{user}/Documents/"), &["/etc/hosts"]),
    };
    ["budget.xlsx", "minutes.docx", "notes.txt"]
        .iter()
        .map(|name| format!("{own}{name}"))
        .chain(system.iter().map(|path| (*path).to_owned()))
        .collect()
}

/// The bytes of a file that [`list`] shows.
pub(super) fn content(endpoint: &Endpoint, path: &str) -> Option<Vec<u8>> {
    let known = paths(endpoint).iter().any(|own| own.eq_ignore_ascii_case(path));
    if !known {
        return super::incident::file(endpoint, path);
    }
    let line = format!("{path} on {} (simulated)\n", endpoint.hostname);
    Some(line.repeat(40).into_bytes())
}
