//! Users of the server and their roles.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fault::Fault;
use crate::identity::IdentityKind;
use crate::queries::users::{BY_NAME, CREATE};
use crate::session::Session;

/// A user of an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct User {
    /// The name.
    pub name: String,
    /// The roles, in no order.
    #[serde(deserialize_with = "crate::row::or_default")]
    pub roles: Vec<String>,
}

/// The user of a name, whatever its case; nothing where there is none.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn find(session: &Session<'_>, name: &str) -> Result<Option<User>, Fault> {
    let users: Vec<User> = session.rows(&BY_NAME, BY_NAME.query().bind("MR_User", name)).await?;
    Ok(users.into_iter().next())
}

/// Makes a user with the roles of a kind of identity, and reads it back. The user has no password:
/// it is who shows a certificate of that name. One that is there with these very roles is taken as
/// it is.
///
/// # Errors
///
/// [`Fault::Refused`] where the name is another user's: the server would replace that user's rights
/// without a word. [`Fault::Query`]; [`Fault::Unproved`] where the user is not read back as wanted.
pub async fn create(session: &Session<'_>, name: &str, kind: IdentityKind) -> Result<User, Fault> {
    let roles: Vec<&str> = kind.roles().split(',').collect();
    let fits = |user: &User| {
        user.name == name
            && user.roles.len() == roles.len()
            && roles.iter().all(|role| user.roles.iter().any(|held| held == role))
    };
    match find(session, name).await? {
        None => {}
        Some(user) if fits(&user) => return Ok(user),
        Some(user) => {
            return Err(Fault::refused(format!(
                "the server has a user {} with the roles {}; making {name} would replace them",
                user.name,
                user.roles.join(", ")
            )));
        }
    }
    let query = CREATE.query().bind("MR_User", name).bind_json("MR_Roles", &json!(roles));
    let _: Vec<serde::de::IgnoredAny> = session.rows(&CREATE, query).await?;
    match find(session, name).await.map_err(|fault| fault.following("the user was made"))? {
        Some(user) if fits(&user) => Ok(user),
        Some(user) => Err(Fault::unproved(format!(
            "user {name} was made with the roles {}, and has {}",
            roles.join(", "),
            user.roles.join(", ")
        ))),
        None => Err(Fault::unproved(format!("user {name} was made, and the server has none"))),
    }
}
