//! What each kind of certificate says: the profile of Velociraptor's own authority, except where
//! less is enough.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};

use crate::name::{AltName, NameError, Pinned, UserName};

/// More names than this are a mistake.
const MOST_NAMES: usize = 100;

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Signs the others; agents and API clients trust it alone.
    Authority,
    /// The server's own: towards agents, towards API clients, and at the API as a superuser.
    Frontend,
    /// The gateway's, with which the GUI calls the API for its users.
    Gateway,
    /// A user's of the API.
    Api,
    /// What browsers see, where the GUI is to have other names than the server's.
    Gui,
}

impl Role {
    /// Whether it is shown to those who connect.
    pub(crate) const fn serves(self) -> bool {
        matches!(self, Self::Frontend | Self::Gui)
    }

    /// The role in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Authority => "the CA's certificate",
            Self::Frontend => "the server's certificate",
            Self::Gateway => "the gateway's certificate",
            Self::Api => "the API client's certificate",
            Self::Gui => "the GUI's certificate",
        }
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    role: Role,
    common_name: Option<String>,
    names: Vec<AltName>,
}

impl Profile {
    /// The server's certificate.
    pub fn frontend(pinned: &Pinned) -> Self {
        Self::pinned(Role::Frontend, pinned.server())
    }

    /// The gateway's certificate.
    pub fn gateway(pinned: &Pinned) -> Self {
        Self::pinned(Role::Gateway, pinned.gateway())
    }

    /// A certificate for a user of the API.
    ///
    /// It has no alternative name. The server wants both usages on it, and with a name it would be
    /// a server's certificate for that name too.
    pub fn api(user: &UserName) -> Self {
        Self { role: Role::Api, common_name: Some(user.as_str().to_owned()), names: Vec::new() }
    }

    /// A certificate for the GUI under these names.
    ///
    /// It has no common name and is for servers only, so that it is nobody's identity at the API.
    /// It speaks for the pinned name as well: the server shows it on the agents' port too.
    ///
    /// # Errors
    ///
    /// There is no name, or there are too many.
    pub fn gui(names: &[AltName], pinned: &Pinned) -> Result<Self, NameError> {
        if names.is_empty() {
            return Err(NameError::Count { count: 0, most: MOST_NAMES });
        }
        let own = vec![AltName::Dns(pinned.server().to_owned())];
        Self { role: Role::Gui, common_name: None, names: own }.also(names)
    }

    /// The same, for these names too. A GUI without a certificate of its own shows the server's.
    ///
    /// # Errors
    ///
    /// There are too many.
    pub fn also(mut self, names: &[AltName]) -> Result<Self, NameError> {
        for name in names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        match self.names.len() {
            count if count > MOST_NAMES => Err(NameError::Count { count, most: MOST_NAMES }),
            _ => Ok(self),
        }
    }

    fn pinned(role: Role, name: &str) -> Self {
        let names = vec![AltName::Dns(name.to_owned())];
        Self { role, common_name: Some(name.to_owned()), names }
    }

    /// What the certificate is for.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The common name, which is the identity at the API.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The names that it speaks for.
    pub fn names(&self) -> &[AltName] {
        &self.names
    }

    pub(crate) fn params(&self) -> Result<CertificateParams, rcgen::Error> {
        let mut params = blank("Velociraptor", self.common_name.as_deref());
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        if self.role == Role::Gui {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }
        for name in &self.names {
            params.subject_alt_names.push(match name {
                AltName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
                AltName::Ip(address) => SanType::IpAddress(*address),
            });
        }
        Ok(params)
    }
}

/// What an authority's certificate says: an organisation and no common name, both usages, and no
/// bound on the length of chains.
pub(crate) fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = blank("Velociraptor CA", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.subject_alt_names = vec![SanType::DnsName("Velociraptor_ca.velocidex.com".try_into()?)];
    Ok(params)
}

fn blank(organisation: &str, common_name: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    if let Some(name) = common_name {
        subject.push(DnType::CommonName, name);
    }
    params.distinguished_name = subject;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
