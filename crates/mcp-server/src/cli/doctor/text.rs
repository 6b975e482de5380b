//! The report for reading.

use std::fmt::Write;

use super::{IdentityReport, Report, ServerReport};

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for server in &report.servers {
        render_server(&mut out, server);
    }
    let _ = writeln!(
        out,
        "changes   {}",
        match (report.changes_allowed, report.changes_possible) {
            (false, _) => "refused by the policy: only read tools are listed (megaraptor policy)",
            (true, false) => "none: no identity given here may run a tool that changes anything",
            (true, true) => {
                "possible: as the policy says, after a person was asked or at once (megaraptor policy)"
            }
        }
    );
    super::record::render(&mut out, &report.record);
    match report.problems {
        0 => out.push_str("no problems found"),
        1 => out.push_str("1 problem found"),
        n => {
            let _ = write!(out, "{n} problems found");
        }
    }
    out
}

fn render_server(out: &mut String, report: &ServerReport) {
    let ServerReport { server, org, address, .. } = report;
    let _ = write!(out, "{server}");
    if server != address {
        let _ = write!(out, " at {address}");
    }
    let _ = write!(out, ", org {org}");
    match &report.version {
        Some(version) => {
            let _ = writeln!(out, ", Velociraptor {version}");
        }
        None => out.push_str(": no identity got an answer\n"),
    }
    for identity in &report.identities {
        render_identity(out, identity);
    }
    if let (Some(clients), Some(online)) = (report.clients, report.online) {
        let _ = writeln!(out, "  clients   {clients}, {online} online");
    }
    if let Some(ahead) = report.clock_ahead_seconds {
        let words = match ahead {
            -1..=1 => String::from("agrees with this computer's, to a second"),
            ahead if ahead > 0 => format!("{ahead} s ahead of this computer's"),
            behind => format!("{} s behind this computer's", behind.unsigned_abs()),
        };
        let _ = writeln!(out, "  clock     {words}");
    }
    if report.orgs.iter().any(|known| known != org) {
        let _ = writeln!(out, "  orgs      {} (choose with --orgs)", report.orgs.join(" "));
    }
    for lost in &report.tools_lost {
        let _ = writeln!(out, "  lost      {}: needs {}", lost.tool, lost.lacking.join(", "));
    }
    for problem in &report.problems {
        let _ = writeln!(out, "  ! {problem}");
    }
    out.push('\n');
}

fn render_identity(out: &mut String, identity: &IdentityReport) {
    let kind = identity.kind.or(identity.declared).unwrap_or("unknown");
    let _ = write!(out, "  identity  {} ({kind})", identity.user);
    if !identity.permissions.is_empty() {
        let _ = write!(out, ": {}", identity.permissions.join(" "));
    }
    let _ = writeln!(
        out,
        "\n            {}, certificate good for {} days",
        identity.file, identity.certificate_days
    );
}
