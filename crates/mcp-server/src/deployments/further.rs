//! Further users of a deployment's API: what is known of them without opening a secret.

use credstore::{CredentialStore as _, Group, Metadata, PageRequest};
use deploy_core::DeploymentId;
use deploy_core::server::FurtherUser;

use super::Deployments;
use crate::clock;
use crate::tool_error::{Code, ToolError};

impl Deployments {
    /// What a rotation leaves as it is, and somebody may take for rotated.
    ///
    /// # Errors
    ///
    /// Where the store cannot be listed.
    pub async fn left_by_rotation(&self, id: &DeploymentId) -> Result<Option<String>, ToolError> {
        let (this, of) = (self.clone(), id.clone());
        let further = tokio::task::spawn_blocking(move || this.further_users(&of)).await;
        let further =
            further.map_err(|error| ToolError::new(Code::Internal, error.to_string()))??;
        if further.is_empty() {
            return Ok(None);
        }
        let told = |kept: &Metadata| {
            let name = kept.name().as_str();
            let user = FurtherUser::of_secret(name).unwrap_or(name).to_owned();
            kept.expires
                .map_or(user.clone(), |end| format!("{user} until {}", clock::to_second(end)))
        };
        let all: Vec<String> = further.iter().map(told).collect();
        Ok(Some(format!(
            "further API users keep the certificates that they have: {}; new ones are made as users \
             of other names",
            all.join(", ")
        )))
    }

    /// The API files of further users. None is opened. Blocking.
    ///
    /// # Errors
    ///
    /// Where the store cannot be listed.
    pub(super) fn further_users(&self, id: &DeploymentId) -> Result<Vec<Metadata>, ToolError> {
        let group: Group = id.as_str().parse().map_err(|error: credstore::BadName| {
            ToolError::new(Code::Internal, error.to_string())
        })?;
        let all = PageRequest::first(usize::MAX);
        let listed = self.store().list(Some(&group), &all);
        let listed = listed.map_err(|error| crate::credentials::told(&error))?;
        if listed.unlisted > 0 {
            let told =
                format!("the index of the store of secrets lacks {} of them", listed.unlisted);
            return Err(ToolError::new(Code::Conflict, told)
                .next("megaraptor credential rebuild makes it anew"));
        }
        let is_further = |kept: &Metadata| FurtherUser::of_secret(kept.name().as_str()).is_some();
        Ok(listed.items.into_iter().filter(is_further).collect())
    }
}
