//! Certificates as Velociraptor makes them, and as it does not.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use secret::Secret;
use velociraptor_api::ApiConfig;
use velociraptor_api::config::Origin;

/// The name in every server certificate.
pub(crate) const SERVER: &str = "VelociraptorServer";

/// A deployment's CA.
pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both as PEM.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// What a certificate says.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) common_name: &'static str,
    pub(crate) names: Vec<&'static str>,
    pub(crate) years: (i32, i32),
}

impl Says {
    pub(crate) fn new(common_name: &'static str) -> Self {
        Self { common_name, names: vec![common_name], years: (2020, 2090) }
    }

    pub(crate) fn names(self, names: &[&'static str]) -> Self {
        Self { names: names.to_vec(), ..self }
    }

    pub(crate) fn years(self, from: i32, to: i32) -> Self {
        Self { years: (from, to), ..self }
    }

    fn params(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Velociraptor");
        params.distinguished_name.push(DnType::CommonName, self.common_name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params
    }

    pub(crate) fn self_signed(&self) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = self.params().self_signed(&key).unwrap();
        Leaf { pem: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Ca {
    /// Velociraptor's CA has only an organisation in its subject.
    pub(crate) fn new() -> Self {
        Self::valid(2020, 2090)
    }

    pub(crate) fn valid(from: i32, to: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec![String::from("Velociraptor_ca.velocidex.com")]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Velociraptor CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn issue(&self, says: &Says) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = says.params().signed_by(&key, &self.issuer).unwrap();
        Leaf { pem: certificate.pem(), key: key.serialize_pem() }
    }

    /// The text of an API file, as the server writes it.
    pub(crate) fn api_file(&self, user: &Leaf, address: &str) -> String {
        api_file(&self.pem(), user, address)
    }

    /// The configuration of a user.
    pub(crate) fn api_config(&self, user: &'static str, address: &str) -> ApiConfig {
        let leaf = self.issue(&Says::new(user));
        parse(self.api_file(&leaf, address)).unwrap()
    }
}

/// The text of an API file.
pub(crate) fn api_file(ca: &str, user: &Leaf, address: &str) -> String {
    let block = |pem: &str| pem.lines().map(|line| format!("  {line}\n")).collect::<String>();
    format!(
        "ca_certificate: |\n{}client_cert: |\n{}client_private_key: |\n{}api_connection_string: {address}\nname: someone\n",
        block(ca),
        block(&user.pem),
        block(&user.key)
    )
}

/// Parses and checks the text of an API file.
pub(crate) fn parse(text: String) -> Result<ApiConfig, velociraptor_api::ConfigError> {
    ApiConfig::parse(&Secret::new(text), Origin::Memory("test"))
}
