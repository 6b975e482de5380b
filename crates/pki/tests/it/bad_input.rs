//! What is not certificates and keys is refused with what it is, and never quoted.

use jiff::{SignedDuration, Timestamp};
use pki::{Authority, InspectError, KeyError, LoadError, PemError, RsaKey, inspect, summaries};
use secret::Secret;

use crate::bed::{made, stranger};

fn load(certificate: &str, key: &str) -> LoadError {
    Authority::load(certificate, &Secret::new(key.to_owned()), Timestamp::now()).unwrap_err()
}

#[test]
fn a_key_that_is_cut_off_anywhere_is_refused_and_not_quoted() {
    let text = made().frontend.key.expose();
    for at in (0..text.len() - 1).step_by(97) {
        let cut = Secret::new(text[..at].to_owned());
        let error = RsaKey::parse(&cut).unwrap_err();
        assert!(matches!(error, KeyError::Pem(_)), "at {at}: {error}");
        not_quoted(&error, text);
    }
    // Whole lines are missing within, and the frame is whole.
    let mut lines: Vec<_> = text.lines().collect();
    lines.drain(5..9);
    let error = RsaKey::parse(&Secret::new(lines.join("\n"))).unwrap_err();
    assert_eq!(error, KeyError::Damaged);
    let damaged = Secret::new(text.replacen(&text[100..104], "*!*!", 1));
    let error = RsaKey::parse(&damaged).unwrap_err();
    assert!(matches!(error, KeyError::Pem(PemError::Damaged { .. })), "{error}");
    not_quoted(&error, text);
}

fn not_quoted(error: &KeyError, key: &str) {
    let said = format!("{error} {error:?}");
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!said.contains(&line[..line.len().min(16)]), "it quotes the key");
    }
}

#[test]
fn a_certificate_that_is_cut_off_or_changed_is_refused() {
    let text = &made().frontend.certificate;
    assert_eq!(summaries(&text[..text.len() / 2]), Err(InspectError::Pem(PemError::CutOff)));
    let mut lines: Vec<_> = text.lines().collect();
    lines.drain(3..6);
    let error = summaries(&lines.join("\n")).unwrap_err();
    assert!(matches!(error, InspectError::Damaged { .. }), "{error}");
    for nothing in ["", "\0", "-----BEGIN", made().frontend.key.expose()] {
        let error = summaries(nothing).unwrap_err();
        assert!(matches!(error, InspectError::Pem(_)), "{error}");
    }
}

/// Each flipped bit is seen: by the parser, or as a signature that does not hold.
#[test]
fn a_certificate_with_a_flipped_bit_is_not_the_authoritys() {
    use base64::Engine as _;
    let text = &made().frontend.certificate;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let engine = base64::engine::general_purpose::STANDARD;
    let der = engine.decode(body).unwrap();
    for at in (0..der.len()).step_by(11) {
        let mut flipped = der.clone();
        flipped[at] ^= 1;
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            engine.encode(flipped)
        );
        let held = made().authority.has_signed(&pem);
        assert!(held != Ok(true), "the byte {at} is not looked at");
    }
}

#[test]
fn an_authority_is_loaded_from_its_own_two_halves_only() {
    let made = made();
    let (ca, key) = (made.authority.certificate(), made.authority.key().expose());
    let error = load(ca, stranger().key().expose());
    assert!(matches!(error, LoadError::OtherKey { .. }), "{error}");
    assert!(error.to_string().contains(&made.authority.summary().sha256), "{error}");
    let error = load(&made.frontend.certificate, made.frontend.key.expose());
    assert!(matches!(error, LoadError::NotAuthority { .. }), "{error}");
    let error = load(&format!("{ca}{ca}"), key);
    assert!(error.to_string().contains("2 CERTIFICATE blocks"), "{error}");
    let error = load(key, key);
    assert!(error.to_string().contains("found: RSA PRIVATE KEY"), "{error}");
    let error = load(ca, ca);
    assert!(error.to_string().contains("CA.private_key"), "{error}");
    let after = Timestamp::now() + SignedDuration::from_hours(3651 * 24);
    let error = Authority::load(ca, made.authority.key(), after).unwrap_err();
    assert!(error.to_string().contains("the CA holds from"), "{error}");
    let error = Authority::load(ca, made.authority.key(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, LoadError::Unusable(_)), "{error}");
}

#[test]
fn a_name_in_a_hostile_certificate_moves_no_cursor() {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "a\u{1b}[2Jb\u{202e}c\nd");
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let says = summaries(&pem).unwrap().remove(0);
    assert_eq!(says.common_name, "a\\u{1b}[2Jb\\u{202e}c\\u{a}d");
    let ca = Some(made().authority.certificate());
    let expected = pki::Expected {
        role: pki::Role::Frontend,
        ca,
        name: Some(pki::SERVER),
        key: None,
        now: Timestamp::now(),
    };
    for fault in inspect(&pem, &expected).unwrap().faults {
        let text = format!("{fault} {}", fault.remedy());
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}
