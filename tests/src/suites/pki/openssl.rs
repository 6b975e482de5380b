//! Held against `openssl`, where it is on the machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, KeyError, Material, RsaKey};
use secret::Secret;

use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, made: &Material) {
    let version = Command::new("openssl").arg("version").output();
    if let Err(error) = version {
        cases.skip("openssl", format!("`openssl` cannot be started: {error}"));
        return;
    }
    let folder = match files(made) {
        Ok(folder) => folder,
        Err(error) => {
            cases.record("openssl: the material as files", Err(error));
            return;
        }
    };
    let at = folder.path();
    cases.record("openssl verifies every certificate for its uses and names", verifies(at));
    cases.record("openssl refuses what is to be refused", refuses(at));
    cases.record("openssl reads the same as our own inspection", reads(at, made));
    cases.record("openssl takes every key, and it belongs to its certificate", keys(at));
    cases.record("the conversion that is recommended makes a key that is read", converts(at, made));
}

/// A folder with the material as files.
fn files(made: &Material) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("megaraptor-pki-").tempdir()?;
    let gui = made.gui.as_ref().context("no certificate for the GUI")?;
    let (_, user) = made.users.first().context("no user")?;
    for (name, certificate, key) in [
        ("ca", made.authority.certificate(), made.authority.key()),
        ("server", &made.frontend.certificate, &made.frontend.key),
        ("gateway", &made.gateway.certificate, &made.gateway.key),
        ("user", &user.certificate, &user.key),
        ("gui", &gui.certificate, &gui.key),
    ] {
        fs::write(folder.path().join(format!("{name}.pem")), certificate)?;
        fs::write(folder.path().join(format!("{name}.key")), key.expose())?;
    }
    let stranger = Authority::make(super::for_a_year()?)?;
    fs::write(folder.path().join("stranger.pem"), stranger.certificate())?;
    Ok(folder)
}

