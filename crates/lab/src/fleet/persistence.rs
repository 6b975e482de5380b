//! What starts by itself: services, tasks, Run keys, cron and launch items.
//!
//! The ordinary Windows machines of this fleet have no Run keys and empty startup folders: their
//! administrators start everything through services and tasks.

use super::endpoint::Endpoint;
use super::{Os, texts};
use crate::value::{Dict, Value, row};

const SERVICES: &[(&str, &str, &str)] = &[
    ("Dnscache", "DNS Client", r"C:\Windows\System32\svchost.exe -k NetworkService -p"),
    (
        "EventLog",
        "Windows Event Log",
        r"C:\Windows\System32\svchost.exe -k LocalServiceNetworkRestricted -p",
    ),
    ("LanmanServer", "Server", r"C:\Windows\System32\svchost.exe -k netsvcs -p"),
    ("Schedule", "Task Scheduler", r"C:\Windows\System32\svchost.exe -k netsvcs -p"),
    ("Spooler", "Print Spooler", r"C:\Windows\System32\spoolsv.exe"),
    (
        "TermService",
        "Remote Desktop Services",
        r"C:\Windows\System32\svchost.exe -k NetworkService",
    ),
    ("W32Time", "Windows Time", r"C:\Windows\System32\svchost.exe -k LocalService"),
    (
        "WinDefend",
        "Microsoft Defender Antivirus Service",
        r"C:\ProgramData\Microsoft\Windows Defender\Platform\MsMpEng.exe",
    ),
    ("WinRM", "Windows Remote Management", r"C:\Windows\System32\svchost.exe -k NetworkService -p"),
    ("WSearch", "Windows Search", r"C:\Windows\System32\SearchIndexer.exe /Embedding"),
    ("wuauserv", "Windows Update", r"C:\Windows\System32\svchost.exe -k netsvcs -p"),
    ("BackupAgent", "Site Backup Agent", r"C:\Program Files\SiteBackup\agent.exe"),
    (
        "Velociraptor",
        "Velociraptor Service",
        r"C:\Program Files\Velociraptor\Velociraptor.exe service run",
    ),
];

/// Services of a Windows machine: the known ones and many drivers' helpers.
pub(super) fn services(endpoint: &Endpoint) -> Vec<Dict> {
    let mut random = endpoint.random("services");
    let mut rows: Vec<Dict> = SERVICES
        .iter()
        .map(|(name, display, path)| service(endpoint, name, display, path))
        .collect();
    for at in 0..(60 + random.below(60)) {
        let name = format!("OemHelper{at:03}");
        let path = format!(r"C:\Windows\System32\drivers\oem{}.sys", random.below(900));
        rows.push(service(endpoint, &name, "OEM helper", &path));
    }
    rows
}

