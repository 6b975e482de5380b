//! Kits, taken apart again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use md5::{Digest as _, Md5};
use packages::{Fixed, PackageSource as _, Proof, Wanted};
use secret::Secret;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::*;

const NONCE: &str = "bm9uY2Utb2YtdGhpcy1zZXJ2ZXI=";

/// What a shell would run, and what would begin a line of its own.
const HOSTILE: &str = "$(touch /x);`id`|\"'&%h\\n";

/// The header of a program for this processor, which is all of it.
fn program(machine: u16) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([2, 0]);
    elf.extend(machine.to_le_bytes());
    elf.extend([1, 0, 0, 0]);
    elf.resize(52, 0);
    elf.extend([64, 0, 56, 0]);
    elf.resize(64, 0);
    elf
}

async fn package(folder: &Path, bytes: Vec<u8>) -> Result<Package, packages::PackageError> {
    let platform = "linux-amd64".parse().unwrap();
    let mut source = Fixed::new(folder);
    let wanted = Wanted::default_for(platform);
    let digest = source.put(wanted.asset(), bytes, None);
    let wanted = Wanted { proof: Proof::Stated(digest), ..wanted };
    source.fetch(&wanted, &(), &CancellationToken::new()).await
}

fn client() -> ClientConfig {
    let text = format!(
        "Client:\n  server_urls: [\"https://vr.example.org:8000/\"]\n  ca_certificate: \"the CA\"\n  \
         nonce: \"{NONCE}\"\n  use_self_signed_ssl: true\n  level2_writeback_suffix: \".bak\"\n"
    );
    let client = ClientConfig::parse(&Secret::new(text)).unwrap();
    client.with_labels(&[HOSTILE.to_owned()]).unwrap()
}

struct Bed {
    folder: tempfile::TempDir,
    package: Package,
    client: ClientConfig,
    id: DeploymentId,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path(), program(0x3e)).await.unwrap();
        Self { folder, package, client: client(), id: "D-2345678923".parse().unwrap() }
    }

    fn kit(&self, format: Format) -> Kit<'_> {
        Kit {
            format,
            deployment: &self.id,
            time: "2026-11-22T01:02:03Z".parse().unwrap(),
            ca_ends: "2036-11-22T01:02:03Z".parse().unwrap(),
            package: &self.package,
            client: &self.client,
        }
    }

    fn written(&self, format: Format, name: &str) -> Vec<u8> {
        let out = self.folder.path().join(name);
        let written = self.kit(format).write(&out).unwrap();
        let bytes = fs::read(&out).unwrap();
        assert_eq!(written.size, bytes.len() as u64);
        assert_eq!(written.sha256, keep::hex(Sha256::new_with_prefix(&bytes)));
        bytes
    }
}

/// Mode and content by path, as an archive has them.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut all = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(
            (header.username().unwrap(), header.groupname().unwrap()),
            (Some("root"), Some("root"))
        );
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        all.insert(path, (header.mode().unwrap(), content));
    }
    all
}

/// The members of a package of Debian, in their order.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ar::Archive::new(Cursor::new(bytes));
    let mut all = Vec::new();
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.header().identifier().to_vec()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        all.push((name, content));
    }
    all
}

fn text(all: &BTreeMap<String, (u32, Vec<u8>)>, path: &str) -> String {
    let (_, content) = all.get(path).unwrap_or_else(|| panic!("no {path}: {:?}", all.keys()));
    String::from_utf8(content.clone()).unwrap()
}

#[tokio::test]
async fn d57_a_deb_is_a_package_that_installs_an_agent() {
    let bed = Bed::new().await;
    let bytes = bed.written(Format::Deb, "one.deb");
    let members = members(&bytes);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
    assert_eq!(members[0].1, b"2.0\n");
    let (control, data) = (unpacked(&members[1].1), unpacked(&members[2].1));
    let about = text(&control, "control");
    for line in [
        "Package: velociraptor-client",
        "Version: 0.77.2",
        "Architecture: amd64",
        "Installed-Size: 3",
        "Depends: systemd",
    ] {
        assert!(about.lines().any(|found| found == line), "{line} is not in {about}");
    }
    assert!(!about.contains("Pre-Depends"), "{about}");
    let modes: Vec<(&str, u32)> =
        data.iter().map(|(path, (mode, _))| (path.as_str(), *mode)).collect();
    assert_eq!(
        modes,
        [
            ("etc/systemd/system/velociraptor_client.service", 0o644),
            ("etc/velociraptor/", 0o711),
            ("etc/velociraptor/client.config.yaml", 0o600),
            ("usr/local/bin/velociraptor_client", 0o755),
            ("var/lib/velociraptor_client/", 0o700),
            ("var/lib/velociraptor_client/tmp/", 0o700),
        ]
    );
    let sums = text(&control, "md5sums");
    assert_eq!(sums.lines().count(), 3, "{sums}");
    for line in sums.lines() {
        let (sum, path) = line.split_once("  ").unwrap();
        let (_, content) = &data[path];
        let found: String = Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, found, "{path}");
    }
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        assert_eq!(control[script].0, 0o755);
    }
    let unit = text(&data, "etc/systemd/system/velociraptor_client.service");
    assert!(unit.starts_with("# Megaraptor deployment D-2345678923\n"), "{unit}");
    assert!(unit.contains("ExecStart=\"/usr/local/bin/velociraptor_client\""), "{unit}");
}

