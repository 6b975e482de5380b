//! Processes: a few hundred ordinary ones.

use std::time::Duration;

use super::Os;
use super::endpoint::Endpoint;
use super::random::{Random, hash};
use crate::value::{Dict, Value, row as columns};

/// Name, folder, arguments and whether it runs as the system.
type Program = (&'static str, &'static str, &'static str, bool);

const WINDOWS_CORE: &[Program] = &[
    ("System", "", "", true),
    ("smss.exe", r"C:\Windows\System32", "", true),
    ("csrss.exe", r"C:\Windows\System32", "", true),
    ("wininit.exe", r"C:\Windows\System32", "", true),
    ("services.exe", r"C:\Windows\System32", "", true),
    ("lsass.exe", r"C:\Windows\System32", "", true),
    ("winlogon.exe", r"C:\Windows\System32", "", true),
    ("explorer.exe", r"C:\Windows", "", false),
];

const WINDOWS_MORE: &[Program] = &[
    ("svchost.exe", r"C:\Windows\System32", "-k netsvcs -p", true),
    ("svchost.exe", r"C:\Windows\System32", "-k LocalService -p", true),
    ("svchost.exe", r"C:\Windows\System32", "-k NetworkService", true),
    ("RuntimeBroker.exe", r"C:\Windows\System32", "-Embedding", false),
    ("conhost.exe", r"C:\Windows\System32", "0x4", false),
    ("msedge.exe", r"C:\Program Files (x86)\Microsoft\Edge\Application", "--type=renderer", false),
    ("chrome.exe", r"C:\Program Files\Google\Chrome\Application", "--type=utility", false),
    ("WINWORD.EXE", r"C:\Program Files\Microsoft Office\root\Office16", "/n", false),
    ("EXCEL.EXE", r"C:\Program Files\Microsoft Office\root\Office16", "/dde", false),
    ("OUTLOOK.EXE", r"C:\Program Files\Microsoft Office\root\Office16", "", false),
    ("Teams.exe", r"C:\Program Files\WindowsApps\MSTeams", "--type=gpu-process", false),
    (
        "powershell.exe",
        r"C:\Windows\System32\WindowsPowerShell\v1.0",
        "-File C:\\IT\\inventory.ps1",
        true,
    ),
    ("SearchIndexer.exe", r"C:\Windows\System32", "/Embedding", true),
    ("MsMpEng.exe", r"C:\ProgramData\Microsoft\Windows Defender\Platform", "", true),
    ("spoolsv.exe", r"C:\Windows\System32", "", true),
    (
        "dllhost.exe",
        r"C:\Windows\System32",
        "/Processid:{AB8902B4-09CA-4BB6-B78D-A8F59079A8D5}",
        true,
    ),
    ("Velociraptor.exe", r"C:\Program Files\Velociraptor", "service run", true),
];

const LINUX: &[Program] = &[
    ("systemd", "/usr/lib/systemd", "", true),
    ("systemd-journal", "/usr/lib/systemd", "", true),
    ("sshd", "/usr/sbin", "-D", true),
    ("cron", "/usr/sbin", "-f", true),
    ("nginx", "/usr/sbin", "worker process", false),
    ("postgres", "/usr/lib/postgresql/16/bin", "-D /var/lib/postgresql/16/main", false),
    ("containerd-shim", "/usr/bin", "-namespace moby", true),
    ("node_exporter", "/usr/local/bin", "", false),
    ("velociraptor", "/usr/local/bin", "client", true),
    ("kworker/0:1", "", "", true),
    ("bash", "/usr/bin", "-l", false),
];

const MAC: &[Program] = &[
    ("launchd", "/sbin", "", true),
    ("WindowServer", "/System/Library/PrivateFrameworks/SkyLight.framework/Resources", "", true),
    ("mds_stores", "/System/Library/Frameworks/CoreServices.framework", "", true),
    ("Finder", "/System/Library/CoreServices/Finder.app/Contents/MacOS", "", false),
    ("Safari", "/Applications/Safari.app/Contents/MacOS", "", false),
    ("cfprefsd", "/usr/sbin", "agent", false),
    ("velociraptor", "/usr/local/sbin", "client", true),
];

/// The rows of `pslist()`.
pub(super) fn list(endpoint: &Endpoint) -> Vec<Dict> {
    let mut random = endpoint.random("processes");
    let (core, more): (&[Program], &[Program]) = match endpoint.os {
        Os::Windows => (WINDOWS_CORE, WINDOWS_MORE),
        Os::Linux => (&[], LINUX),
        Os::Darwin => (&[], MAC),
    };
    let mut pid = 0;
    let mut parents = vec![0];
    (0..endpoint.processes)
        .map(|at| {
            let program = core.get(at).unwrap_or_else(|| random.pick(more));
            pid += 4 * (1 + i64::try_from(random.below(9)).unwrap_or(0));
            let parent = if at < 2 { 0 } else { *random.pick(&parents) };
            if parents.len() < 12 {
                parents.push(pid);
            }
            process(endpoint, &mut random, *program, pid, parent)
        })
        .collect()
}

fn process(
    endpoint: &Endpoint,
    random: &mut Random,
    (name, folder, arguments, system): Program,
    pid: i64,
    parent: i64,
) -> Dict {
    let windows = endpoint.os == Os::Windows;
    let separator = if windows { r"\" } else { "/" };
    let exe = if folder.is_empty() { String::new() } else { format!("{folder}{separator}{name}") };
    let command = match (windows, exe.is_empty(), arguments.is_empty()) {
        (_, true, _) => String::new(),
        (true, false, true) => format!("\"{exe}\""),
        (true, false, false) => format!("\"{exe}\" {arguments}"),
        (false, false, true) => exe.clone(),
        (false, false, false) => format!("{exe} {arguments}"),
    };
    let user = match (windows, system) {
        (true, true) => String::from(r"NT AUTHORITY\SYSTEM"),
        (true, false) => format!(r"CORP\{}", endpoint.user()),
        (false, true) => String::from("root"),
        (false, false) => endpoint.user().to_owned(),
    };
    let minutes = 20 + random.below(660);
    row(endpoint, pid, parent, name, &exe, &command, &user, minutes, system)
}

/// One row, for ordinary processes and for planted ones.
#[expect(clippy::too_many_arguments, reason = "a row of that many columns")]
pub(super) fn row(
    endpoint: &Endpoint,
    pid: i64,
    parent: i64,
    name: &str,
    exe: &str,
    command: &str,
    user: &str,
    minutes_ago: u64,
    elevated: bool,
) -> Dict {
    let windows = endpoint.os == Os::Windows;
    let jitter = Duration::from_micros(hash(command).wrapping_add(pid.unsigned_abs()) % 59_000_000);
    let memory = 4_000_000 + hash(exe) % 300_000_000;
    let hash_value = if exe.is_empty() {
        Value::Null
    } else {
        let mut digits = Random::new(hash(exe), "hash");
        Value::from(columns! {
            "Path" => exe,
            "MD5" => digits.hex(32),
            "SHA1" => digits.hex(40),
            "SHA256" => digits.hex(64),
        })
    };
    let signed = windows && exe.starts_with(r"C:\");
    columns! {
        "Pid" => pid,
        "Ppid" => parent,
        "Name" => name,
        "Threads" => i64::try_from(1 + hash(command) % 40).unwrap_or(1),
        "Username" => user,
        "TokenIsElevated" => elevated,
        "CommandLine" => command,
        "Exe" => exe,
        "CreateTime" => endpoint.ago(minutes_ago) - jitter,
        "TokenInfo" => if windows {
            Value::from(columns! { "IsElevated" => elevated, "User" => user })
        } else {
            Value::Null
        },
        "Hash" => hash_value,
        "Authenticode" => if signed {
            Value::from(columns! {
                "Filename" => exe,
                "ProgramName" => "",
                "PublisherLink" => Value::Null,
                "MoreInfoLink" => "http://www.microsoft.com/windows",
                "SerialNumber" => "3300000266bd1580efa75cd6d3000000000266",
                "IssuerName" => "C=US, O=Microsoft Corporation, CN=Microsoft Windows Production PCA 2011",
                "SubjectName" => "C=US, O=Microsoft Corporation, CN=Microsoft Windows",
                "Timestamp" => Value::Null,
                "Trusted" => "trusted",
            })
        } else {
            Value::Null
        },
        "Memory" => columns! { "WorkingSetSize" => memory },
        "MemoryInfo" => columns! { "rss" => memory },
    }
}
