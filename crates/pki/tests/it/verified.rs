//! Held against rustls-webpki, as our own connections and those of other clients would.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pki::{Authority, BACK_DATED, GATEWAY, KeyKind, Pair, Role, SERVER, make_all, summaries};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::bed::{days, made, order, server_made_in, stranger};

fn verify(
    pem: &str,
    authority: &Authority,
    usage: KeyUsage,
    name: Option<&str>,
    at: Timestamp,
) -> Result<(), webpki::Error> {
    let ca = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let entity = EndEntityCert::try_from(&der)?;
    let anchors = [webpki::anchor_from_trusted_cert(&ca)?];
    let seconds = u64::try_from(at.as_second()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    entity.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)?;
    match name {
        Some(name) => entity.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()),
        None => Ok(()),
    }
}

fn server(pem: &str, name: &str) -> Result<(), webpki::Error> {
    verify(pem, &made().authority, KeyUsage::server_auth(), Some(name), Timestamp::now())
}

fn client(pem: &str) -> Result<(), webpki::Error> {
    verify(pem, &made().authority, KeyUsage::client_auth(), None, Timestamp::now())
}

#[test]
fn d23_server_and_gateway_hold_for_both_uses_and_their_pinned_names() {
    let made = made();
    for (pair, name, other) in [(&made.frontend, SERVER, GATEWAY), (&made.gateway, GATEWAY, SERVER)]
    {
        server(&pair.certificate, name).unwrap();
        client(&pair.certificate).unwrap();
        let refused = server(&pair.certificate, other).unwrap_err();
        assert!(matches!(refused, webpki::Error::CertNotValidForName(_)), "{refused}");
    }
}

#[test]
fn a_user_is_a_client_and_no_server_of_any_name() {
    let (user, pair) = &made().users[0];
    client(&pair.certificate).unwrap();
    let usage = KeyUsage::server_auth();
    // The server looks for this use on its clients too.
    verify(&pair.certificate, &made().authority, usage, None, Timestamp::now()).unwrap();
    let refused = server(&pair.certificate, user.as_str()).unwrap_err();
    assert!(matches!(refused, webpki::Error::CertNotValidForName(_)), "{refused}");
    assert_eq!(summaries(&pair.certificate).unwrap()[0].common_name, "megaraptor");
}

#[test]
fn the_gui_holds_for_its_names_and_is_nobody_at_the_api() {
    let gui = made().gui.as_ref().unwrap();
    for name in ["gui.example.com", "192.0.2.7", "2001:db8::7", SERVER] {
        server(&gui.certificate, name).unwrap();
    }
    assert!(server(&gui.certificate, "other.example.com").is_err());
    let refused = client(&gui.certificate).unwrap_err();
    assert!(matches!(refused, webpki::Error::RequiredEkuNotFoundContext(_)), "{refused}");
    assert_eq!(summaries(&gui.certificate).unwrap()[0].common_name, "");
}

#[test]
fn another_deployments_ca_vouches_for_nothing_though_it_has_the_same_name() {
    let made = made();
    assert_eq!(stranger().summary().subject, made.authority.summary().subject);
    let refused = verify(
        &made.frontend.certificate,
        stranger(),
        KeyUsage::server_auth(),
        Some(SERVER),
        Timestamp::now(),
    );
    assert!(refused.is_err());
    assert!(!stranger().has_signed(&made.frontend.certificate).unwrap());
    assert!(made.authority.has_signed(&made.frontend.certificate).unwrap());
}

/// D-23 in small: what an agent whose clock is behind makes of a fresh certificate.
#[test]
fn an_agent_six_days_behind_takes_a_fresh_certificate_and_one_eight_days_behind_does_not() {
    let made = made();
    let look = |days_behind: i64| {
        let at = Timestamp::now() - SignedDuration::from_hours(days_behind * 24);
        verify(
            &made.frontend.certificate,
            &made.authority,
            KeyUsage::server_auth(),
            Some(SERVER),
            at,
        )
    };
    assert_eq!(BACK_DATED, SignedDuration::from_hours(7 * 24));
    look(6).unwrap();
    assert!(matches!(look(8), Err(webpki::Error::CertNotValidYet { .. })));
    // The authority's own beginning is looked at by other verifiers than this one.
    let behind = Timestamp::now() - SignedDuration::from_hours(6 * 24);
    assert!(made.authority.summary().not_before < behind);
    let ahead = server_made_in(8, 30);
    let usage = KeyUsage::server_auth();
    let refused = verify(&ahead, &made.authority, usage, Some(SERVER), Timestamp::now());
    assert!(matches!(refused, Err(webpki::Error::CertNotValidYet { .. })));
}

