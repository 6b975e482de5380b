//! The lab's own authority: its certificates, and API client files as text.
//!
//! Keys are EC P-256: a real deployment has RSA, but that takes a second to make and nothing here
//! depends on it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use secret::Secret;

/// The name that every Velociraptor server's certificate carries.
pub(crate) const SERVER_NAME: &str = "VelociraptorServer";

/// What can go wrong while certificates are made.
pub(crate) type Error = rcgen::Error;

/// A certificate authority that lives as long as the lab.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: Secret<String>,
}

impl Authority {
    /// A new authority.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = params("", "Velociraptor CA", 3650);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// The authority's certificate.
    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for the server.
    pub(crate) fn server(&self) -> Result<Issued, Error> {
        let mut params = params(SERVER_NAME, "Velociraptor", 365);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(SERVER_NAME.try_into()?)];
        self.issue(params)
    }

    /// A certificate for a user of the API.
    pub(crate) fn client(&self, user: &str) -> Result<Issued, Error> {
        self.issue(params(user, "Velociraptor", 365))
    }

    /// The API client file of a user, in the format that `config api_client` writes.
    pub(crate) fn api_client(&self, user: &str, address: &str) -> Result<Secret<String>, Error> {
        let Issued { certificate, key } = self.client(user)?;
        Ok(Secret::new(format!(
            "ca_certificate: |\n{}client_cert: |\n{}client_private_key: |\n{}\
             api_connection_string: {address}\nname: {user}\n",
            indent(&self.certificate()),
            indent(&certificate),
            indent(key.expose()),
        )))
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Issued, Error> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }
}

fn params(common_name: &str, organisation: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    if !common_name.is_empty() {
        subject.push(DnType::CommonName, common_name);
    }
    params.distinguished_name = subject;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |date: Date| date_time_ymd(date.year().into(), part(date.month()), part(date.day()));
    params.not_before = day(today.saturating_sub(1.day()));
    params.not_after = day(today.saturating_add(days.days()));
    let serial = Timestamp::now().as_nanosecond().unsigned_abs().to_be_bytes();
    params.serial_number = Some(SerialNumber::from_slice(&serial[4..]));
    params
}

/// A month or a day, which are never negative.
fn part(number: i8) -> u8 {
    u8::try_from(number).unwrap_or(1)
}

fn indent(pem: &str) -> String {
    pem.lines().map(|line| format!("  {line}\n")).collect()
}
