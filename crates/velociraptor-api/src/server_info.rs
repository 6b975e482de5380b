//! The server itself: version, clock, orgs, machine, and who we are to it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::identity::IdentityKind;
use crate::ids::OrgId;
use crate::permission::Permission;
use crate::queries::server_info::{CLOCK, HOST, ORGS};
use crate::row;
use crate::session::Session;

/// What a server says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// When it was built, in its own words.
    pub built: Option<String>,
    /// The source that it was built from.
    pub commit: Option<String>,
    /// Its clock.
    pub now: Option<Timestamp>,
    /// The orgs that the weakest identity sees.
    pub orgs: Vec<Org>,
    /// The users that we are, weakest first.
    pub identities: Vec<IdentityInfo>,
    /// The machine that it runs on, where an identity may ask.
    pub host: Option<Host>,
}

/// An org.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    #[serde(rename(deserialize = "OrgId"))]
    pub id: OrgId,
    /// Its name.
    #[serde(rename(deserialize = "Name"), deserialize_with = "row::or_default")]
    pub name: String,
}

/// A user that we are.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct IdentityInfo {
    /// The user's name.
    pub user: String,
    /// What it is, by what it may do; none where the server could not be asked.
    pub kind: Option<&'static str>,
    /// What it may do in the org.
    pub permissions: Vec<&'static str>,
    /// Why the server could not be asked.
    pub fault: Option<String>,
}

/// The machine that a server runs on.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Host {
    /// Its name.
    #[serde(deserialize_with = "row::or_default")]
    pub hostname: String,
    /// Its system.
    #[serde(deserialize_with = "row::or_default")]
    pub os: String,
    /// Its distribution.
    #[serde(deserialize_with = "row::text")]
    pub platform: Option<String>,
    /// The version of its distribution.
    #[serde(deserialize_with = "row::text")]
    pub platform_version: Option<String>,
    /// Its kernel.
    #[serde(deserialize_with = "row::text")]
    pub kernel_version: Option<String>,
    /// Its processor architecture.
    #[serde(deserialize_with = "row::text")]
    pub architecture: Option<String>,
    /// For how long it has been up.
    #[serde(deserialize_with = "row::span_seconds")]
    pub uptime: Duration,
}

/// Asks a server about itself. What an identity may not ask is left out.
///
/// # Errors
///
/// [`Fault::Query`] where no identity could ask anything.
pub async fn info(session: &Session<'_>) -> Result<ServerInfo, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Clock {
        #[serde(deserialize_with = "row::seconds")]
        now: Option<Timestamp>,
        #[serde(deserialize_with = "row::or_default")]
        version: String,
        #[serde(deserialize_with = "row::text")]
        built: Option<String>,
        #[serde(deserialize_with = "row::text")]
        commit: Option<String>,
    }
    let clock: Option<Clock> = session.rows(&CLOCK, CLOCK.query()).await?.pop();
    let clock = clock.ok_or_else(|| {
        let detail = String::from("no row");
        session.server().error(None, CLOCK.name, QueryErrorKind::Protocol { detail })
    })?;
    let mut identities = Vec::new();
    for identity in session.server().identities() {
        let user = identity.user().to_owned();
        let asked = session.server().profile(identity, session.org(), session.cancel()).await;
        identities.push(match asked {
            Ok(profile) => IdentityInfo {
                user,
                kind: Some(IdentityKind::as_str(profile.kind())),
                permissions: profile.permissions.iter().map(Permission::name).collect(),
                fault: None,
            },
            Err(error) => IdentityInfo {
                user,
                kind: None,
                permissions: Vec::new(),
                fault: Some(error.to_string()),
            },
        });
    }
    let host = match session.permitted(HOST.needs).await {
        Ok(()) => session.rows(&HOST, HOST.query()).await?.pop(),
        Err(Fault::NotPermitted { .. }) => None,
        Err(fault) => return Err(fault),
    };
    Ok(ServerInfo {
        version: clock.version,
        built: clock.built,
        commit: clock.commit,
        now: clock.now,
        orgs: orgs(session).await?,
        identities,
        host,
    })
}

/// The orgs that the weakest identity that may ask can see.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn orgs(session: &Session<'_>) -> Result<Vec<Org>, Fault> {
    Ok(session.rows(&ORGS, ORGS.query()).await?)
}