#[test]
fn every_certificate_says_what_velociraptors_own_would() {
    let made = made();
    let ca = made.authority.summary();
    assert_eq!(
        (ca.subject.as_str(), ca.issuer.as_str()),
        ("O=Velociraptor CA", "O=Velociraptor CA")
    );
    assert!(ca.authority && ca.self_signed && ca.server_use && ca.client_use);
    let mut pairs: Vec<&Pair> = vec![&made.frontend, &made.gateway];
    pairs.extend(made.users.iter().map(|(_, pair)| pair));
    pairs.extend(made.gui.as_ref());
    let mut serials = vec![ca.serial.clone()];
    for pair in pairs {
        let says = summaries(&pair.certificate).unwrap().remove(0);
        assert_eq!(says.issuer, "O=Velociraptor CA");
        assert_eq!(says.key, KeyKind::Rsa { bits: 2048 });
        assert!(!says.authority && !says.self_signed && says.server_use);
        let life = says.not_after.duration_since(says.not_before);
        assert_eq!(life, BACK_DATED + SignedDuration::from_hours(365 * 24));
        assert!(pair.key.expose().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        pki::RsaKey::parse(&pair.key).unwrap();
        assert_eq!(says.serial.len(), 32);
        serials.push(says.serial);
    }
    let count = serials.len();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), count, "serial numbers repeat");
}

#[test]
fn an_authority_that_was_written_and_read_signs_on() {
    let made = made();
    let now = Timestamp::now();
    let again = Authority::load(made.authority.certificate(), made.authority.key(), now).unwrap();
    assert_eq!(again.summary(), made.authority.summary());
    let profile = pki::Profile::api(&crate::bed::user("second"));
    let pair = again.issue(&profile, days(30)).unwrap();
    client(&pair.certificate).unwrap();
}

#[test]
fn no_key_is_in_what_debug_shows() {
    let made = made();
    let shown = format!("{made:?} {:?}", made.frontend);
    assert!(shown.contains("[secret]"));
    let keys = [made.authority.key(), &made.frontend.key, &made.gateway.key, &made.users[0].1.key];
    for key in keys {
        for line in key.expose().lines().filter(|line| line.len() == 64) {
            assert!(!shown.contains(line), "a line of a key is shown");
        }
    }
    assert!(!shown.contains("PRIVATE KEY"));
}

#[test]
fn a_user_cannot_be_asked_for_twice() {
    let mut order = order();
    order.users = vec![crate::bed::user("alice"), crate::bed::user("ALICE")];
    let error = make_all(&order).unwrap_err();
    assert!(error.to_string().contains("\"ALICE\" is given twice"), "{error}");
}

#[test]
fn nothing_outlives_its_authority() {
    let short = Authority::make(days(30)).unwrap();
    let profile = pki::Profile::frontend(&pki::Pinned::default());
    let error = short.issue(&profile, days(31)).unwrap_err();
    assert!(error.to_string().contains("its CA ends on"), "{error}");
    assert!(
        error.to_string().contains("give at most 29 days")
            || error.to_string().contains("give at most 30 days"),
        "{error}"
    );
    let later = Timestamp::now() + SignedDuration::from_hours(31 * 24);
    let late = pki::Validity::days(later, 1).unwrap();
    let error = short.issue(&profile, late).unwrap_err();
    assert!(
        matches!(error, pki::IssueError::AuthorityTime { role: Role::Frontend, .. }),
        "{error}"
    );
    let mut order = order();
    order.authority = days(30);
    let error = make_all(&order).unwrap_err();
    assert!(matches!(error, pki::IssueError::OutlivesAuthority { .. }), "{error}");
}
