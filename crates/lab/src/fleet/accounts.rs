//! Users, logins and keys.

use super::endpoint::Endpoint;
use super::{Os, texts};
use crate::value::{Dict, Value, row};

/// Profiles on a Windows machine.
pub(super) fn windows(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Windows {
        return Vec::new();
    }
    let built_in = [
        ("S-1-5-18", "NT AUTHORITY\\SYSTEM", r"%systemroot%\system32\config\systemprofile"),
        ("S-1-5-19", "NT AUTHORITY\\LOCAL SERVICE", r"%systemroot%\ServiceProfiles\LocalService"),
        (
            "S-1-5-20",
            "NT AUTHORITY\\NETWORK SERVICE",
            r"%systemroot%\ServiceProfiles\NetworkService",
        ),
    ];
    let own = endpoint
        .users
        .iter()
        .enumerate()
        .map(|(at, user)| (sid(at), format!("CORP\\{user}"), format!(r"C:\Users\{user}")));
    built_in
        .iter()
        .map(|(sid, name, home)| ((*sid).to_owned(), (*name).to_owned(), (*home).to_owned()))
        .chain(own)
        .map(|(sid, name, home)| {
            row! {
                "Uid" => sid.rsplit('-').next().unwrap_or_default(),
                "Gid" => "",
                "Name" => name,
                "Description" => format!(
                    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\{sid}"
                ),
                "Directory" => home,
                "UUID" => &sid,
                "Mtime" => endpoint.ago(600),
                "HomedirMtime" => endpoint.ago(90),
                "Data" => row! {
                    "ProfileLoadTime" => endpoint.ago(600), "ProfileUnloadTime" => Value::Null,
                },
            }
        })
        .collect()
}

/// The security identifier of the user at that place.
pub(super) fn sid(at: usize) -> String {
    format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1104 + at)
}

/// Lines of the password file.
pub(super) fn unix(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Linux {
        return Vec::new();
    }
    let system = [
        ("root", "root", "0", "/root", "/bin/bash"),
        ("daemon", "daemon", "1", "/usr/sbin", "/usr/sbin/nologin"),
        ("www-data", "www-data", "33", "/var/www", "/usr/sbin/nologin"),
        ("sshd", "", "105", "/run/sshd", "/usr/sbin/nologin"),
    ];
    let mut rows: Vec<Dict> = system
        .iter()
        .map(|(user, about, id, home, shell)| {
            texts([
                ("User", user),
                ("Description", about),
                ("Uid", id),
                ("Gid", id),
                ("Homedir", home),
                ("Shell", shell),
            ])
        })
        .collect();
    for (at, user) in endpoint.users.iter().enumerate() {
        let id = (1000 + at).to_string();
        let home = format!("/home/{user}");
        rows.push(texts([
            ("User", user),
            ("Description", user),
            ("Uid", &id),
            ("Gid", &id),
            ("Homedir", &home),
            ("Shell", "/bin/bash"),
        ]));
    }
    rows
}

/// Accounts of a Mac.
pub(super) fn mac(endpoint: &Endpoint) -> Vec<Dict> {
    if endpoint.os != Os::Darwin {
        return Vec::new();
    }
    endpoint
        .users
        .iter()
        .enumerate()
        .map(|(at, user)| {
            row! {
                "Name" => user,
                "RealName" => user.replace('.', " "),
                "Uid" => (501 + at).to_string(),
                "Gid" => "20",
                "UUid" => endpoint.random("uuid").hex(32).to_uppercase(),
                "UserShell" => "/bin/zsh",
                "HomeDir" => format!("/Users/{user}"),
                "AppleId" => Value::Null,
                "CreationTime" => endpoint.ago(60 * 24 * 200),
                "FailedLoginCount" => 0,
                "FailedLoginTimestamp" => Value::Null,
                "PasswordLastSetTime" => endpoint.ago(60 * 24 * 60),
            }
        })
        .collect()
}

/// Members of the local administrators.
pub(super) fn local_admins(endpoint: &Endpoint) -> Vec<Dict> {
    let name = |user: &str| format!(r"{}\{user}", endpoint.hostname);
    let local = "S-1-5-21-2210482334-948811723-1099312241-500";
    vec![
        texts([("Name", &name("Administrator")), ("SID", local), ("PrincipalSource", "Local")]),
        texts([
            ("Name", r"CORP\Workstation Admins"),
            ("SID", "S-1-5-21-1004336348-1177238915-682003330-1210"),
            ("PrincipalSource", "Domain"),
        ]),
    ]
}

/// Interactive logins out of wtmp.
pub(super) fn last_logins(endpoint: &Endpoint) -> Vec<Dict> {
    let mut random = endpoint.random("logins");
    (0..14)
        .map(|at| {
            let minutes = 120 + at * 700 + random.below(300);
            row! {
                "OSPath" => "/var/log/wtmp",
                "login_Type" => "USER_PROCESS",
                "login_ID" => format!("ts/{}", at % 3),
                "login_PID" => i64::try_from(2000 + random.below(60_000)).unwrap_or(0),
                "login_Host" => format!("10.20.4.{}", 10 + random.below(20)),
                "login_User" => random.pick(&endpoint.users),
                "login_IpAddr" => format!("10.20.4.{}", 10 + random.below(20)),
                "login_Terminal" => format!("pts/{}", at % 3),
                "login_time" => endpoint.ago(minutes),
                "logout_time" => endpoint.ago(minutes.saturating_sub(55)),
            }
        })
        .collect()
}

/// Keys that may log in.
pub(super) fn authorized_keys(endpoint: &Endpoint) -> Vec<Dict> {
    endpoint
        .users
        .iter()
        .map(|user| {
            texts([
                ("OSPath", &format!("/home/{user}/.ssh/authorized_keys")),
                ("keytype", "ssh-ed25519"),
                ("key", &format!("AAAAC3NzaC1lZDI1NTE5{}", endpoint.random(user).hex(40))),
                ("comment", &format!("{user}@jump.corp.example")),
            ])
        })
        .collect()
}
