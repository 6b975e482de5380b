//! Which artifacts answer which question, on which system. All of them are built into Velociraptor
//! 0.77; what a connected server lacks is left out when a prompt is written.

use velociraptor_api::Os;

/// An artifact and what it answers.
pub(super) type Step = (&'static str, &'static str);

const INFO: Step = ("Generic.Client.Info", "what the host is");
const PSTREE: Step = ("Generic.System.Pstree", "processes with their parents");
const HASHES: Step = ("Generic.Detection.HashHunter", "files by hash (slow: name directories)");
const YARA_FILES: Step = ("Generic.Detection.Yara.Glob", "files by Yara rule");

const WIN_PROCESSES: Step = ("Windows.System.Pslist", "processes, parents, command lines, signers");
const WIN_NETWORK: Step = ("Windows.Network.NetstatEnriched", "connections with their process");
const WIN_DNS: Step = ("Windows.System.DNSCache", "names that were resolved lately");
const WIN_SERVICES: Step = ("Windows.System.Services", "services");
const WIN_TASKS: Step = ("Windows.System.TaskScheduler", "scheduled tasks");
const WIN_STARTUP: Step = ("Windows.Sys.StartupItems", "programs that start with a logon");
const WIN_WMI: Step = ("Windows.Persistence.PermanentWMIEvents", "WMI event consumers");
const WIN_USERS: Step = ("Windows.Sys.Users", "local accounts");
const WIN_ADMINS: Step = ("Windows.System.LocalAdmins", "members of the administrators");
const WIN_RDP: Step = ("Windows.EventLogs.RDPAuth", "RDP logons");
const WIN_EXPLICIT: Step = ("Windows.EventLogs.ExplicitLogon", "logons with other credentials");
const WIN_POWERSHELL: Step = ("Windows.EventLogs.PowershellScriptblock", "PowerShell that ran");
const WIN_SERVICE_CREATED: Step =
    ("Windows.EventLogs.ServiceCreationComspec", "services made to run a command");
const WIN_CLEARED: Step = ("Windows.EventLogs.Cleared", "event logs that were cleared");
const WIN_PREFETCH: Step = ("Windows.Forensics.Prefetch", "programs that ran");
const WIN_AMCACHE: Step = ("Windows.Detection.Amcache", "programs seen, with hashes");
const WIN_FILES: Step = ("Windows.Search.FileFinder", "files by name, time, content or hash");
const WIN_YARA: Step = ("Windows.Detection.Yara.Process", "process memory by Yara rule");

const NIX_PROCESSES: Step = ("Linux.Sys.Pslist", "processes, parents, command lines");
const NIX_NETWORK: Step = ("Linux.Network.NetstatEnriched", "connections with their process");
const NIX_CRON: Step = ("Linux.Sys.Crontab", "cron jobs");
const NIX_SERVICES: Step = ("Linux.Sys.Services", "systemd services");
const NIX_USERS: Step = ("Linux.Sys.Users", "accounts");
const NIX_LOGONS: Step = ("Linux.Sys.LastUserLogin", "logons (wtmp)");
const NIX_SSH: Step = ("Linux.Syslog.SSHLogin", "SSH logons");
const NIX_KEYS: Step = ("Linux.Ssh.AuthorizedKeys", "keys that may log on");
const NIX_KNOWN: Step = ("Linux.Ssh.KnownHosts", "hosts that were reached by SSH");
const NIX_HISTORY: Step = ("Linux.Sys.BashHistory", "shell history");
const NIX_FILES: Step = ("Linux.Search.FileFinder", "files by name, time, content or hash");
const NIX_YARA: Step = ("Linux.Detection.Yara.Process", "process memory by Yara rule");
const NIX_SUID: Step = ("Linux.Sys.SUID", "programs that run as their owner");

const MAC_NETWORK: Step = ("MacOS.Network.Netstat", "connections");
const MAC_AUTORUNS: Step = ("MacOS.Detection.Autoruns", "what starts by itself");
const MAC_USERS: Step = ("MacOS.System.Users", "accounts");
const MAC_TCC: Step = ("MacOS.System.TCC", "what programs may see and record");
const MAC_DOWNLOADS: Step = ("MacOS.System.QuarantineEvents", "downloads with their source");
const MAC_FILES: Step = ("MacOS.Search.FileFinder", "files by name, time, content or hash");
const MAC_EVENTS: Step = ("MacOS.Forensics.FSEvents", "changes of files");

