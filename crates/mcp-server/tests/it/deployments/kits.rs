//! Installers of agents, as callers get them. What is in them is tested in `agent-kits`, and on real
//! hosts by the live suite `kits`.

use std::path::{Path, PathBuf};

use deploy_core::{Goal, Phase, StateRegistry as _};
use packages::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::up::{Up, Wanted, up};
use super::{error, services};
use crate::simulated::allowing;
use crate::wire::Wire;

/// The header of a program for this processor, which is all of it.
fn program(machine: u8) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([2, 0, machine, 0, 1, 0, 0, 0]);
    elf.resize(52, 0);
    elf.extend([64, 0, 56, 0]);
    elf.resize(64, 0);
    elf
}

const AMD64: u8 = 0x3e;
const ARM64: u8 = 0xb7;

struct Bed {
    up: Up,
    folder: TempDir,
    wire: Wire,
    /// It answers as long as it is held.
    _lab: Option<lab::Lab>,
}

impl Bed {
    /// A deployment whose server answers: the lab's.
    async fn new(agents_at: &'static str) -> Self {
        let (_, lab) = crate::simulated::apart(allowing(), &[]);
        let files = [lab::Role::Reader, lab::Role::Investigator, lab::Role::Administrator]
            .map(|role| lab.api_config(role).clone());
        let bed = Self::of(Wanted { api: Some(files), agents_at, ..Wanted::default() }).await;
        Self { _lab: Some(lab), ..bed }
    }

    async fn of(wanted: Wanted) -> Self {
        let folder = TempDir::new().expect("a folder");
        let binary = folder.path().join("velociraptor");
        std::fs::write(&binary, program(AMD64)).expect("written");
        let sha256 = Digest::of(&program(AMD64)).to_string();
        let up = up(Wanted { binary: (binary, sha256), ..wanted }).await;
        let wire = Wire::ready(services(up.home.path())).await;
        Self { up, folder, wire, _lab: None }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wish(&self, more: &Value) -> Value {
        let mut wish = json!({ "deployment_id": self.up.id });
        let own = wish.as_object_mut().expect("an object");
        own.extend(more.as_object().expect("an object").clone());
        wish
    }

    async fn made(&mut self, more: &Value) -> Value {
        let wish = self.wish(more);
        self.wire.result("generate_agent_installer", wish).await
    }

    async fn refused(&mut self, more: &Value) -> Value {
        let wish = self.wish(more);
        error(&mut self.wire, "generate_agent_installer", wish).await
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key}: {value}"))
}

#[tokio::test]
async fn d50_d51_d57_an_installer_is_a_file_and_its_content_is_in_no_answer() {
    let mut bed = Bed::new("vr.example.org:8000").await;
    for (format, beginning) in [("deb", &b"!<arch>\ndebian-binary"[..]), ("tarball", b"\x1f\x8b")] {
        let out = bed.out(format);
        let wish = json!({ "format": format, "labels": ["finance"], "out": out });
        let result = bed.made(&wish).await;
        assert_ne!(result["isError"], true, "{result}");
        let made = &result["structuredContent"];
        let bytes = std::fs::read(&out).expect("the file");
        assert!(bytes.starts_with(beginning), "{format}");
        assert_eq!(text(made, "sha256"), Digest::of(&bytes).to_string());
        assert_eq!((&made["size"], &made["path"]), (&json!(bytes.len()), &json!(out)));
        assert_eq!(made["calls"], json!(["https://vr.example.org:8000/"]));
        assert_eq!(text(made, "server_name"), "VelociraptorServer");
        assert_eq!(text(made, "program_sha256"), Digest::of(&program(AMD64)).to_string());
        assert_eq!(made["labels"][0], "case-17");
        let labels = made["labels"].as_array().expect("labels");
        assert!(labels.contains(&json!("finance")), "{made}");
        for part in ["install", "remove", "check", "ca_ends"] {
            assert!(!text(made, part).is_empty(), "{part}: {made}");
        }
        let shown = text(&result["content"][0], "text");
        assert!(shown.contains("can enrol agents") && shown.contains("WRITTEN"), "{shown}");
        for secret in &bed.up.secrets {
            assert!(!result.to_string().contains(secret.as_str()), "a secret is in {result}");
        }
        only_its_owner_reads(&out);
        // What is there stays, whatever it is.
        std::fs::write(&out, b"mine").expect("written");
        let error = bed.refused(&wish).await;
        assert!(text(&error, "message").contains("is there already"), "{error}");
        assert_eq!(std::fs::read(&out).expect("the file"), b"mine");
    }
}

#[tokio::test]
async fn without_a_name_it_is_in_a_folder_of_the_deployment() {
    let mut bed = Bed::new("vr.example.org:8000").await;
    let made = bed.made(&json!({})).await;
    let made = &made["structuredContent"];
    let own = bed.up.home.path().join("kits").join(bed.up.id.as_str());
    let file = own.join("velociraptor_client_0.77.2_amd64.deb");
    assert_eq!(made["path"], json!(file));
    only_its_owner_reads(&file);
    assert_eq!(std::fs::read_dir(&own).expect("the folder").count(), 1);
}

#[tokio::test]
async fn d59_what_is_not_there_is_told_with_what_there_is() {
    let mut bed = Bed::new("vr.example.org:8000").await;
    for (wish, parts) in [
        (json!({ "format": "msi" }), &["msi", "deb", "tarball"][..]),
        (json!({ "arch": "sparc" }), &["sparc", "amd64", "arm64"]),
        (json!({ "labels": ["a\nb"] }), &["label"]),
        (json!({ "labels": ["a,b"] }), &["a,b"]),
        (json!({ "out": "agent.deb" }), &["agent.deb", "absolute path"]),
        (json!({ "sha256": "ab" }), &["sha256", "binary"]),
    ] {
        let error = bed.refused(&wish).await;
        assert_eq!(text(&error, "code"), "invalid_input", "{wish}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{wish} says no {part}: {error}");
        }
    }
    assert!(!bed.up.home.path().join("kits").exists(), "something was written");
}

