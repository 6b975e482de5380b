//! What is to be known of a deployment, written down: true of this one, and nothing that is not so.

use std::fmt::Write as _;
use std::path::Path;

use credstore::CredentialStore as _;
use deploy_core::server::{Certificate, VERSION, Vault, certificates, names};
use deploy_core::{DeploymentId, Record, Status};
use guard::outlet;
use jiff::Timestamp;
use velociraptor_api::IdentityKind;

use super::Deployments;
use super::kits::only_near;
use crate::clock;
use crate::tool_error::{Code, ToolError};

mod html;
mod markdown;
mod page;
mod site;

use page::{Page, code, said};
use site::Site;

/// The two forms of the same text.
pub struct Handbook {
    /// For an editor or a repository of documents.
    pub markdown: String,
    /// One page that loads nothing.
    pub html: String,
}

impl Deployments {
    /// Writes what is to be known of a deployment that is up.
    ///
    /// # Errors
    ///
    /// Where it is not up, or its certificates cannot be read: half of it would be untrue.
    pub async fn handbook(&self, record: &Record, now: Timestamp) -> Result<Handbook, ToolError> {
        let id = &record.id;
        if record.status() != Status::Up {
            let status = record.status().as_str();
            return Err(ToolError::new(
                Code::Conflict,
                format!("{id} is {status}: what is written of it would not be true"),
            )
            .next(format!("megaraptor deployments show {id}")));
        }
        let site = Site::of(record).ok_or_else(|| {
            let why = format!("the plan of {id} on {} is not known to this program", record.kind);
            ToolError::new(Code::Conflict, why).next("use the version that made the deployment")
        })?;
        let certificates = certificates(&self.vault(), id, now).await.map_err(|error| {
            ToolError::new(Code::Conflict, error.to_string()).next(error.next())
        })?;
        let mut page = Page::new(match &record.about.case {
            Some(case) => format!("{id}, case {}", said(case)),
            None => format!("Deployment {id}"),
        });
        page.line(format!(
            "A Velociraptor server, written down {} from its record and its certificates. What is \
             here changes with the deployment: write it anew after a change.",
            clock::to_second(now)
        ));
        what(&mut page, record, &site);
        reached(&mut page, record, &site, &certificates);
        agents(&mut page, record, &site);
        kept(&mut page, &certificates);
        let (this, of) = (self.clone(), id.clone());
        let secrets = tokio::task::spawn_blocking(move || this.secrets_of(&of)).await;
        let secrets =
            secrets.map_err(|error| ToolError::new(Code::Internal, error.to_string()))??;
        secrets.write(&mut page);
        care(&mut page, record, &site, &certificates, &self.home);
        Ok(Handbook { markdown: markdown::write(&page), html: html::write(&page) })
    }

    /// None is opened. Blocking.
    fn secrets_of(&self, id: &DeploymentId) -> Result<Secrets, ToolError> {
        let mut rows = Vec::new();
        for (name, what) in [
            (names::CONFIG, "the server's configuration, with all its keys"),
            (names::GUI_PASSWORD, "the password of the first user of the GUI"),
        ]
        .into_iter()
        .chain(IdentityKind::ALL.map(|kind| (names::api(kind), "an API file")))
        {
            let reference = Vault::reference(id, name)
                .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
            let found = self.store().find(&reference);
            let found = found.map_err(|error| crate::credentials::told(&error))?;
            if found.is_some() {
                rows.push(vec![
                    what.to_owned(),
                    code(&format!("megaraptor credential show {reference}")),
                ]);
            }
        }
        for further in self.further_users(id)? {
            let reference = &further.credential;
            let what = format!("the API file of a further user, {}", reference.name());
            rows.push(vec![
                said(&what),
                code(&format!("megaraptor credential show {reference} --out FILE")),
            ]);
        }
        let key = self.store().protection().map_err(|error| crate::credentials::told(&error))?;
        Ok(Secrets { rows, key: key.map(|key| key.in_words()) })
    }
}

/// Which secrets are kept, and how.
struct Secrets {
    rows: Vec<Vec<String>>,
    key: Option<String>,
}

impl Secrets {
    fn write(self, page: &mut Page) {
        page.section("Secrets");
        page.line(String::from(
            "None is in this text. Each is kept encrypted in the store of secrets, and a person \
             reads it on a terminal:",
        ));
        page.table(&["what", "how it is read"], self.rows);
        if let Some(key) = self.key {
            page.line(format!("Of the store, {}.", said(&key)));
        }
    }
}

