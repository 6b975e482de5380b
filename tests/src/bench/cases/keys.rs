//! The keys and certificates of a deployment, against openssl.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use pki::{AUTHORITY_DAYS, Order, Pinned, UserName, Validity};

use crate::figures::{Row, quantile};

/// How long an RSA key takes is luck: one may take ten times as long as the next.
const ROUNDS: usize = 41;

const MOST: f64 = 1.5;

/// A CA, a server, a gateway and a user; and four certificates of openssl, made at once.
pub(crate) async fn run() -> anyhow::Result<Vec<Row>> {
    tokio::task::spawn_blocking(measure).await?
}

fn measure() -> anyhow::Result<Vec<Row>> {
    let pinned = Pinned::default();
    let now = Timestamp::now();
    let order = Order {
        users: vec![UserName::parse("bench", &pinned)?],
        gui: Vec::new(),
        authority: Validity::days(now, AUTHORITY_DAYS)?,
        validity: Validity::days(now, 365)?,
        pinned,
    };
    let what = String::from("four RSA-2048 keys with certificates");
    let wanted = "at most 1.5 x";
    if let Err(error) = Command::new("openssl").arg("version").output() {
        let baseline = String::from("not measured");
        let what = format!("{what}: no openssl ({error})");
        let row = Row {
            what,
            product: baseline.clone(),
            result: baseline.clone(),
            baseline,
            wanted,
            reached: false,
        };
        return Ok(vec![row]);
    }
    let folder = tempfile::tempdir()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let running: Vec<Child> =
            (0..4).map(|number| openssl(folder.path(), number)).collect::<Result<_, _>>()?;
        for mut child in running {
            let status = child.wait()?;
            ensure!(status.success(), "openssl ended with {status}");
        }
        theirs.push(begin.elapsed().as_secs_f64() * 1e3);

        let begin = Instant::now();
        let made = pki::make_all(&order)?;
        ours.push(begin.elapsed().as_secs_f64() * 1e3);
        ensure!(made.users.len() == 1, "{} users", made.users.len());
    }
    let row = |what: String, part: f64| {
        let (ours, theirs) = (quantile(&ours, part), quantile(&theirs, part));
        let ratio = ours / theirs;
        Row {
            what,
            product: format!("{ours:.0} ms"),
            baseline: format!("{theirs:.0} ms"),
            result: format!("{ratio:.2} x"),
            wanted,
            reached: ratio <= MOST,
        }
    };
    Ok(vec![row(what, 0.5), row(String::from("the same, one in ten takes longer"), 0.9)])
}

fn openssl(folder: &Path, number: usize) -> anyhow::Result<Child> {
    let file = |end: &str| format!("{number}.{end}");
    let (key, certificate) = (file("key"), file("pem"));
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-newkey", "rsa:2048", "-sha256", "-nodes", "-days", "365"])
        .args(["-subj", "/O=Velociraptor/CN=bench", "-keyout", &key, "-out", &certificate])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("starting openssl")
}