/// Runs `openssl` and returns whether it ended well, and all that it said.
fn openssl(folder: &Path, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// What `openssl` says, which must end well.
fn said(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let (good, said) = openssl(folder, arguments)?;
    ensure!(good, "openssl {arguments:?}: {said}");
    Ok(said)
}

/// So many days ago, as `openssl` takes a time.
fn days_ago(days: i64) -> String {
    (Timestamp::now() - SignedDuration::from_hours(days * 24)).as_second().to_string()
}

fn verifies(folder: &Path) -> anyhow::Result<()> {
    let six_days_ago = days_ago(6);
    for (file, uses, name) in [
        ("server.pem", &["sslserver", "sslclient"][..], Some(["-verify_hostname", pki::SERVER])),
        ("gateway.pem", &["sslserver", "sslclient"], None),
        ("user.pem", &["sslserver", "sslclient"], None),
        ("gui.pem", &["sslserver"], Some(["-verify_hostname", "gui.example.com"])),
        ("gui.pem", &["sslserver"], Some(["-verify_ip", "127.0.0.1"])),
    ] {
        for purpose in uses {
            // Also for an agent whose clock is six days behind.
            for time in [&[][..], &["-attime", &six_days_ago]] {
                let start = ["verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose];
                let names = name.as_ref().map_or(&[][..], |name| &name[..]);
                let arguments = [&start[..], time, names, &[file]].concat();
                let said = said(folder, &arguments)?;
                ensure!(said.trim() == format!("{file}: OK"), "{arguments:?}: {said}");
            }
        }
    }
    Ok(())
}

fn refuses(folder: &Path) -> anyhow::Result<()> {
    let eight_days_ago = days_ago(8);
    let ca = ["-CAfile", "ca.pem"];
    let strangers = ["-CAfile", "stranger.pem"];
    for (ca, more, file, reasons) in [
        // Both CAs have one name: the key identifier tells them apart, or the signature.
        (
            strangers,
            &[][..],
            "server.pem",
            &["unable to get local issuer", "signature failure"][..],
        ),
        (ca, &["-purpose", "sslclient"], "gui.pem", &["purpose"]),
        (ca, &["-verify_hostname", "other.example.com"], "gui.pem", &["hostname mismatch"]),
        (ca, &["-attime", &eight_days_ago], "server.pem", &["not yet valid"]),
    ] {
        let arguments = [&["verify"], &ca[..], more, &[file]].concat();
        let (good, said) = openssl(folder, &arguments)?;
        let told = reasons.iter().any(|reason| said.to_lowercase().contains(reason));
        ensure!(!good && told, "{arguments:?}: {said}");
    }
    Ok(())
}

fn reads(folder: &Path, made: &Material) -> anyhow::Result<()> {
    let start = ["x509", "-noout", "-in", "server.pem", "-nameopt", "RFC2253"];
    let text = said(folder, &[&start[..], &["-text", "-fingerprint", "-sha256"]].concat())?;
    for line in [
        "Version: 3 (0x2)",
        "sha256WithRSAEncryption",
        "Issuer: O=Velociraptor CA",
        "Subject: CN=VelociraptorServer,O=Velociraptor",
        "Public-Key: (2048 bit)",
        "X509v3 Key Usage: critical",
        "Digital Signature, Key Encipherment",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "CA:FALSE",
        "X509v3 Authority Key Identifier",
        "DNS:VelociraptorServer",
    ] {
        ensure!(text.contains(line), "{line} is not in {text}");
    }
    let ours = &pki::summaries(&made.frontend.certificate)?[0];
    let digest = text.lines().find_map(|line| line.split_once("ingerprint="));
    let (_, digest) = digest.context("no fingerprint")?;
    ensure!(digest.replace(':', "").to_lowercase() == ours.sha256, "{digest}");
    let serial = said(folder, &[&start[..], &["-serial"]].concat())?;
    ensure!(serial.trim().to_lowercase() == format!("serial={}", ours.serial), "{serial}");
    Ok(())
}

fn keys(folder: &Path) -> anyhow::Result<()> {
    for name in ["ca", "server", "gateway", "user", "gui"] {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let checked = said(folder, &["rsa", "-check", "-noout", "-in", &key])?;
        ensure!(checked.contains("RSA key ok"), "{name}: {checked}");
        let of_key = said(folder, &["pkey", "-pubout", "-in", &key])?;
        let of_certificate = said(folder, &["x509", "-noout", "-pubkey", "-in", &pem])?;
        ensure!(of_key == of_certificate && of_key.contains("BEGIN PUBLIC KEY"), "{name}");
    }
    Ok(())
}

fn converts(folder: &Path, made: &Material) -> anyhow::Result<()> {
    let read = |file: &str| {
        let text = fs::read_to_string(folder.join(file))?;
        anyhow::Ok(RsaKey::parse(&Secret::new(text)))
    };
    let pass = ["-passout", "pass:x"];
    said(folder, &["pkcs8", "-topk8", "-nocrypt", "-in", "server.key", "-out", "eight.key"])?;
    said(folder, &["rsa", "-in", "eight.key", "-traditional", "-out", "one.key"])?;
    // As Velociraptor's `--password` writes it, and as PKCS#8 does.
    let locked = ["rsa", "-in", "server.key", "-traditional", "-aes256", "-out", "locked.key"];
    said(folder, &[&locked[..], &pass].concat())?;
    let sealed = ["pkcs8", "-topk8", "-in", "server.key", "-out", "sealed.key"];
    said(folder, &[&sealed[..], &pass].concat())?;
    said(folder, &["genrsa", "-traditional", "-out", "weak.key", "1024"])?;
    let curve = ["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "curve.key"];
    said(folder, &curve)?;

    let one = read("one.key")?.context("the converted key")?;
    ensure!(one.pem().expose() == made.frontend.key.expose(), "another key came out");
    for (file, refusal) in [
        ("eight.key", KeyError::Pkcs8),
        ("locked.key", KeyError::Encrypted),
        ("sealed.key", KeyError::Encrypted),
        ("weak.key", KeyError::Weak { bits: 1024 }),
        ("curve.key", KeyError::NotRsa { found: "elliptic-curve" }),
    ] {
        let found = read(file)?.err();
        ensure!(found.as_ref() == Some(&refusal), "{file}: {found:?}");
    }
    Ok(())
}
