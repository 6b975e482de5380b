//! Plugins that do something else than a caller may think when they run on the server.

use velociraptor_api::artifacts;
use vql_builder::CallKind;
use vql_builder::ast::Program;

use crate::context::ToolCx;

/// Calls that read the machine on which they run, and the artifacts that read the same on an
/// endpoint. Plugins that take an accessor are left out: with `fs` or `data` they read what the
/// server has collected.
const HOST: &[(&[&str], &[&str])] = &[
    (
        &[
            "pslist",
            "process_tracker_pslist",
            "process_tracker_tree",
            "threads",
            "modules",
            "handles",
            "vad",
        ],
        &["Windows.System.Pslist", "Linux.Sys.Pslist", "Generic.System.Pstree"],
    ),
    (
        &["netstat", "connections"],
        &[
            "Windows.Network.NetstatEnriched",
            "Linux.Network.NetstatEnriched",
            "MacOS.Network.Netstat",
        ],
    ),
    (&["interfaces"], &["Generic.Network.InterfaceAddresses"]),
    (&["users"], &["Windows.Sys.Users", "Linux.Sys.Users", "MacOS.System.Users"]),
    (&["info", "sysinfo", "environ", "host"], &["Generic.Client.Info"]),
    (
        &["glob", "stat", "vfs_ls", "filesystems", "partitions"],
        &["Windows.Search.FileFinder", "Linux.Search.FileFinder", "MacOS.Search.FileFinder"],
    ),
    (&["read_file", "upload"], &["Generic.Collectors.File"]),
    (&["hash"], &["Generic.Detection.HashHunter"]),
    (&["yara", "yarax"], &["Generic.Detection.Yara.Glob", "Windows.Detection.Yara.NTFS"]),
    (&["proc_yara"], &["Windows.Detection.Yara.Process", "Linux.Detection.Yara.Process"]),
    (&["parse_evtx", "watch_evtx"], &["Windows.EventLogs.EvtxHunter", "Windows.EventLogs.Evtx"]),
    (&["parse_journald", "watch_journald"], &["Linux.Forensics.Journal"]),
    (&["parse_mft", "parse_usn"], &["Windows.NTFS.MFT", "Windows.Forensics.Usn"]),
    (&["prefetch"], &["Windows.Forensics.Prefetch"]),
    (&["certificates"], &["Windows.System.RootCAStore"]),
    (&["wmi"], &["Windows.System.WMIQuery"]),
    (&["read_reg_key"], &["Windows.Registry.NTUser", "Windows.Detection.Registry"]),
];

/// Plugins that give events for ever.
const ENDLESS: &[&str] =
    &["audit", "clock", "diff", "ebpf_events", "logging", "process_tracker_updates", "wmi_events"];

/// The first plugin in the text that never ends by itself.
pub(super) fn endless(program: &Program) -> Option<String> {
    program
        .calls()
        .into_iter()
        .filter(|call| call.kind == CallKind::Plugin)
        .map(|call| call.name)
        .find(|name| ENDLESS.contains(&name.as_str()) || name.starts_with("watch_"))
}

/// A word about calls that look at the server's own machine, and the artifacts of the connected
/// server that look at an endpoint instead.
pub(super) async fn hint(cx: &ToolCx<'_>, program: &Program) -> Option<String> {
    let (name, wanted) = host_call(program)?;
    // Only a hint hangs on it: without the names it still says what is the matter.
    let known = artifacts::names(&cx.session()).await.unwrap_or_default();
    let wanted: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|artifact| known.iter().any(|(known, _)| known == artifact))
        .collect();
    let mut text =
        format!("{name}() looks at the machine of the Velociraptor server, not at an endpoint");
    if !wanted.is_empty() {
        text.push_str(": for an endpoint collect_artifact ");
        text.push_str(&wanted.join(" or "));
    }
    Some(text)
}

fn host_call(program: &Program) -> Option<(String, &'static [&'static str])> {
    let defined = program.definitions();
    program.calls().into_iter().find_map(|call| {
        if defined.contains(&call.name.as_str()) || call.arguments.iter().any(|a| a == "accessor") {
            return None;
        }
        let (_, artifacts) = HOST.iter().find(|(names, _)| names.contains(&call.name.as_str()))?;
        Some((call.name, *artifacts))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Program {
        vql_builder::parse(text).program().unwrap()
    }

    #[test]
    fn calls_that_look_at_the_host_are_found_wherever_they_stand() {
        for (text, name) in [
            ("SELECT * FROM pslist()", Some("pslist")),
            ("LET x = SELECT * FROM glob(globs='/etc/*') SELECT * FROM x", Some("glob")),
            ("SELECT hash(path='/etc/passwd') FROM scope()", Some("hash")),
            ("SELECT * FROM clients()", None),
            ("SELECT * FROM glob(globs='/*', accessor='fs')", None),
            ("LET users() = SELECT * FROM clients() SELECT * FROM users()", None),
        ] {
            let found = host_call(&program(text)).map(|(name, _)| name);
            assert_eq!(found.as_deref(), name, "{text}");
        }
    }

    #[test]
    fn event_plugins_are_known() {
        let watching = program("SELECT * FROM watch_monitoring(artifact='Server.Audit.Logs')");
        assert_eq!(endless(&watching).as_deref(), Some("watch_monitoring"));
        assert_eq!(endless(&program("SELECT * FROM clock(period=1)")).as_deref(), Some("clock"));
        assert_eq!(endless(&program("SELECT clock FROM clients()")), None);
    }
}
