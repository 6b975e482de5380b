//! What is known of a secret without opening it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CredentialRef, Expired, Group, Name, StoreError};

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A password of a person or of a service.
    Password,
    /// A private key.
    PrivateKey,
    /// A configuration of an API client, which holds its private key.
    ApiFile,
    /// A configuration of a server, which holds its private keys.
    ServerConfig,
    /// A passphrase, of a key or of a container.
    Passphrase,
    /// A token of a bearer.
    Token,
}

impl Kind {
    /// The word in lists and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PrivateKey => "private_key",
            Self::ApiFile => "api_file",
            Self::ServerConfig => "server_config",
            Self::Passphrase => "passphrase",
            Self::Token => "token",
        }
    }
}

/// What is said of a value when it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredential {
    /// Its name from now on.
    pub credential: CredentialRef,
    /// What it is.
    pub kind: Kind,
    /// When its use ends, if it does.
    pub expires: Option<Timestamp>,
}

/// What is known of a secret without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Its name.
    #[serde(rename = "ref")]
    pub credential: CredentialRef,
    /// What it is.
    pub kind: Kind,
    /// When it was put.
    pub made: Timestamp,
    /// When its use ends, if it does.
    pub expires: Option<Timestamp>,
    /// Whether its use has ended. The value is still there.
    pub expired: bool,
    /// The length of the value in bytes.
    pub size: u64,
}

impl Metadata {
    /// What it belongs to.
    pub const fn group(&self) -> &Group {
        self.credential.group()
    }

    /// Its name there.
    pub const fn name(&self) -> &Name {
        self.credential.name()
    }

    pub(crate) fn refuse_expired(&self, expired: Expired) -> Result<(), StoreError> {
        match self.expires {
            Some(at) if self.expired && expired == Expired::Refused => {
                Err(StoreError::Expired { credential: self.credential.clone(), at })
            }
            _ => Ok(()),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Begin behind this one, which may be gone by now.
    pub after: Option<CredentialRef>,
    /// At most so many.
    pub limit: usize,
}

impl PageRequest {
    /// The first ones.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// A part of a list, by group and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The secrets, none of which was opened.
    pub items: Vec<Metadata>,
    /// How many there are on all pages.
    pub total: usize,
    /// Behind which one the next page begins, where there is one.
    pub next: Option<CredentialRef>,
    /// Files with secrets that no list names, because the index was lost or changed by hand.
    /// They are there, and not in the total.
    pub unlisted: usize,
}

/// Cuts a page out of what is sorted by reference.
pub(crate) fn page<'a, T: 'a>(
    sorted: impl Iterator<Item = &'a T>,
    credential: impl Fn(&T) -> &CredentialRef,
    metadata: impl Fn(&T) -> Metadata,
    request: &PageRequest,
) -> Page {
    let mut page = Page { items: Vec::new(), total: 0, next: None, unlisted: 0 };
    let mut more = false;
    for item in sorted {
        page.total += 1;
        if request.after.as_ref().is_some_and(|after| credential(item) <= after) {
            continue;
        }
        if page.items.len() < request.limit {
            page.items.push(metadata(item));
        } else {
            more = true;
        }
    }
    if more {
        page.next = page.items.last().map(|last| last.credential.clone()).or_else(|| {
            // A page of nothing leads to where it began.
            request.after.clone()
        });
    }
    page
}