fn what(page: &mut Page, record: &Record, site: &Site) {
    page.section("What was deployed");
    let about = &record.about;
    let version = record.facts.get(VERSION).and_then(|it| it.as_str());
    let mut rows: Vec<(&str, String)> = vec![("id", code(record.id.as_str()))];
    let mut row = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            rows.push((name, value));
        }
    };
    row("case", about.case.as_deref().map(said));
    row("for", Some(said(&about.description)));
    row("tags", Some(about.tags.iter().map(|tag| said(tag)).collect::<Vec<_>>().join(", ")));
    row("profile", Some(said(&about.profile)));
    row("made", Some(clock::to_second(record.made).to_string()));
    row(
        "due",
        about.due.map(|due| {
            format!("{}; it is reported then, and never removed by itself", clock::to_second(due))
        }),
    );
    row("Velociraptor", version.map(|version| format!("version {}", said(version))));
    row("SHA-256 of its binary", Some(code(&site.binary_sha256)));
    for (name, value) in &site.rows {
        row(name, Some(value.clone()));
    }
    page.table(
        &["", ""],
        rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect(),
    );
}

fn fingerprint(certificates: &[Certificate], at: usize) -> Option<&str> {
    certificates.get(at).and_then(Certificate::summary).map(|summary| summary.sha256.as_str())
}

fn reached(page: &mut Page, record: &Record, site: &Site, certificates: &[Certificate]) {
    page.section("How it is reached");
    let order = &site.order;
    let gui = format!("https://{}/", order.gui_at);
    let [for_agents, for_people, for_programs] = site.on.clone();
    page.table(
        &["who", "address", site.heard],
        vec![
            vec![
                String::from("agents"),
                code(&format!("https://{}/", order.agents_at)),
                for_agents,
            ],
            vec![String::from("people, by browser"), code(&gui), for_people],
            vec![String::from("API clients"), code(&order.api_at.to_string()), for_programs],
        ],
    );
    let mut gui_line = format!("In the GUI, log in as {}.", code(&order.gui_user));
    if let Some(sha256) = fingerprint(certificates, 1) {
        let _ = write!(
            gui_line,
            " The browser warns, because it does not know the deployment's own CA. Go on only where \
             the certificate that it shows has the SHA-256 {}.",
            code(sha256)
        );
    }
    page.line(gui_line);
    if order.gui_at.host().is_loopback() {
        page.line(String::from(
            "The GUI is reached on the machine itself only. From another one, forward the port, and \
             then use the same address there:",
        ));
        let port = order.gui_at.port();
        page.block(format!("ssh -N -L {port}:{} USER@MACHINE", order.gui_at));
    }
    page.line(format!(
        "For Megaraptor it is a server by its id. Where other servers are configured beside it, calls \
         name it with {}; where it is the only one, they leave that out:",
        code(&format!("server: {}", record.id))
    ));
    page.block(String::from("megaraptor call list_clients"));
    for warning in record.plan.warnings() {
        page.warn(said(warning));
    }
}

fn agents(page: &mut Page, record: &Record, site: &Site) {
    let (id, order) = (&record.id, &site.order);
    page.section("How agents are installed");
    let mut first = format!(
        "Agents connect to {}. Their configuration is made from the one of this server",
        code(&format!("https://{}/", order.agents_at))
    );
    if order.labels.is_empty() {
        first.push_str("; it gives them no label.");
    } else {
        let labels: Vec<String> = order.labels.iter().map(|label| said(label)).collect();
        let _ = write!(first, "; they enrol with the labels {}.", labels.join(", "));
    }
    page.line(first);
    if let Some(own) = &site.agent {
        page.line(own.clone());
    }
    // Without the word of whoever asks, no kit is made of what only the server's host reaches.
    let near = if only_near(record) { " --server-host-only" } else { "" };
    page.line(String::from("Debian and Ubuntu, as a package; then on each host, as root:"));
    page.block(format!(
        "megaraptor deployments installer {id} --out agent.deb{near}\ndpkg -i ./agent.deb"
    ));
    page.line(format!(
        "It is removed without a trace by {}; {} keeps the agent's identity.",
        code("dpkg --purge velociraptor-client"),
        code("dpkg -r velociraptor-client")
    ));
    page.line(String::from("Any other Linux that systemd leads; then on each host, as root:"));
    page.block(format!(
        "megaraptor deployments installer {id} --format tarball --out agent.tar.gz{near}\n\
         tar -xzf agent.tar.gz\nsh velociraptor_client_*/install.sh"
    ));
    page.line(format!(
        "It is removed without a trace by {}.",
        code("sh /var/lib/velociraptor_client/uninstall.sh")
    ));
    page.line(format!(
        "Who has one of these files, or the configuration alone, may enrol: hand it to nobody else. In \
         them is the server's own binary, with the SHA-256 {}. Elsewhere, use a Velociraptor binary of \
         the server's version with the configuration:",
        code(&site.binary_sha256)
    ));
    page.block(format!(
        "megaraptor deployments config {id} --what client --out client.config.yaml"
    ));
    page.line(String::from("Any host, by hand and in the foreground, to try it:"));
    page.block(String::from("velociraptor --config client.config.yaml client -v"));
    page.line(String::from("Windows, from an official MSI that is repacked with the file:"));
    page.block(String::from(
        "velociraptor config repack --msi velociraptor.msi client.config.yaml agent.msi",
    ));
    page.line(String::from("Then look whether they are there:"));
    page.block(format!("megaraptor deployments agents {id} --host HOSTNAME"));
}

