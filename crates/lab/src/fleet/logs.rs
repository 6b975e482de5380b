//! Extracts of event logs and log files.

use super::endpoint::Endpoint;
use super::{Os, texts};
use crate::value::{Dict, Value, row};

/// Logons and their like out of the Security log.
pub(super) fn events(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Windows {
        return Vec::new();
    }
    let mut random = endpoint.random("events");
    let kinds = [
        (4624, "An account was successfully logged on."),
        (4634, "An account was logged off."),
        (4672, "Special privileges assigned to new logon."),
    ];
    (0..240)
        .map(|at| {
            let (id, message) = *random.pick(&kinds);
            let user = random.pick(&endpoint.users).clone();
            event(endpoint, 10 + at * 6, id, message, &user, if id == 4624 { "3" } else { "" }, at)
        })
        .collect()
}

pub(super) fn event(
    endpoint: &Endpoint,
    minutes_ago: u64,
    id: i64,
    message: &str,
    user: &str,
    logon_type: &str,
    record: u64,
) -> Dict {
    let channel = "Security";
    row! {
        "EventTime" => endpoint.ago(minutes_ago),
        "Computer" => &endpoint.fqdn,
        "Channel" => channel,
        "Provider" => "Microsoft-Windows-Security-Auditing",
        "EventID" => id,
        "EventRecordID" => 810_000 - i64::try_from(record).unwrap_or(0),
        "UserSID" => Value::Null,
        "Username" => user,
        "EventData" => row! {
            "TargetUserName" => user,
            "TargetDomainName" => "CORP",
            "LogonType" => logon_type,
            "IpAddress" => if logon_type == "3" { "10.20.4.12" } else { "-" },
        },
        "UserData" => Value::Null,
        "Message" => message,
        "OSPath" => r"C:\Windows\System32\winevt\Logs\Security.evtx",
    }
}

/// Script blocks that PowerShell recorded.
pub(super) fn script_blocks(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Windows {
        return Vec::new();
    }
    (0..9)
        .map(|at| {
            let text = "Get-CimInstance Win32_ComputerSystem | Export-Csv C:\\IT\\inventory.csv";
            script_block(endpoint, 60 * 24 * at + 45, text, r"C:\IT\inventory.ps1")
        })
        .collect()
}

pub(super) fn script_block(endpoint: &Endpoint, minutes_ago: u64, text: &str, path: &str) -> Dict {
    row! {
        "EventTime" => endpoint.ago(minutes_ago),
        "Computer" => &endpoint.fqdn,
        "Channel" => "Microsoft-Windows-PowerShell/Operational",
        "EventID" => 4104,
        "SecurityID" => super::accounts::sid(0),
        "Path" => path,
        "ScriptBlockId" => endpoint.random(text).hex(32),
        "ScriptBlockText" => text,
        "Message" => "Creating Scriptblock text (1 of 1)",
        "EventRecordID" => 5000 - i64::try_from(minutes_ago % 4000).unwrap_or(0),
        "Level" => 3,
        "Opcode" => 15,
        "Task" => 2,
        "OSPath" => r"C:\Windows\System32\winevt\Logs\Microsoft-Windows-PowerShell%4Operational.evtx",
    }
}

/// Logins that sshd wrote down; a few from scanners fail.
pub(super) fn ssh_logins(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os == Os::Windows {
        return Vec::new();
    }
    let mut random = endpoint.random("ssh");
    (0..60)
        .map(|at| {
            let failed = at % 6 == 0;
            let ip = if failed {
                format!("198.51.100.{}", 100 + random.below(60))
            } else {
                format!("10.20.4.{}", 10 + random.below(12))
            };
            row! {
                "Time" => endpoint.ago(15 + at * 31),
                "IP" => ip,
                "Result" => if failed { "Failed" } else { "Accepted" },
                "Method" => if failed { "password" } else { "publickey" },
                "AttemptedUser" => if failed { "admin" } else { endpoint.user() },
                "OSPath" => "/var/log/auth.log",
            }
        })
        .collect()
}

/// Lines of shell histories.
pub(super) fn shell_history(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Linux {
        return Vec::new();
    }
    let lines =
        ["df -h", "systemctl status nginx", "tail -f /var/log/nginx/error.log", "sudo apt update"];
    let path = format!("/home/{}/.bash_history", endpoint.user());
    lines.iter().map(|line| texts([("Line", line), ("OSPath", &path)])).collect()
}