/// One question, answered for each system.
pub(super) struct Plan {
    windows: &'static [Step],
    linux: &'static [Step],
    macos: &'static [Step],
}

impl Plan {
    /// The steps for a system; nothing where there is no plan for it.
    pub(super) const fn steps(&self, os: Os) -> &'static [Step] {
        match os {
            Os::Windows => self.windows,
            Os::Linux => self.linux,
            Os::Darwin => self.macos,
            _ => &[],
        }
    }
}

/// A first look at a whole host, the volatile first.
pub(super) static INVESTIGATE: Plan = Plan {
    windows: &[
        INFO,
        WIN_PROCESSES,
        WIN_NETWORK,
        WIN_DNS,
        WIN_SERVICES,
        WIN_TASKS,
        WIN_STARTUP,
        WIN_WMI,
        WIN_USERS,
        WIN_RDP,
        WIN_PREFETCH,
    ],
    linux: &[
        INFO,
        NIX_PROCESSES,
        NIX_NETWORK,
        NIX_CRON,
        NIX_SERVICES,
        NIX_USERS,
        NIX_LOGONS,
        NIX_KEYS,
        NIX_HISTORY,
    ],
    macos: &[INFO, PSTREE, MAC_NETWORK, MAC_AUTORUNS, MAC_USERS, MAC_TCC, MAC_DOWNLOADS],
};

/// What is asked first of a host, by the kind of incident.
pub(super) fn triage(incident: &str) -> &'static Plan {
    static UNKNOWN: Plan = Plan {
        windows: &[
            WIN_PROCESSES,
            WIN_NETWORK,
            WIN_DNS,
            WIN_TASKS,
            WIN_SERVICES,
            WIN_POWERSHELL,
            WIN_PREFETCH,
        ],
        linux: &[NIX_PROCESSES, NIX_NETWORK, NIX_CRON, NIX_SERVICES, NIX_SSH, NIX_HISTORY],
        macos: &[PSTREE, MAC_NETWORK, MAC_AUTORUNS, MAC_DOWNLOADS],
    };
    static MALWARE: Plan = Plan {
        windows: &[
            WIN_PROCESSES,
            WIN_NETWORK,
            WIN_STARTUP,
            WIN_TASKS,
            WIN_SERVICES,
            WIN_WMI,
            WIN_PREFETCH,
            WIN_AMCACHE,
        ],
        linux: &[NIX_PROCESSES, NIX_NETWORK, NIX_CRON, NIX_SERVICES, NIX_SUID, NIX_HISTORY],
        macos: &[PSTREE, MAC_NETWORK, MAC_AUTORUNS, MAC_DOWNLOADS, MAC_TCC],
    };
    static INTRUSION: Plan = Plan {
        windows: &[
            WIN_PROCESSES,
            WIN_NETWORK,
            WIN_RDP,
            WIN_EXPLICIT,
            WIN_SERVICE_CREATED,
            WIN_POWERSHELL,
            WIN_USERS,
            WIN_ADMINS,
            WIN_CLEARED,
        ],
        linux: &[NIX_PROCESSES, NIX_NETWORK, NIX_SSH, NIX_LOGONS, NIX_KEYS, NIX_USERS, NIX_HISTORY],
        macos: &[PSTREE, MAC_NETWORK, MAC_USERS, MAC_TCC, MAC_AUTORUNS],
    };
    static DATA_EXFIL: Plan = Plan {
        windows: &[
            WIN_PROCESSES,
            WIN_NETWORK,
            WIN_DNS,
            ("Windows.Forensics.SRUM", "bytes sent by each program"),
            ("Windows.Forensics.RecentApps", "programs and files used lately"),
            ("Windows.Forensics.Shellbags", "folders that were opened"),
        ],
        linux: &[NIX_PROCESSES, NIX_NETWORK, NIX_HISTORY, NIX_KNOWN, NIX_SSH],
        macos: &[PSTREE, MAC_NETWORK, ("MacOS.Applications.MRU", "files used lately"), MAC_EVENTS],
    };
    static RANSOMWARE: Plan = Plan {
        windows: &[
            WIN_PROCESSES,
            WIN_NETWORK,
            WIN_TASKS,
            WIN_SERVICE_CREATED,
            WIN_CLEARED,
            ("Windows.Forensics.Usn", "renames and writes of files (large: bound the time)"),
            WIN_FILES,
        ],
        linux: &[NIX_PROCESSES, NIX_NETWORK, NIX_CRON, NIX_SSH, NIX_FILES],
        macos: &[PSTREE, MAC_NETWORK, MAC_AUTORUNS, MAC_EVENTS, MAC_FILES],
    };
    match incident {
        "malware" => &MALWARE,
        "intrusion" => &INTRUSION,
        "data_exfil" => &DATA_EXFIL,
        "ransomware" => &RANSOMWARE,
        _ => &UNKNOWN,
    }
}