#[tokio::test]
async fn d50_d51_d52_an_agent_is_told_the_live_servers_own_address_nonce_and_where_it_keeps_itself()
{
    let bed = Bed::new().await;
    let deb = members(&bed.written(Format::Deb, "one.deb"));
    let deb = text(&unpacked(&deb[2].1), "etc/velociraptor/client.config.yaml");
    let tarball = unpacked(&bed.written(Format::Tarball, "one.tar.gz"));
    let tarball = text(&tarball, "velociraptor_client_0.77.2_amd64/client.config.yaml");
    assert_eq!(deb, tarball);
    let read = ClientConfig::parse(&Secret::new(deb.clone())).unwrap();
    assert_eq!(read.server_urls(), ["https://vr.example.org:8000/"]);
    assert_eq!(read.labels(), [HOSTILE]);
    for part in [
        NONCE,
        "the CA",
        "use_self_signed_ssl: true",
        "writeback_linux: \"/etc/velociraptor.writeback.yaml\"",
        "level2_writeback_suffix: \".bak\"",
        "tempdir_linux: \"/var/lib/velociraptor_client/tmp\"",
        "filename_linux: \"/var/lib/velociraptor_client/buffer.bin\"",
    ] {
        assert!(deb.contains(part), "{part} is not in {deb}");
    }
}

#[tokio::test]
async fn d58_the_program_is_the_verified_one_byte_for_byte_and_nothing_is_packed_into_it() {
    let bed = Bed::new().await;
    let deb = members(&bed.written(Format::Deb, "one.deb"));
    let data = unpacked(&deb[2].1);
    assert_eq!(data["usr/local/bin/velociraptor_client"].1, program(0x3e));
    // A file that was changed after it was proved makes no kit, and no beginning of one.
    fs::write(bed.package.path(), program(0xb7)).unwrap();
    let out = bed.folder.path().join("two.deb");
    let error = bed.kit(Format::Deb).write(&out).unwrap_err();
    assert!(matches!(error, KitError::Package(_)), "{error}");
    assert!(!out.exists());
}

#[tokio::test]
async fn d56_a_page_or_a_program_for_another_processor_is_no_program() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [b"<html>404</html>".to_vec(), program(0xb7)] {
        let error = package(folder.path(), wrong).await.unwrap_err().to_string();
        assert!(error.contains("a package for linux-amd64"), "{error}");
    }
}

#[tokio::test]
async fn d70_no_value_is_in_a_script_and_none_is_in_the_unit_but_the_id() {
    let bed = Bed::new().await;
    let deb = members(&bed.written(Format::Deb, "one.deb"));
    let (control, data) = (unpacked(&deb[1].1), unpacked(&deb[2].1));
    let tarball = unpacked(&bed.written(Format::Tarball, "one.tar.gz"));
    let inside = |name: &str| format!("velociraptor_client_0.77.2_amd64/{name}");
    let mut all: Vec<String> = ["preinst", "postinst", "prerm", "postrm", "control", "md5sums"]
        .map(|name| text(&control, name))
        .to_vec();
    all.extend(["install.sh", "uninstall.sh"].map(|name| text(&tarball, &inside(name))));
    for script in &all {
        for value in [NONCE, HOSTILE, "touch", "vr.example.org", "the CA"] {
            assert!(!script.contains(value), "{value} is in {script}");
        }
    }
    for script in all.iter().filter(|script| script.starts_with("#!")) {
        assert!(!script.contains("2345678923"), "{script}");
    }
    let unit = text(&data, "etc/systemd/system/velociraptor_client.service");
    let readme = text(&tarball, &inside("README.txt"));
    for text in [unit, readme] {
        assert!(!text.contains(NONCE) && !text.contains("touch"), "{text}");
    }
}

#[tokio::test]
async fn d59_a_form_that_is_not_there_is_told_which_there_are() {
    let error = "msi".parse::<Format>().unwrap_err();
    assert_eq!(error.to_string(), "\"msi\" is no form of a kit for Linux; expected deb or tarball");
    assert_eq!("tarball".parse::<Format>().unwrap(), Format::Tarball);
}

#[tokio::test]
async fn a_tarball_has_what_its_scripts_look_for() {
    let bed = Bed::new().await;
    let all = unpacked(&bed.written(Format::Tarball, "one.tar.gz"));
    let folder = "velociraptor_client_0.77.2_amd64/";
    let modes: Vec<(&str, u32)> =
        all.iter().map(|(path, (mode, _))| (path.strip_prefix(folder).unwrap(), *mode)).collect();
    assert_eq!(
        modes,
        [
            ("", 0o700),
            ("README.txt", 0o644),
            ("SHA256SUMS", 0o644),
            ("client.config.yaml", 0o600),
            ("install.sh", 0o755),
            ("uninstall.sh", 0o755),
            ("velociraptor_client", 0o755),
            ("velociraptor_client.service", 0o644),
        ]
    );
    let sums = text(&all, &format!("{folder}SHA256SUMS"));
    assert_eq!(sums.lines().count(), 3, "{sums}");
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        let (_, content) = &all[&format!("{folder}{name}")];
        assert_eq!(sum, keep::hex(Sha256::new_with_prefix(content)), "{name}");
    }
    let readme = text(&all, &format!("{folder}README.txt"));
    for part in ["https://vr.example.org:8000/", "D-2345678923", "2036-11-22T01:02:03Z", "amd64"] {
        assert!(readme.contains(part), "{part} is not in {readme}");
    }
}

#[tokio::test]
async fn the_same_wish_makes_the_same_bytes() {
    let bed = Bed::new().await;
    for format in Format::ALL {
        let one = bed.written(format, &format!("one.{format}"));
        let two = bed.written(format, &format!("two.{format}"));
        assert!(one == two, "{format}");
    }
}