fn service(endpoint: &Endpoint, name: &str, display: &str, path: &str) -> Dict {
    let driver = path.ends_with(".sys");
    row! {
        "Key" => format!(r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\{name}"),
        "Name" => name,
        "DisplayName" => display,
        "Status" => Value::Null,
        "State" => "Running",
        "Pid" => i64::try_from(500 + super::random::hash(name) % 4000).unwrap_or(0),
        "ExitCode" => 0,
        "StartMode" => "Auto",
        "PathName" => path,
        "ServiceType" => if driver { "Kernel Driver" } else { "Share Process" },
        "UserAccount" => if driver { "" } else { "LocalSystem" },
        "Created" => endpoint.ago(60 * 24 * 150),
        "ServiceDll" => Value::Null,
        "FailureCommand" => Value::Null,
        "FailureActions" => Value::Null,
        "AbsoluteExePath" => path.split(" -").next().unwrap_or(path),
    }
}

/// Units of a Linux machine.
pub(super) fn units(_: &Endpoint) -> Vec<Dict> {
    let unit = |name: &str, about: &str| {
        texts([
            ("Unit", &format!("{name}.service")),
            ("Load", "loaded"),
            ("Active", "active"),
            ("Sub", "running"),
            ("Description", about),
        ])
    };
    vec![
        unit("cron", "Regular background program processing daemon"),
        unit("dbus", "D-Bus System Message Bus"),
        unit("nginx", "A high performance web server"),
        unit("ssh", "OpenBSD Secure Shell server"),
        unit("systemd-journald", "Journal Service"),
        unit("velociraptor_client", "Velociraptor client"),
    ]
}

/// Scheduled tasks.
pub(super) fn scheduled_tasks(endpoint: &Endpoint) -> Vec<Dict> {
    let mut random = endpoint.random("tasks");
    let known = [
        (r"Microsoft\Windows\Defrag\ScheduledDefrag", r"%windir%\system32\defrag.exe", "-c -h -o"),
        (
            r"Microsoft\Windows\UpdateOrchestrator\Schedule Scan",
            r"%systemroot%\system32\usoclient.exe",
            "StartScan",
        ),
        (
            r"Site\Inventory",
            r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
            r"-File C:\IT\inventory.ps1",
        ),
    ];
    let mut rows: Vec<Dict> = known
        .iter()
        .map(|(name, command, arguments)| task(endpoint, name, command, arguments))
        .collect();
    for at in 0..(70 + random.below(50)) {
        let name = format!(r"Microsoft\Windows\Feature{:03}\Task{at}", random.below(300));
        rows.push(task(endpoint, &name, r"%windir%\system32\rundll32.exe", "feature.dll,Maintain"));
    }
    rows
}

fn task(endpoint: &Endpoint, name: &str, command: &str, arguments: &str) -> Dict {
    row! {
        "OSPath" => format!(r"C:\Windows\System32\Tasks\{name}"),
        "Mtime" => endpoint.ago(60 * 24 * 30),
        "Command" => command,
        "Arguments" => arguments,
        "ComHandler" => Value::Null,
        "UserId" => "S-1-5-18",
        "StartBoundary" => "2026-01-01T03:00:00",
        "_XML" => Value::Null,
    }
}

/// Run keys and startup folders.
pub(super) fn startup_items(_: &Endpoint) -> Vec<Dict> {
    Vec::new()
}

/// One value of a Run key.
pub(super) fn run_key(sid: &str, name: &str, command: &str) -> Dict {
    texts([
        ("Name", name),
        (
            "OSPath",
            &format!(r"HKEY_USERS\{sid}\Software\Microsoft\Windows\CurrentVersion\Run\{name}"),
        ),
        ("Details", command),
        ("Enabled", "enabled"),
        ("Upload", ""),
    ])
}

/// What the autoruns tool prints.
pub(super) fn autoruns(endpoint: &Endpoint) -> Vec<Dict> {
    SERVICES
        .iter()
        .map(|(name, about, path)| {
            let location = r"HKLM\System\CurrentControlSet\Services";
            autorun(
                endpoint,
                location,
                name,
                "Services",
                about,
                "(Verified) Microsoft Windows",
                path,
            )
        })
        .collect()
}

pub(super) fn autorun(
    endpoint: &Endpoint,
    location: &str,
    name: &str,
    category: &str,
    about: &str,
    signer: &str,
    path: &str,
) -> Dict {
    let mut digits = super::random::Random::new(super::random::hash(path), "autorun");
    texts([
        ("Time", "20260112-081502"),
        ("Entry Location", location),
        ("Entry", name),
        ("Enabled", "enabled"),
        ("Category", category),
        ("Profile", "System-wide"),
        ("Description", about),
        ("Signer", signer),
        ("Company", ""),
        ("Image Path", path),
        ("Version", ""),
        ("Launch String", path),
        ("MD5", &digits.hex(32)),
        ("SHA-1", &digits.hex(40)),
        ("SHA-256", &super::incident::known_sha256(path).unwrap_or_else(|| digits.hex(64))),
        ("PSComputerName", &endpoint.hostname),
    ])
}

/// Lines of the cron tables.
pub(super) fn crontab(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os == Os::Windows {
        return Vec::new();
    }
    let line = |minute: &str, hour: &str, command: &str, path: &str| {
        row! {
            "Event" => Value::Null,
            "User" => "root",
            "Minute" => minute,
            "Hour" => hour,
            "DayOfMonth" => "*",
            "Month" => "*",
            "DayOfWeek" => "*",
            "Command" => command,
            "Path" => path,
        }
    };
    vec![
        line("17", "*", "cd / && run-parts --report /etc/cron.hourly", "/etc/crontab"),
        line(
            "25",
            "6",
            "test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily",
            "/etc/crontab",
        ),
        line("*/5", "*", "/usr/local/bin/backup-status", "/etc/cron.d/site-backup"),
    ]
}

/// Launch agents and daemons of a Mac.
pub(super) fn launch_items(endpoint: &Endpoint) -> Vec<Dict> {
    let one = |path: &str, program: &str| {
        row! {
            "OSPath" => path,
            "Mtime" => endpoint.ago(60 * 24 * 90),
            "LaunchdConfig" => row! { "Label" => path, "Program" => program, "RunAtLoad" => true },
            "Program" => program,
            "Hash" => Value::Null,
            "Upload" => Value::Null,
        }
    };
    vec![
        one(
            "/Library/LaunchDaemons/com.velocidex.velociraptor.plist",
            "/usr/local/sbin/velociraptor",
        ),
        one(
            "/Library/LaunchAgents/com.example.sitebackup.plist",
            "/Applications/SiteBackup.app/agent",
        ),
    ]
}
