//! The certificates of a deployment, as they are kept, looked at one by one.

use jiff::Timestamp;
use pki::{Expected, Fault, GATEWAY, Report, Role, SERVER, Summary, Trust, inspect};
use velociraptor_api::IdentityKind;
use velociraptor_config::ApiConfig;

use super::{Vault, names};
use crate::deployer::StepError;
use crate::id::DeploymentId;
use crate::preflight::{Check, Verdict};

/// A certificate, and what was found out about it.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Whose, as in `the CA's certificate`.
    pub what: String,
    /// What is wrong with it, the gravest first; or why it cannot be read.
    pub report: Result<Report, String>,
}

impl Certificate {
    /// What it says, where it can be read.
    pub fn summary(&self) -> Option<&Summary> {
        self.report.as_ref().ok().and_then(|report| report.chain.first())
    }

    /// As something that was looked at: chain, time, names, uses and key.
    pub fn check(&self) -> Check {
        let expected = "signed by the deployment's CA, in its time, with its names and its own key";
        let check = |found: String, verdict| Check::new(&self.what, expected, found, verdict);
        let report = match &self.report {
            Ok(report) => report,
            Err(why) => {
                return check(why.clone(), Verdict::Unfit)
                    .next("restore the store of secrets from a copy");
            }
        };
        let told: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        let remedies: Vec<String> = report.faults.iter().map(Fault::remedy).collect();
        let until = |report: &Report| {
            let end = report.chain.first().map(|it| it.not_after.to_string()).unwrap_or_default();
            format!("it is, until {end}")
        };
        match report.trust {
            _ if !report.is_usable() => {
                check(told.join("; "), Verdict::Unfit).next(remedies.join(" "))
            }
            Trust::NotLooked => check(String::from("its CA was not looked at"), Verdict::NotLooked),
            Trust::Refused | Trust::Proved if told.is_empty() => {
                check(until(report), Verdict::Fits)
            }
            Trust::Refused | Trust::Proved => {
                let remedies = remedies.join(" ");
                check(told.join("; "), Verdict::Doubtful)
                    .next(format!("{remedies} The command is megaraptor deployments rotate."))
            }
        }
    }
}

/// Looks at the certificates of the server's configuration and of the API files, as of `now`.
///
/// # Errors
///
/// Where the configuration cannot be opened. What is wrong with one certificate is in its report.
pub async fn certificates(
    vault: &Vault,
    id: &DeploymentId,
    now: Timestamp,
) -> Result<Vec<Certificate>, StepError> {
    let keys = vault.config(id).await?.keys();
    let ca = keys.ca_certificate.as_str();
    let own = |role: Role, name, pem: &str, key| Certificate {
        what: role.words().to_owned(),
        report: looked(pem, &Expected { role, ca: Some(ca), name, key, now }),
    };
    let mut all = vec![
        own(Role::Authority, None, ca, keys.ca_key.as_ref()),
        own(Role::Frontend, Some(SERVER), &keys.frontend_certificate, Some(&keys.frontend_key)),
        own(Role::Gateway, Some(GATEWAY), &keys.gateway_certificate, Some(&keys.gateway_key)),
    ];
    for kind in IdentityKind::ALL {
        let user = names::user(kind);
        let report = match vault.open(id, names::api(kind)).await {
            Ok(text) => match ApiConfig::parse(&text) {
                Ok(file) => {
                    let (pem, key) = file.pair();
                    let (name, key) = (Some(user), Some(&key));
                    looked(&pem, &Expected { role: Role::Api, ca: Some(ca), name, key, now })
                }
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        all.push(Certificate { what: format!("the certificate of {user}"), report });
    }
    Ok(all)
}

/// What a certificate says, whoever signed it.
pub(super) fn summary(role: Role, pem: &str) -> Result<Summary, String> {
    let expected = Expected { role, ca: None, name: None, key: None, now: Timestamp::now() };
    let chain = looked(pem, &expected)?.chain;
    chain.into_iter().next().ok_or_else(|| format!("{} is empty", role.words()))
}

/// When an API file can no longer be used: the end of its certificate.
pub(super) fn end_of(file: &ApiConfig) -> Result<Timestamp, String> {
    summary(Role::Api, &file.pair().0).map(|summary| summary.not_after)
}

/// What a certificate is for, and for whom.
pub(super) fn names_of(role: Role, certificate: &Summary) -> String {
    match role {
        Role::Api => format!("{} ({})", role.words(), certificate.common_name),
        role => role.words().to_owned(),
    }
}

fn looked(pem: &str, expected: &Expected<'_>) -> Result<Report, String> {
    inspect(pem, expected).map_err(|error| error.to_string())
}
