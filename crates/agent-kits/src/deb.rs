//! A package of Debian: an `ar` archive of a mark, what is to be known, and the files.

use std::fmt::Write as _;
use std::io::{self, Write};

use md5::{Digest as _, Md5};

use crate::Kit;
use crate::archive::{Entry, pack};
use crate::layout::{CONFIG, Contents, KEPT, PROGRAM, UNIT, name};

/// Static: no value of a deployment is in any of them.
const SCRIPTS: [(&str, &str); 4] = [
    ("preinst", include_str!("scripts/preinst.sh")),
    ("postinst", include_str!("scripts/postinst.sh")),
    ("prerm", include_str!("scripts/prerm.sh")),
    ("postrm", include_str!("scripts/postrm.sh")),
];

pub(crate) fn file_name(kit: &Kit<'_>) -> String {
    let arch = name(kit.package.platform().arch());
    format!("velociraptor_client_{}_{arch}.deb", version(kit))
}

pub(crate) fn write(kit: &Kit<'_>, content: &Contents, to: &mut dyn Write) -> io::Result<()> {
    let time = u64::try_from(kit.time.as_second()).unwrap_or_default();
    let data = pack(&files(content), time, Vec::new())?;
    let (control, sums) = (control(kit, content), sums(content));
    let mut about = vec![
        Entry::file("control", 0o644, control.as_bytes()),
        Entry::file("md5sums", 0o644, sums.as_bytes()),
    ];
    about.extend(SCRIPTS.iter().map(|(name, text)| Entry::file(*name, 0o755, text.as_bytes())));
    let about = pack(&about, time, Vec::new())?;
    let mut archive = ar::Builder::new(to);
    for (name, bytes) in [
        ("debian-binary", &b"2.0\n"[..]),
        ("control.tar.gz", about.as_slice()),
        ("data.tar.gz", data.as_slice()),
    ] {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(time);
        archive.append(&header, bytes)?;
    }
    Ok(())
}

/// The files. Folders that belong to others are not named: dpkg removes those that it finds empty.
fn files(content: &Contents) -> [Entry<'_>; 6] {
    let inside = |path: &str| path.trim_start_matches('/').to_owned();
    [
        Entry::folder("etc/velociraptor/", 0o711),
        Entry::file(inside(CONFIG), 0o600, &content.config),
        Entry::file(inside(UNIT), 0o644, &content.unit),
        Entry::file(inside(PROGRAM), 0o755, &content.program),
        Entry::folder(inside(&format!("{KEPT}/")), 0o700),
        Entry::folder(inside(&format!("{KEPT}/tmp/")), 0o700),
    ]
}

/// What dpkg compares files with later; it knows nothing better.
fn sums(content: &Contents) -> String {
    let mut text = String::new();
    for (path, bytes) in
        [(CONFIG, &content.config), (UNIT, &content.unit), (PROGRAM, &content.program)]
    {
        for byte in Md5::digest(bytes) {
            // A text grows without failing.
            let _ = write!(text, "{byte:02x}");
        }
        let _ = writeln!(text, "  {}", path.trim_start_matches('/'));
    }
    text
}

fn control(kit: &Kit<'_>, content: &Contents) -> String {
    let Contents { program, looked, config, unit } = content;
    // In KiB, rounded up, as dpkg counts it.
    let size: usize = [program, config, unit].map(|bytes| bytes.len().div_ceil(1024)).iter().sum();
    // Before anything is unpacked: an agent that runs goes on where its successor would not run.
    let needs = looked.libc.map_or_else(String::new, |(major, minor)| {
        format!("Pre-Depends: libc6 (>= {major}.{minor})\n")
    });
    format!(
        "Package: velociraptor-client
Version: {version}
Architecture: {arch}
Maintainer: Megaraptor <megaraptor@megaraptor.invalid>
Installed-Size: {size}
{needs}Depends: systemd
Section: admin
Priority: optional
Homepage: https://www.velocidex.com
Description: Velociraptor agent of Megaraptor deployment {deployment}
 Enrols this host with the server of that deployment, and runs as root.
 Removing keeps its identity; purging leaves nothing.
",
        version = version(kit),
        arch = name(looked.arch),
        deployment = kit.deployment,
    )
}

/// The version, in the order that dpkg sees: what comes before a release is older than it.
fn version(kit: &Kit<'_>) -> String {
    kit.package.version().to_string().replace('-', "~")
}