/// Where indicators are looked for, by their kind.
pub(super) fn hunt(kind: &str) -> &'static Plan {
    static FILE: Plan = Plan {
        windows: &[WIN_FILES, HASHES, YARA_FILES, WIN_AMCACHE],
        linux: &[NIX_FILES, HASHES, YARA_FILES],
        macos: &[MAC_FILES, HASHES, YARA_FILES],
    };
    static PROCESS: Plan = Plan {
        windows: &[WIN_PROCESSES, WIN_PREFETCH, WIN_YARA],
        linux: &[NIX_PROCESSES, NIX_YARA],
        macos: &[PSTREE],
    };
    static NETWORK: Plan =
        Plan { windows: &[WIN_NETWORK, WIN_DNS], linux: &[NIX_NETWORK], macos: &[MAC_NETWORK] };
    static REGISTRY: Plan = Plan {
        windows: &[
            ("Windows.Registry.NTUser", "keys of each user"),
            WIN_STARTUP,
            ("Windows.Registry.UserAssist", "programs that users started"),
        ],
        linux: &[],
        macos: &[],
    };
    static PERSISTENCE: Plan = Plan {
        windows: &[WIN_TASKS, WIN_SERVICES, WIN_STARTUP, WIN_WMI],
        linux: &[NIX_CRON, NIX_SERVICES, NIX_KEYS],
        macos: &[MAC_AUTORUNS],
    };
    static CUSTOM: Plan = Plan {
        windows: &[WIN_FILES, WIN_PROCESSES, WIN_NETWORK, WIN_TASKS],
        linux: &[NIX_FILES, NIX_PROCESSES, NIX_NETWORK, NIX_CRON],
        macos: &[MAC_FILES, PSTREE, MAC_NETWORK, MAC_AUTORUNS],
    };
    match kind {
        "file" => &FILE,
        "process" => &PROCESS,
        "network" => &NETWORK,
        "registry" => &REGISTRY,
        "persistence" => &PERSISTENCE,
        _ => &CUSTOM,
    }
}

/// What is asked about one file or process.
pub(super) static MALWARE_ANALYSIS: Plan = Plan {
    windows: &[
        WIN_PROCESSES,
        ("Windows.System.DLLs", "modules of the process"),
        ("Windows.System.Handles", "files, keys and mutants of the process"),
        WIN_NETWORK,
        WIN_YARA,
        WIN_FILES,
        WIN_PREFETCH,
        WIN_AMCACHE,
    ],
    linux: &[
        NIX_PROCESSES,
        ("Linux.Sys.Maps", "memory maps of the process"),
        NIX_NETWORK,
        NIX_YARA,
        NIX_FILES,
    ],
    macos: &[PSTREE, MAC_NETWORK, MAC_FILES, MAC_DOWNLOADS],
};

/// Traces of moving from host to host.
pub(super) static LATERAL_MOVEMENT: Plan = Plan {
    windows: &[
        WIN_RDP,
        WIN_EXPLICIT,
        ("Windows.EventLogs.AlternateLogon", "logons as somebody else"),
        WIN_SERVICE_CREATED,
        ("Windows.EventLogs.ScheduledTasks", "tasks that were made or ran"),
        WIN_POWERSHELL,
        ("Windows.Registry.RDP", "hosts that were reached by RDP"),
        ("Windows.System.Shares", "shares"),
    ],
    linux: &[NIX_SSH, NIX_LOGONS, NIX_KEYS, NIX_KNOWN, NIX_HISTORY],
    macos: &[PSTREE, MAC_NETWORK, MAC_USERS],
};
