//! Units of systemd as texts.
//!
//! One place says what a service of ours may do and when it is started again, be it on a host that is
//! deployed to or in something that a person carries to endpoints. Values are quoted or refused: no
//! text of a caller becomes a line of its own.

#![warn(missing_docs)]

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The exit code of a program that finds its data in use: it is not started again.
pub const BUSY: u8 = 75;

/// A value that cannot stand in a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in a unit")]
pub struct Unfit(String);

/// A service that is started with the host and again when it fails, within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// To whom it belongs: its first line, and the beginning of its description.
    pub marker: &'a str,
    /// What it is, for a person: `the server`.
    pub about: &'a str,
    /// The program and its arguments.
    pub command: &'a [String],
    /// What it may do.
    pub confinement: &'a Confinement,
}

/// The command of an agent.
pub fn agent_command(program: &str, configuration: &str) -> Vec<String> {
    [program, "--nobanner", "--config", configuration, "-v", "client"].map(str::to_owned).to_vec()
}

/// What a service may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confinement {
    /// A server: as its own user, with one folder to write to.
    Server {
        /// The user, and the group of that name.
        user: String,
        /// The folder.
        writable: String,
        /// Bytes of memory; it has no swap beside.
        memory: u64,
        /// Processors, in thousandths.
        millicpus: u64,
        /// Processes and threads.
        tasks: u64,
        /// Files that one process may have open: each agent that is connected is one.
        open_files: u64,
        /// It listens on a port below 1024.
        low_ports: bool,
    },
    /// An agent: as the administrator, since it is there to look at everything.
    Agent,
}

/// What every service of ours has. None of it takes anything from the view of an agent.
const ALWAYS: &str = "\
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
";

/// What a server has beside. An agent has none of it: each of these hides files, devices, processes
/// or mounts, or keeps it from what it is told to do. A call that is not allowed is refused and does
/// not kill: one library of the server asks at its start what `bpf` can do, and goes on without.
const SERVER: &str = "\
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

impl Confinement {
    /// Its limits, as `systemctl show` names them.
    pub fn limits(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Agent => Vec::new(),
            Self::Server { memory, open_files, .. } => {
                vec![("MemoryMax", memory.to_string()), ("LimitNOFILE", open_files.to_string())]
            }
        }
    }

    fn text(&self) -> Result<String, Unfit> {
        let Self::Server { user, writable, memory, millicpus, tasks, open_files, low_ports } = self
        else {
            return Ok(ALWAYS.to_owned());
        };
        let (user, writable) = (plain(user)?, plain(writable)?);
        // In percent of one processor.
        let quota = millicpus.div_ceil(10);
        let may = if *low_ports { "CAP_NET_BIND_SERVICE" } else { "" };
        Ok(format!(
            "User={user}
Group={user}
WorkingDirectory={writable}
ReadWritePaths={writable}
MemoryMax={memory}
MemorySwapMax=0
CPUQuota={quota}%
TasksMax={tasks}
LimitNOFILE={open_files}
CapabilityBoundingSet={may}
AmbientCapabilities={may}
{ALWAYS}{SERVER}"
        ))
    }
}

impl Unit<'_> {
    /// Its file.
    ///
    /// # Errors
    ///
    /// [`Unfit`] where a value could be read as something else.
    pub fn text(&self) -> Result<String, Unfit> {
        let marker = plain(self.marker)?;
        let command: Result<Vec<String>, Unfit> =
            self.command.iter().map(|argument| quoted(argument)).collect();
        let mut text = String::new();
        // A text grows without failing.
        let _ = write!(
            text,
            "# {marker}
[Unit]
Description={marker}: {about}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
KillSignal=SIGTERM
TimeoutStopSec=30
Restart=on-failure
RestartSec=2
RestartPreventExitStatus={BUSY}
{confinement}
[Install]
WantedBy=multi-user.target
",
            about = plain(self.about)?,
            command = command?.join(" "),
            confinement = self.confinement.text()?,
        );
        Ok(text)
    }
}

/// An argument as systemd reads it back.
fn quoted(argument: &str) -> Result<String, Unfit> {
    if argument.chars().any(char::is_control) {
        return Err(unfit(argument));
    }
    let mut quoted = String::from("\"");
    for c in argument.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// A value that needs no quotes.
fn plain(value: &str) -> Result<&str, Unfit> {
    let sound = |c: char| c.is_ascii_alphanumeric() || " /._-".contains(c);
    if value.chars().all(sound) { Ok(value) } else { Err(unfit(value)) }
}

fn unfit(value: &str) -> Unfit {
    Unfit(value.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_systemd() {
        assert_eq!(quoted("/a b").unwrap(), "\"/a b\"");
        assert_eq!(quoted("50% of $HOME \"x\\").unwrap(), "\"50%% of $$HOME \\\"x\\\\\"");
        assert!(quoted("a\nExecStartPre=x").is_err());
        assert!(plain("a\nb").is_err() && plain("%h").is_err());
    }

    #[test]
    fn an_agent_sees_what_a_server_does_not() {
        let command = agent_command("/bin/x", "/etc/x.yaml");
        let text = |confinement: &Confinement| {
            let (marker, about) = ("Megaraptor deployment D-2345678923", "the agent");
            Unit { marker, about, command: &command, confinement }.text().unwrap()
        };
        let agent = text(&Confinement::Agent);
        assert!(agent.starts_with("# Megaraptor deployment D-2345678923\n"), "{agent}");
        assert!(agent.contains("NoNewPrivileges=yes"), "{agent}");
        assert!(!agent.contains("Protect") && !agent.contains("Private"), "{agent}");
        assert!(!agent.contains("User="), "{agent}");
        let server = text(&Confinement::Server {
            user: String::from("mr"),
            writable: String::from("/var/lib/mr/data"),
            memory: 512 << 20,
            millicpus: 1000,
            tasks: 100,
            open_files: 4096,
            low_ports: false,
        });
        for line in [
            "User=mr",
            "CapabilityBoundingSet=",
            "CPUQuota=100%",
            "MemoryMax=536870912",
            "ProtectSystem=strict",
            "ReadWritePaths=/var/lib/mr/data",
            "TimeoutStopSec=30",
            "Restart=on-failure",
        ] {
            assert!(server.lines().any(|found| found == line), "{line} is not in {server}");
        }
    }
}
