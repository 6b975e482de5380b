//! The user that a server runs as.

use deploy_core::{Found, StepCx, StepError};
use serde::{Deserialize, Serialize};

use crate::on::On;
use crate::owner::Owner;

/// The fact with the number of the group that was made with the user: a group cannot say to whom it
/// belongs.
const GROUP: &str = "group";

/// What `getent` ends with where there is no such name.
const UNKNOWN: i64 = 2;

/// A user of a deployment's own, with a group of its own, who cannot log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpec {
    /// The name of both.
    pub name: String,
    /// The folder that is called its home. It is not made.
    pub home: String,
}

/// A user as the host knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    comment: String,
}

impl Account {
    /// Whether it says that it is the deployment's.
    pub(crate) fn is_of(&self, owner: &Owner) -> bool {
        owner.owns(&self.comment)
    }
}

impl UserSpec {
    pub(crate) async fn look(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<Found, StepError> {
        let name = &self.name;
        let Some(account) = account(on, name).await? else {
            return Ok(match group(on, name).await? {
                None => Found::Absent,
                Some(gid) if made(cx) == Some(gid) => {
                    Found::Half { left: vec![format!("group {name}")] }
                }
                Some(_) => on.owner.foreign("group", name, &format!("getent group {name}")),
            });
        };
        if !on.owner.owns(&account.comment) {
            return Ok(on.owner.foreign("user", name, &format!("getent passwd {name}")));
        }
        cx.note(GROUP, account.gid);
        Ok(Found::Done)
    }

    pub(crate) async fn make(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        match self.look(on, cx).await? {
            Found::Done => return Ok(()),
            Found::Half { .. } => self.remove(on, cx).await?,
            Found::Absent | Found::Refused { .. } => {}
        }
        let marker = on.owner.marker();
        let arguments = [
            "--system",
            "--user-group",
            "--home-dir",
            &self.home,
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            "--comment",
            &marker,
            "--",
            &self.name,
        ];
        on.say("useradd", &arguments).await.map(drop)
    }

    pub(crate) async fn remove(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        let name = &self.name;
        let mut of_ours = made(cx);
        if let Some(account) = account(on, name).await? {
            if !on.owner.owns(&account.comment) {
                return Ok(());
            }
            of_ours = Some(account.gid);
            on.say("userdel", &["--", name]).await?;
        }
        // Where the host is set up so, the group went with the user.
        if of_ours.is_some() && group(on, name).await? == of_ours {
            on.say("groupdel", &["--", name]).await?;
        }
        cx.forget(GROUP);
        Ok(())
    }
}

/// The group that was made with the user.
fn made(cx: &StepCx<'_>) -> Option<u32> {
    cx.has_fact(GROUP).then(|| cx.fact(GROUP).ok()).flatten()
}

/// The user of that name, whosever it is.
pub(crate) async fn account(on: On<'_>, name: &str) -> Result<Option<Account>, StepError> {
    let Some(line) = entry(on, "passwd", name).await? else { return Ok(None) };
    let fields: Vec<&str> = line.trim_end().split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|text: &&str| text.parse().ok());
    match (number(2), number(3), fields.get(4)) {
        (Some(uid), Some(gid), Some(comment)) => {
            Ok(Some(Account { uid, gid, comment: (*comment).to_owned() }))
        }
        _ => Err(unread(&line)),
    }
}

/// The user of that name, who has to be there.
pub(crate) async fn existing(on: On<'_>, name: &str) -> Result<Account, StepError> {
    account(on, name).await?.ok_or_else(|| {
        let cause = format!("there is no user {name} on {}", on.host.host());
        StepError::failed(cause, "somebody removed it: resume, and it is made anew")
    })
}

async fn group(on: On<'_>, name: &str) -> Result<Option<u32>, StepError> {
    let Some(line) = entry(on, "group", name).await? else { return Ok(None) };
    let gid = line.trim_end().split(':').nth(2).and_then(|text| text.parse().ok());
    gid.map(Some).ok_or_else(|| unread(&line))
}

async fn entry(on: On<'_>, of: &str, name: &str) -> Result<Option<String>, StepError> {
    let ended = on.ask("getent", &[of, name]).await?;
    match ended.code {
        0 => Ok(Some(ended.text())),
        UNKNOWN => Ok(None),
        code => {
            let cause = format!("getent {of} {name} ended with {code}: {}", ended.why());
            Err(StepError::failed(cause, "look at the host's users, then resume"))
        }
    }
}

fn unread(line: &str) -> StepError {
    let line: String = line.chars().take(100).collect();
    StepError::failed(format!("getent says {line:?}"), "look at the host's users, then resume")
}
