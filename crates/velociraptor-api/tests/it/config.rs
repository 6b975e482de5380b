//! Every way in which an API file can be wrong.

use velociraptor_api::config::{CertificateError, DEFAULT_MAX_RECEIVE};
use velociraptor_api::{ApiConfig, ConfigError, ConfigErrorKind};

use crate::pki::{Ca, Leaf, Says, api_file, parse};

const ADDRESS: &str = "127.0.0.1:8001";

/// A good file, to be spoilt.
struct Good {
    ca: Ca,
    user: Leaf,
}

impl Good {
    fn new() -> Self {
        let ca = Ca::new();
        let user = ca.issue(&Says::new("mcp-reader"));
        Self { ca, user }
    }

    fn text(&self) -> String {
        self.ca.api_file(&self.user, ADDRESS)
    }
}

fn certificate_error(result: Result<ApiConfig, ConfigError>) -> CertificateError {
    match result.unwrap_err().kind {
        ConfigErrorKind::Certificate(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_file_is_read_with_all_its_keys() {
    let good = Good::new();
    let config = parse(good.text()).unwrap();
    assert_eq!(config.user(), "mcp-reader");
    assert_eq!(config.name.as_deref(), Some("someone"));
    assert_eq!(config.address.to_string(), ADDRESS);
    assert_eq!(config.pinned_server_name, "VelociraptorServer");
    assert_eq!(config.max_receive, DEFAULT_MAX_RECEIVE);
    assert_eq!(config.certificates.ca.common_name, "");
    assert_eq!(config.certificates.ca.subject, "O=Velociraptor CA");
    assert_eq!(config.certificates.client.issuer, "O=Velociraptor CA");
    assert_eq!(config.certificates.client.sha256.len(), 64);

    let text = good.text() + "pinned_server_name: MyServer\nmax_grpc_recv_size: 12345678\n";
    let config = parse(text).unwrap();
    assert_eq!(config.pinned_server_name, "MyServer");
    assert_eq!(config.max_receive, 12_345_678);

    // Zero and nothing are what they are where the key is missing.
    let text = good.text() + "pinned_server_name: ''\nmax_grpc_recv_size: 0\n";
    let config = parse(text).unwrap();
    assert_eq!(config.pinned_server_name, "VelociraptorServer");
    assert_eq!(config.max_receive, DEFAULT_MAX_RECEIVE);

    let error = parse(good.text() + "pinned_server_name: 'no name!'\n").unwrap_err();
    assert!(matches!(error.kind, ConfigErrorKind::PinnedName { .. }), "{error}");
}

#[test]
fn an_empty_file_is_refused_and_says_how_one_is_made() {
    for text in ["", "\n \n", "---\n", "# nothing yet\n", "{}\n"] {
        let error = parse(text.to_owned()).unwrap_err();
        let told = error.to_string();
        assert!(matches!(error.kind, ConfigErrorKind::Empty), "{text:?}: {told}");
        assert!(told.contains("config api_client"), "{told}");
    }
}

#[test]
fn a_server_or_agent_configuration_is_named_as_such() {
    for (text, kind) in [
        ("version:\n  name: velociraptor\nClient:\n  nonce: s3cret\nFrontend:\n  x: 1\n", "server"),
        ("Datastore:\n  location: /x\nClient:\n  nonce: s3cret\n", "server"),
        ("version:\n  name: velociraptor\nClient:\n  nonce: s3cret\n", "client"),
    ] {
        let error = parse(text.to_owned()).unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error.kind, ConfigErrorKind::WrongKind { found } if found == kind),
            "{told}"
        );
        assert!(told.contains("config api_client") && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn what_is_no_api_file_is_malformed() {
    let good = Good::new();
    for text in [
        String::from("just a sentence"),
        String::from("- a\n- list\n"),
        String::from("{\"half\": "),
        String::from("ca_certificate: [1, 2]\n"),
        good.text() + "max_grpc_recv_size: many\n",
        good.text() + "colour: blue\n",
        good.text() + "name: twice\n",
    ] {
        let error = parse(text.clone()).unwrap_err();
        assert!(matches!(error.kind, ConfigErrorKind::Malformed { .. }), "{text}: {error}");
    }
    let told = parse(good.text() + "colour: blue\n").unwrap_err().to_string();
    assert!(told.contains("colour"), "{told}");
}

#[test]
fn each_missing_key_is_named() {
    let good = Good::new();
    for key in ["ca_certificate", "client_cert", "client_private_key", "api_connection_string"] {
        let mut kept = true;
        let text: String = good
            .text()
            .lines()
            .filter(|line| {
                if !line.starts_with(' ') {
                    kept = !line.starts_with(key);
                }
                kept
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error.kind, ConfigErrorKind::MissingKey { key: named } if named == key),
            "{key}: {error}"
        );
    }
}

#[test]
fn damaged_and_misplaced_pem_is_told_apart() {
    let good = Good::new();
    let leaf = |pem: &str, key: &str| Leaf { pem: pem.to_owned(), key: key.to_owned() };
    let check = |ca: &str, user: &Leaf| certificate_error(parse(api_file(ca, user, ADDRESS)));

    let swapped = check(&good.ca.pem(), &leaf(&good.user.key, &good.user.pem));
    assert!(matches!(swapped, CertificateError::NoPem { key: "client_cert", .. }), "{swapped}");
    let no_key = check(&good.ca.pem(), &leaf(&good.user.pem, &good.user.pem));
    assert!(
        matches!(no_key, CertificateError::NoPem { key: "client_private_key", .. }),
        "{no_key}"
    );
    let no_ca = check("not PEM at all", &good.user);
    assert!(matches!(no_ca, CertificateError::NoPem { key: "ca_certificate", .. }), "{no_ca}");

    let cut: String = good.user.pem.lines().take(4).map(|line| format!("{line}\n")).collect();
    let cut = check(&good.ca.pem(), &leaf(&cut, &good.user.key));
    assert!(matches!(cut, CertificateError::Damaged { key: "client_cert", .. }), "{cut}");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let empty = check(empty, &good.user);
    assert!(matches!(empty, CertificateError::Damaged { key: "ca_certificate", .. }), "{empty}");
}

#[test]
fn an_encrypted_key_is_named_as_such() {
    let good = Good::new();
    for key in [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ] {
        let user = Leaf { key: key.to_owned(), ..good.user.clone() };
        let error = certificate_error(parse(good.ca.api_file(&user, ADDRESS)));
        assert_eq!(error, CertificateError::EncryptedKey);
    }
}

#[test]
fn key_certificate_and_ca_must_belong_together() {
    let good = Good::new();
    let other = good.ca.issue(&Says::new("somebody"));
    let mixed = Leaf { key: other.key, ..good.user.clone() };
    let error = certificate_error(parse(good.ca.api_file(&mixed, ADDRESS)));
    assert!(matches!(error, CertificateError::KeyMismatch { .. }), "{error}");
    assert!(error.to_string().contains("CN=mcp-reader"), "{error}");

    let error = certificate_error(parse(Ca::new().api_file(&good.user, ADDRESS)));
    assert!(matches!(error, CertificateError::WrongCa { .. }), "{error}");

    // The certificate of the user in place of the CA's.
    let error = certificate_error(parse(api_file(&good.user.pem, &good.user, ADDRESS)));
    assert!(matches!(error, CertificateError::WrongCa { .. }), "{error}");
}

#[test]
fn validity_is_checked_on_both_sides() {
    let ca = Ca::new();
    let old = ca.issue(&Says::new("old").years(2020, 2021));
    let error = certificate_error(parse(ca.api_file(&old, ADDRESS)));
    assert!(
        matches!(&error, CertificateError::Expired { key: "client_cert", not_after, .. } if not_after.to_string() == "2021-01-01T00:00:00Z"),
        "{error}"
    );
    let young = ca.issue(&Says::new("young").years(2080, 2081));
    let error = certificate_error(parse(ca.api_file(&young, ADDRESS)));
    assert!(matches!(error, CertificateError::NotYetValid { key: "client_cert", .. }), "{error}");

    let old_ca = Ca::valid(2010, 2012);
    let user = old_ca.issue(&Says::new("user"));
    let error = certificate_error(parse(old_ca.api_file(&user, ADDRESS)));
    assert!(matches!(error, CertificateError::Expired { key: "ca_certificate", .. }), "{error}");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let good = Good::new();
    for address in ["localhost", "localhost:http", "/run/velociraptor.sock", "http://x:1", "':0'"] {
        let error = parse(good.ca.api_file(&good.user, address)).unwrap_err();
        assert!(matches!(error.kind, ConfigErrorKind::Address(_)), "{address}: {error}");
    }
}

#[test]
fn d16_missing_and_unreadable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("api.config.yaml");
    for (path, words) in [(missing.as_path(), "does not exist"), (folder.path(), "cannot be read")]
    {
        let told = ApiConfig::load(path).unwrap_err().to_string();
        assert!(told.starts_with(&path.display().to_string()), "{told}");
        assert!(told.contains(words), "{told}");
    }
    let binary = folder.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe, 0x00, 0x80]).unwrap();
    let error = ApiConfig::load(&binary).unwrap_err();
    assert!(matches!(error.kind, ConfigErrorKind::Malformed { .. }), "{error}");
}

#[test]
fn a_file_on_disk_is_loaded_with_its_byte_order_mark() {
    let good = Good::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.yaml");
    std::fs::write(&path, format!("\u{feff}{}", good.text().replace('\n', "\r\n"))).unwrap();
    assert_eq!(ApiConfig::load(&path).unwrap().user(), "mcp-reader");
}

/// D-16: a mistyped path was taken for PEM text, and the fault surfaced as a bad certificate.
#[test]
fn d16_the_environment_takes_paths_and_pem_and_tells_a_mistyped_path() {
    let good = Good::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.pem");
    std::fs::write(&path, &good.user.pem).unwrap();
    let path = path.to_str().unwrap();
    let ca = good.ca.pem();

    let config = ApiConfig::from_parts(ADDRESS, path, &good.user.key, &ca).unwrap();
    assert_eq!(config.user(), "mcp-reader");
    assert_eq!(config.address.to_string(), ADDRESS);

    let wrong = format!("{path}x");
    let error = ApiConfig::from_parts(ADDRESS, &wrong, &good.user.key, &ca).unwrap_err();
    let told = error.to_string();
    assert!(matches!(error.kind, ConfigErrorKind::NoSuchPath { .. }), "{told}");
    assert!(told.contains("VELOCIRAPTOR_CLIENT_CERT") && told.contains(&wrong), "{told}");

    let error = ApiConfig::from_parts("", path, &good.user.key, &ca).unwrap_err();
    assert!(error.to_string().contains("VELOCIRAPTOR_API_URL"), "{error}");
}

#[test]
fn d18_no_error_and_no_debug_text_shows_a_secret() {
    let good = Good::new();
    let body: Vec<&str> = good.user.key.lines().filter(|line| !line.starts_with("-----")).collect();
    let shows = |text: &str| body.iter().any(|line| text.contains(line));
    let config = parse(good.text()).unwrap();
    assert!(!shows(&format!("{config:?}")), "{config:?}");

    // The key's own lines damaged, moved into other keys, or the file broken around them.
    let bare = body.join("");
    let mut texts = vec![
        good.text().replace("client_private_key: |\n", "client_private_key: |\n  x\n"),
        good.text().replace("client_private_key: |\n", "client_private_key:\n"),
        good.text().replace("  -----END PRIVATE", " -----END PRIVATE"),
        good.text() + "  stray: " + &bare + "\n",
        good.text() + &bare + ": 1\n",
        good.text().replace("api_connection_string: ", "api_connection_string: !!int "),
        good.text().replace("name: someone", &format!("max_grpc_recv_size: {bare}")),
    ];
    for from in ["-----BEGIN PRIVATE", "-----END PRIVATE"] {
        texts.push(good.text().replace(from, "-----BEGIN WRONG"));
    }
    let mut refused = 0;
    for text in texts {
        // A stray word before the PEM block is tolerated.
        let Err(error) = parse(text) else { continue };
        let told = format!("{error} {error:?}");
        assert!(!shows(&told) && !told.contains(&bare), "{told}");
        refused += 1;
    }
    assert!(refused >= 7, "only {refused} of the spoilt files were refused");
    // A key given where a path belongs.
    let error = ApiConfig::from_parts(ADDRESS, &bare, &good.user.key, &good.ca.pem()).unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(!shows(&told) && !told.contains(&bare), "{told}");
}
