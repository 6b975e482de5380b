//! A host that systemd leads.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::super::linux::Container;

/// What the host writes by itself, and what dpkg keeps of any package that it ever saw.
const ITS_OWN: [&str; 8] = [
    "/var/log/",
    "/var/tmp/systemd-",
    "/var/lib/systemd/",
    "/var/cache/",
    "/var/lib/dpkg/",
    "/root/",
    "/etc/.pwd.lock",
    "/kits",
];

pub(super) struct Host(Container);

impl Host {
    pub(super) const fn new(container: Container) -> Self {
        Self(container)
    }

    /// The exit code of a program and all that it said.
    pub(super) async fn run(&self, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
        let ended = self.0.exec(arguments).await?;
        let said = [ended.stdout, ended.stderr].concat();
        Ok((ended.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned()))
    }

    /// What a program says that has to end well.
    pub(super) async fn says(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (code, said) = self.run(arguments).await?;
        ensure!(code == 0, "{} ended with {code}: {said}", arguments.join(" "));
        Ok(said)
    }

    /// Files with mode and owner, users, groups, units, processes.
    pub(super) async fn listing(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        let files = ["find", "/", "-xdev", "-not", "-type", "s", "-printf", "%p %y %m %U:%G\\n"];
        let own = |line: &&str| {
            ITS_OWN.iter().any(|own| line.starts_with(own)) || line.starts_with("/etc/ld.so.cache")
        };
        all.extend(self.says(&files).await?.lines().filter(|line| !own(line)).map(str::to_owned));
        for database in ["passwd", "group"] {
            let text = self.says(&["getent", database]).await?;
            all.extend(text.lines().map(|line| format!("{database} {line}")));
        }
        let ours = |line: &&str| line.contains("velociraptor");
        let list = ["systemctl", "list-units", "--all", "--plain", "--no-legend"];
        all.extend(self.says(&list).await?.lines().filter(ours).map(str::to_owned));
        let processes = self.says(&["ps", "-e", "-o", "args="]).await?;
        all.extend(processes.lines().filter(ours).map(str::to_owned));
        Ok(all)
    }

    /// Nothing is there that was not, and all is there that was.
    pub(super) async fn is_as(&self, before: &BTreeSet<String>) -> anyhow::Result<()> {
        let now = self.listing().await?;
        let left: Vec<_> = now.difference(before).take(20).collect();
        let lost: Vec<_> = before.difference(&now).take(20).collect();
        ensure!(left.is_empty() && lost.is_empty(), "left: {left:#?}; lost: {lost:#?}");
        Ok(())
    }

    /// Mode and owner of a file.
    pub(super) async fn is(&self, path: &str, wanted: &str) -> anyhow::Result<()> {
        let found = self.says(&["stat", "--format", "%U %G %a", path]).await?;
        ensure!(found.trim() == wanted, "{path} is {found}, wanted {wanted}");
        Ok(())
    }

    pub(super) async fn process(&self) -> anyhow::Result<String> {
        let unit = "velociraptor_client.service";
        let said =
            self.says(&["systemctl", "show", "--value", "--property", "MainPID", unit]).await?;
        Ok(said.trim().to_owned())
    }

    pub(super) async fn remove(self) -> anyhow::Result<()> {
        self.0.remove().await
    }
}
