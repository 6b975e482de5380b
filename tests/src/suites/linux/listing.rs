//! All that a host has, as its own commands list it.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::inside::says;

/// What the host writes by itself, and copies that its own commands keep of what they change.
const ITS_OWN: [&str; 6] = [
    "/var/log/",
    "/var/tmp/systemd-",
    "/var/lib/systemd/",
    "/var/cache/",
    "/etc/.pwd.lock",
    "/root/",
];

/// Files, users, groups, units, and who listens.
pub(super) struct Listing(BTreeSet<String>);

pub(super) async fn taken() -> anyhow::Result<Listing> {
    let mut all = BTreeSet::new();
    let files = says("find", &["/", "-xdev", "-not", "-type", "s"]).await?;
    let own = |path: &&str| {
        ITS_OWN.iter().any(|own| path.starts_with(own))
            || path.starts_with("/etc/") && path.ends_with('-')
    };
    all.extend(files.lines().filter(|path| !own(path)).map(str::to_owned));
    for database in ["passwd", "group", "shadow", "gshadow"] {
        let text = says("getent", &[database]).await?;
        all.extend(text.lines().map(|line| format!("{database} {line}")));
    }
    let units = says("systemctl", &["list-units", "--all", "--plain", "--no-legend"]).await?;
    let ours = units.lines().filter(|line| line.contains("megaraptor"));
    all.extend(ours.map(str::to_owned));
    let listening = says("ss", &["-H", "-l", "-t", "-n"]).await?;
    all.extend(listening.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")));
    let processes = says("ps", &["-e", "-o", "args="]).await?;
    let ours = processes.lines().filter(|line| line.contains("velociraptor"));
    // The suite's own command line names the binary.
    all.extend(ours.filter(|line| !line.contains("/bed/suites")).map(str::to_owned));
    Ok(Listing(all))
}

impl Listing {
    /// Nothing is there that was not, and all is there that was.
    pub(super) async fn is_still_so(&self) -> anyhow::Result<()> {
        let now = taken().await?;
        let left: Vec<_> = now.0.difference(&self.0).take(20).collect();
        let lost: Vec<_> = self.0.difference(&now.0).take(20).collect();
        ensure!(left.is_empty() && lost.is_empty(), "left: {left:#?}; lost: {lost:#?}");
        Ok(())
    }
}
