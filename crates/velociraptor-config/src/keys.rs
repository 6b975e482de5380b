//! The keys and certificates of a server, as PEM texts.

use secret::Secret;

use crate::error::ConfigError;

const CERTIFICATE: &str = "CERTIFICATE";
const KEY: &str = "RSA PRIVATE KEY";

/// What a server needs of its PKI.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    /// The deployment's CA.
    pub ca_certificate: String,
    /// Its key. A server runs without it; minting and renewing need it.
    pub ca_key: Option<Secret<String>>,
    /// The agents' port and the GUI.
    pub frontend_certificate: String,
    /// Its key.
    pub frontend_key: Secret<String>,
    /// With what the GUI calls the API.
    pub gateway_certificate: String,
    /// Its key.
    pub gateway_key: Secret<String>,
}

impl ServerKeys {
    /// Looks whether each text is a PEM block of its kind. Whether they fit together is not seen
    /// here.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        certificate("the CA certificate", &self.ca_certificate)?;
        certificate("the frontend certificate", &self.frontend_certificate)?;
        certificate("the gateway certificate", &self.gateway_certificate)?;
        key("the frontend key", self.frontend_key.expose())?;
        key("the gateway key", self.gateway_key.expose())?;
        self.ca_key.as_ref().map_or(Ok(()), |it| key("the CA key", it.expose()))
    }
}

pub(crate) fn certificate(what: &'static str, text: &str) -> Result<(), ConfigError> {
    let hint = "; expected one PEM block";
    block(text, CERTIFICATE).then_some(()).ok_or(ConfigError::Pem {
        what,
        expected: "certificate",
        hint,
    })
}

pub(crate) fn key(what: &'static str, text: &str) -> Result<(), ConfigError> {
    // Velociraptor reads nothing else, and says so only when it starts.
    let hint = if text.contains("BEGIN PRIVATE KEY") {
        ": it is PKCS#8; take the PKCS#1 key out of it"
    } else {
        "; expected PEM with RSA PRIVATE KEY"
    };
    let expected = "PKCS#1 private key";
    block(text, KEY).then_some(()).ok_or(ConfigError::Pem { what, expected, hint })
}

fn block(text: &str, label: &str) -> bool {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let text = text.trim();
    let inner = text.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
    inner.is_some_and(|inner| {
        let body =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r');
        !inner.trim().is_empty() && inner.starts_with(['\n', '\r']) && inner.chars().all(body)
    })
}

/// The text as it is written into files: with one end of line at its end.
pub(crate) fn tidy(text: &str) -> String {
    let mut tidy: String = text.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
    if tidy.is_empty() {
        tidy.push('\n');
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d39_keys_of_another_form_are_told_with_what_helps() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAB+/\n-----END {label}-----\n");
        assert_eq!(certificate("x", &pem(CERTIFICATE)), Ok(()));
        assert_eq!(key("x", &pem(KEY)), Ok(()));
        let error = key("the CA key", &pem("PRIVATE KEY")).unwrap_err().to_string();
        assert!(error.contains("the CA key is no PKCS#1") && error.contains("PKCS#8"), "{error}");
        for wrong in ["", "x", &pem(KEY).replace("AB+/", ""), &pem(KEY).replace("AB", "A:B")] {
            let error = key("x", wrong).unwrap_err();
            assert!(!error.to_string().contains("A:B"));
        }
        assert!(certificate("x", &pem(CERTIFICATE).repeat(2)).is_err());
        assert_eq!(tidy("a\r\n b\n\n"), "a\nb\n");
    }
}