#[tokio::test]
async fn d56_d58_only_the_verified_program_for_that_processor_is_packed() {
    let mut bed = Bed::new("vr.example.org:8000").await;
    let (own, other) = (bed.out("velociraptor"), bed.out("other"));
    std::fs::write(&other, program(ARM64)).expect("written");
    let (out, digest) = (bed.out("x.deb"), Digest::of(&program(ARM64)).to_string());
    // Another processor than the kit's, and another file than the stated one.
    let wish = json!({ "binary": other, "arch": "amd64", "out": out });
    assert!(text(&bed.refused(&wish).await, "message").contains("linux-amd64"));
    let wish = json!({ "binary": own, "sha256": digest, "out": out });
    assert!(text(&bed.refused(&wish).await, "message").contains(&digest));
    // Some other program for that processor.
    let wish = json!({ "binary": other, "arch": "arm64", "out": out });
    assert!(text(&bed.refused(&wish).await, "message").contains("is no Velociraptor"));
    assert!(!out.exists());
    // The right one for it is taken at the word of whoever named it, and that is said.
    let named = [&program(ARM64)[..], b"www.velocidex.com/golang/velociraptor"].concat();
    std::fs::write(&other, named).expect("written");
    let made = bed.made(&wish).await;
    assert_eq!(text(&made["structuredContent"], "arch"), "arm64", "{made}");
    assert!(made.to_string().contains("nobody vouches for the binary"), "{made}");
    // The deployment's own is no longer what was agreed to: a page, here.
    std::fs::write(&own, b"<html>404</html>").expect("written");
    let out = bed.out("y.deb");
    for wish in [json!({ "out": out }), json!({ "out": out, "arch": "amd64", "binary": own })] {
        let error = bed.refused(&wish).await;
        assert_ne!(text(&error, "code"), "internal", "{error}");
    }
    assert!(!out.exists());
}

#[tokio::test]
async fn an_address_that_endpoints_do_not_reach_is_refused_unless_it_is_meant() {
    for near in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"] {
        let mut bed = Bed::new(near).await;
        let out = bed.out("x.deb");
        let error = bed.refused(&json!({ "out": out })).await;
        assert_eq!(text(&error, "code"), "conflict", "{error}");
        assert!(error.to_string().contains("server_host_only"), "{error}");
        assert!(!out.exists());
        let meant = bed.made(&json!({ "out": out, "server_host_only": true })).await;
        assert!(meant.to_string().contains("on the server's own host only"), "{meant}");
        assert!(out.exists());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_gets_no_installer() {
    let mut bed = Bed::of(Wanted::default()).await;
    let out = bed.out("x.deb");
    let error = bed.refused(&json!({ "out": out })).await;
    assert_eq!(text(&error, "code"), "unavailable", "{error}");
    assert!(!out.exists());

    let mut bed = Bed::new("vr.example.org:8000").await;
    let registry = deploy_core::registry::Files::open(bed.up.home.path()).expect("good");
    let mut record = registry.load(&bed.up.id).await.expect("good").expect("good");
    let before = record.generation;
    record.generation = before.next();
    record.goal = Goal::Gone;
    record.phases.iter_mut().for_each(|phase| *phase = Phase::Waiting);
    registry.store(before, &record).await.expect("good");
    let error = bed.refused(&json!({ "out": out })).await;
    assert!(text(&error, "message").contains("gone"), "{error}");
    assert!(!out.exists());
}

#[cfg(unix)]
fn only_its_owner_reads(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", file.display());
}

#[cfg(not(unix))]
fn only_its_owner_reads(file: &Path) {
    assert!(file.is_file(), "{}", file.display());
}