fn kept(page: &mut Page, certificates: &[Certificate]) {
    page.section("Certificates");
    let rows = certificates.iter().map(|certificate| {
        let check = certificate.check();
        let state = match check.verdict {
            deploy_core::preflight::Verdict::Fits => String::from("good"),
            _ => said(&check.found),
        };
        let (until, sha256) = certificate.summary().map_or_else(
            || (String::new(), String::new()),
            |it| (clock::to_second(it.not_after).to_string(), code(&it.sha256)),
        );
        vec![certificate.what.clone(), until, state, sha256]
    });
    page.table(&["whose", "until", "state", "SHA-256"], rows.collect());
}

fn care(page: &mut Page, record: &Record, site: &Site, certificates: &[Certificate], home: &Path) {
    let id = &record.id;
    let home = said(&home.display().to_string());
    page.section("Looking after it");
    page.line(String::from("How it stands, check by check, and what to do about it:"));
    page.block(format!(
        "megaraptor deployments validate {id}\nmegaraptor deployments show {id}\n{}",
        site.log
    ));
    page.line(String::from(
        "What was taken away or stopped is made anew, with the same keys and data:",
    ));
    page.block(format!("megaraptor deployments resume {id}"));

    page.section("Backing it up");
    page.line(format!(
        "Two things belong together: the evidence {}, and the state folder {} with record and \
         secrets. While the server runs, files change under a copy: {} stops it, and starts it again.",
        site.evidence,
        code(&home),
        code("export")
    ));
    page.block(format!("megaraptor deployments export {id} --out {id}.tar.gz"));
    page.line(String::from(
        "The copy holds evidence and the server's own records, and is to be guarded like them. The \
         state folder is copied as a whole, and read by its owner only.",
    ));

    page.section("Rotating keys");
    let ends = certificates.iter().skip(1).filter_map(Certificate::summary).map(|it| it.not_after);
    if let Some(first) = ends.min() {
        page.line(format!(
            "The first certificate below the CA ends {}; {} says so in good time.",
            clock::to_second(first),
            code("megaraptor deployments validate")
        ));
    }
    page.line(String::from(
        "Those of server, gateway and Megaraptor's API users are replaced under the same CA: the \
         server starts anew, agents keep their configuration and come back by themselves.",
    ));
    page.block(format!("megaraptor deployments rotate {id}"));

    page.section("Handing it over");
    page.list(vec![
        format!(
            "This text, and a copy as above. With {} set to a copy of the state folder, the \
                 commands here work for whoever has the key of the store of secrets, {}.",
            code("MEGARAPTOR_HOME"),
            site.machine
        ),
        format!(
            "The password of {} is to be changed in the GUI by whoever takes over: the one in \
                 the store was known to whoever had it before.",
            code(&site.order.gui_user)
        ),
        format!(
            "What was done by way of Megaraptor is in its record: {}.",
            code("megaraptor audit export")
        ),
    ]);

    page.section("Taking it down");
    page.line(String::from(
        "First save what is needed: the evidence goes with the server. Agents on endpoints are not \
         removed by this; take them off first, while the server can still be asked which they are.",
    ));
    page.block(format!(
        "megaraptor deployments agents {id}\nmegaraptor deployments destroy {id} --export-to FOLDER"
    ));
    page.line(format!(
        "It first writes the evidence to a file in that folder and reads it back. Then it removes \
         {}, and ends only when each was seen to be gone. The record of the deployment is kept.",
        site.removes
    ));
}

/// Somebody's words, as they may stand in a text of ours.
pub(super) fn passed(text: &str) -> String {
    outlet::text(text).0.into_owned()
}
