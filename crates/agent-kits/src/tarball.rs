//! An archive for any Linux that systemd leads: three files, and two scripts that put them there and
//! take them away.

use std::fmt::Write as _;
use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::Kit;
use crate::archive::{Entry, pack};
use crate::keep::hex;
use crate::layout::{Contents, SERVICE, name};

/// Static: no value of a deployment is in either.
const INSTALL: &str = include_str!("scripts/install.sh");
const UNINSTALL: &str = include_str!("scripts/uninstall.sh");

const PROGRAM: &str = "velociraptor_client";
const CONFIG: &str = "client.config.yaml";

/// The folder that it unpacks to.
pub(crate) fn folder(kit: &Kit<'_>) -> String {
    let package = kit.package;
    format!("velociraptor_client_{}_{}", package.version(), name(package.platform().arch()))
}

pub(crate) fn write(kit: &Kit<'_>, content: &Contents, to: &mut dyn Write) -> io::Result<()> {
    let time = u64::try_from(kit.time.as_second()).unwrap_or_default();
    let Contents { program, config, unit, looked: _ } = content;
    let mut sums = String::new();
    for (name, bytes) in [(CONFIG, config), (PROGRAM, program), (SERVICE, unit)] {
        let mut sum = Sha256::new();
        sum.update(bytes);
        // A text grows without failing.
        let _ = writeln!(sums, "{}  {name}", hex(sum));
    }
    let (folder, readme) = (folder(kit), readme(kit, content));
    let inside = |name: &str| format!("{folder}/{name}");
    let entries = [
        Entry::folder(inside(""), 0o700),
        Entry::file(inside("README.txt"), 0o644, readme.as_bytes()),
        Entry::file(inside("SHA256SUMS"), 0o644, sums.as_bytes()),
        Entry::file(inside(CONFIG), 0o600, config),
        Entry::file(inside("install.sh"), 0o755, INSTALL.as_bytes()),
        Entry::file(inside("uninstall.sh"), 0o755, UNINSTALL.as_bytes()),
        Entry::file(inside(PROGRAM), 0o755, program),
        Entry::file(inside(SERVICE), 0o644, unit),
    ];
    pack(&entries, time, to).map(drop)
}

fn readme(kit: &Kit<'_>, content: &Contents) -> String {
    let servers = kit.client.server_urls().join(", ");
    let needs = content.looked.libc.map_or_else(
        || String::from("no library of it"),
        |(major, minor)| format!("the GNU C library {major}.{minor} or newer"),
    );
    format!(
        "Velociraptor agent {version} of Megaraptor deployment {deployment}

Whoever has this archive can enrol agents there. Keep it to yourself, and delete it when it is not
needed any longer.

Server:    {servers}
Its CA:    agents know the server by it until {ends}
Needs:     Linux on {arch}, systemd, {needs}

Install, as root; again after that keeps the agent's identity:
    sh install.sh

Remove, as root, without a trace; with --keep-identity a later agent is the same client:
    sh uninstall.sh

It is there when the server says so, where Megaraptor runs:
    megaraptor deployments agents {deployment} --host HOSTNAME
",
        version = kit.package.version(),
        deployment = kit.deployment,
        ends = kit.ca_ends,
        arch = name(content.looked.arch),
    )
}
