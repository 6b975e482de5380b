//! Every fault is found on a certificate that has it, and says what to do.

use jiff::{SignedDuration, Timestamp};
use pki::{Expected, Fault, Profile, Report, Role, RsaKey, SERVER, Trust, Validity, inspect};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};

use crate::bed::{made, server_made_in, stranger};

fn expected(role: Role, name: Option<&'static str>) -> Expected<'static> {
    let ca = Some(made().authority.certificate());
    Expected { role, ca, name, key: None, now: Timestamp::now() }
}

fn look(pem: &str) -> Report {
    inspect(pem, &expected(Role::Frontend, Some(SERVER))).unwrap()
}

/// The one fault of a report.
fn only(report: &Report) -> &Fault {
    let [fault] = report.faults.as_slice() else { panic!("{:#?}", report.faults) };
    assert!(fault.remedy().ends_with('.'), "{}", fault.remedy());
    fault
}

/// A server's certificate of our authority that was changed before it was signed.
fn changed(change: impl FnOnce(&mut CertificateParams)) -> String {
    let key = RsaKey::parse(&made().frontend.key).unwrap();
    let key = KeyPair::from_pem(key.pem().expose()).unwrap();
    signed(change, &key)
}

fn signed(change: impl FnOnce(&mut CertificateParams), key: &KeyPair) -> String {
    let ca_key = KeyPair::from_pem(made().authority.key().expose()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(made().authority.certificate(), ca_key).unwrap();
    let mut params = CertificateParams::new(vec![SERVER.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SERVER);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    params.signed_by(key, &issuer).unwrap().pem()
}

#[test]
fn what_is_made_here_has_no_fault() {
    let made = made();
    let gui = made.gui.as_ref().unwrap();
    for (role, pair, name) in [
        (Role::Frontend, &made.frontend, SERVER),
        (Role::Gateway, &made.gateway, "GRPC_GW"),
        (Role::Api, &made.users[0].1, "megaraptor"),
        (Role::Gui, gui, "gui.example.com"),
        (Role::Gui, gui, "[2001:db8::7]"),
    ] {
        let key = Some(&pair.key);
        let report =
            inspect(&pair.certificate, &Expected { key, ..expected(role, Some(name)) }).unwrap();
        assert_eq!((report.trust, report.faults.as_slice()), (Trust::Proved, &[][..]), "{role:?}");
        assert!(report.is_usable());
    }
    let report = inspect(made.authority.certificate(), &expected(Role::Authority, None)).unwrap();
    assert_eq!((report.trust, report.faults.as_slice()), (Trust::Proved, &[][..]));
}

#[test]
fn trust_that_was_not_looked_at_is_said_not_to_be() {
    let expected = Expected { ca: None, ..expected(Role::Frontend, Some(SERVER)) };
    let report = inspect(&made().frontend.certificate, &expected).unwrap();
    assert_eq!((report.trust, report.faults.len()), (Trust::NotLooked, 0));
}

#[test]
fn times_are_told_with_how_much() {
    // All moments are taken from the certificate: a clock may be set while tests run.
    let says = look(&made().frontend.certificate).chain[0].clone();
    let at = |now: Timestamp| {
        let expected = Expected { now, ..expected(Role::Frontend, Some(SERVER)) };
        inspect(&made().frontend.certificate, &expected).unwrap()
    };
    let report = at(says.not_after + SignedDuration::from_hours(3 * 24 + 1));
    let fault = only(&report);
    assert!(matches!(fault, Fault::Expired { .. }) && !report.is_usable());
    assert!(fault.to_string().contains("expired 3 days ago, on "), "{fault}");
    assert!(fault.remedy().contains("same CA"), "{}", fault.remedy());

    // Before its beginning the CA's has not come either; both were made at once.
    let report = at(says.not_before - SignedDuration::from_hours(2 * 24));
    assert!(report.faults.iter().all(|fault| matches!(fault, Fault::NotYetValid { .. })));
    assert_eq!(report.faults.len(), 2);
    assert_eq!(report.trust, Trust::Proved);
    let other = server_made_in(0, 90);
    let now = look(&other).chain[0].not_before - SignedDuration::from_hours(73);
    let report =
        inspect(&other, &Expected { now, ca: None, ..expected(Role::Frontend, Some(SERVER)) });
    let fault = only(&report.unwrap()).to_string();
    assert!(fault.contains("is not valid for another 3 days, until "), "{fault}");

    let report = at(says.not_after - SignedDuration::from_hours(24 * 24 + 23));
    assert!(matches!(only(&report), Fault::EndsSoon { .. }) && report.is_usable());
    assert!(only(&report).to_string().contains("ends in 24 days"), "{}", only(&report));
}

#[test]
fn a_short_life_is_near_its_end_in_its_last_third_only() {
    let pem = server_made_in(0, 30);
    let says = look(&pem).chain[0].clone();
    let at = |left: i64| {
        let now = says.not_after - SignedDuration::from_hours(left * 24);
        inspect(&pem, &Expected { now, ..expected(Role::Frontend, Some(SERVER)) }).unwrap().faults
    };
    // It begins a week before it was made: a third of 37 days is twelve and some hours.
    for left in [30, 13] {
        assert_eq!(at(left), []);
    }
    assert!(matches!(at(12).as_slice(), [Fault::EndsSoon { .. }]));
}

#[test]
fn the_wrong_ca_is_told_with_all_that_is_needed_to_pin_it() {
    let pair = stranger()
        .issue(
            &Profile::frontend(&pki::Pinned::default()),
            Validity::days(Timestamp::now(), 30).unwrap(),
        )
        .unwrap();
    let report = look(&pair.certificate);
    // Thirty days are near the end.
    let fault = &report.faults[0];
    assert!(matches!(fault, Fault::OtherAuthority { .. }), "{fault}");
    assert_eq!(report.trust, Trust::Refused);
    let text = format!("{fault} {}", fault.remedy());
    let says = &report.chain[0];
    for part in [
        &says.subject,
        &says.issuer,
        &says.sha256,
        &says.not_before.to_string(),
        &says.not_after.to_string(),
        &made().authority.summary().sha256,
        "both CAs have the same name",
        "pin the new one",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_self_signed_certificate_is_told_with_all_that_is_needed_to_pin_it() {
    let mut params = CertificateParams::new(vec![SERVER.to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.distinguished_name.push(DnType::CommonName, SERVER);
    let key = KeyPair::from_pem(made().frontend.key.expose()).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    for ca in [Some(made().authority.certificate()), None] {
        let report =
            inspect(&pem, &Expected { ca, ..expected(Role::Frontend, Some(SERVER)) }).unwrap();
        let fault = only(&report);
        assert!(matches!(fault, Fault::SelfSigned { .. }), "{fault}");
        let text = format!("{fault} {}", fault.remedy());
        assert!(text.contains(&report.chain[0].sha256) && text.contains("pinned"), "{text}");
    }
    // The authority's own certificate in place of the server's is one too, and a CA.
    let report = look(made().authority.certificate());
    assert!(matches!(report.faults[0], Fault::SelfSigned { .. }), "{:?}", report.faults);
    assert!(report.faults.iter().any(|fault| matches!(fault, Fault::IsAuthority { .. })));
}

#[test]
fn what_was_given_as_ca_may_be_none() {
    let ca = Some(made().gateway.certificate.as_str());
    let expected = Expected { ca, ..expected(Role::Frontend, Some(SERVER)) };
    let report = inspect(&made().frontend.certificate, &expected).unwrap();
    assert!(matches!(only(&report), Fault::NoAuthority { .. }));
}

#[test]
fn uses_names_and_flags_are_looked_at() {
    let pem = changed(|params| params.extended_key_usages.truncate(1));
    let report = look(&pem);
    assert!(only(&report).to_string().contains("may not be used as a client"));
    let pem = changed(|params| {
        params.extended_key_usages.remove(0);
    });
    let report = look(&pem);
    assert!(only(&report).to_string().contains("may not be used as a server"));
    let pem = changed(|params| params.subject_alt_names.clear());
    let report = look(&pem);
    let fault = only(&report);
    assert!(
        matches!(fault, Fault::NoName { .. }) && fault.to_string().contains("(SAN)"),
        "{fault}"
    );
    let pem = changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let report = look(&pem);
    assert!(matches!(only(&report), Fault::IsAuthority { .. }));

    let report = look(&made().gateway.certificate);
    assert!(
        only(&report).to_string().contains("is not for \"VelociraptorServer\" but for GRPC_GW")
    );
    let report =
        inspect(&made().users[0].1.certificate, &expected(Role::Api, Some("alice"))).unwrap();
    assert!(matches!(only(&report), Fault::OtherName { .. }));
    let report =
        inspect(&made().gui.as_ref().unwrap().certificate, &expected(Role::Gui, Some("b.example")))
            .unwrap();
    assert!(only(&report).to_string().contains("gui.example.com, 192.0.2.7"));
    let report = inspect(&made().frontend.certificate, &expected(Role::Authority, None)).unwrap();
    assert!(report.faults.iter().any(|fault| matches!(fault, Fault::NotAuthority { .. })));
}

#[test]
fn keys_are_looked_at() {
    let curve = KeyPair::generate().unwrap();
    let report = look(&signed(|_| {}, &curve));
    assert!(only(&report).to_string().contains("an elliptic curve with 256 bits"));

    let other = Some(&made().gateway.key);
    let expected = Expected { key: other, ..expected(Role::Frontend, Some(SERVER)) };
    let report = inspect(&made().frontend.certificate, &expected).unwrap();
    assert!(matches!(only(&report), Fault::OtherKey { .. }));
    let pem = secret::Secret::new(curve.serialize_pem());
    let report =
        inspect(&made().frontend.certificate, &Expected { key: Some(&pem), ..expected }).unwrap();
    assert!(only(&report).to_string().contains("PKCS#8"), "{}", only(&report));
}

/// RSA with 1024 bits cannot be made here, so this one is a recorded certificate. Its key is gone.
#[test]
fn a_short_key_is_weak() {
    let report =
        inspect(SHORT, &Expected { ca: None, ..expected(Role::Api, Some("short")) }).unwrap();
    assert!(report.faults.contains(&Fault::WeakKey { bits: 1024 }), "{:#?}", report.faults);
}

const SHORT: &str = "\
-----BEGIN CERTIFICATE-----
MIICKjCCAZOgAwIBAgIUTa3Phrtd7kS0D65C0Pib5kK97OAwDQYJKoZIhvcNAQEL
BQAwJzEVMBMGA1UECgwMVmVsb2NpcmFwdG9yMQ4wDAYDVQQDDAVzaG9ydDAeFw0y
NjExMjExODQ3NTJaFw0zNjExMTgxODQ3NTJaMCcxFTATBgNVBAoMDFZlbG9jaXJh
cHRvcjEOMAwGA1UEAwwFc2hvcnQwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGB
ALpaz0ebjFO7OjugSxVqBr+hrA5yyMItdA11d5cJ1Z+GDjOEbsSJmF+0nTdgG0sR
UiFcQ6aKc1lG9N66LAAmb/20cAE5KdDfq+v8RtqqZz/pziq82sMWZ/Tuz1HzEGLi
MoI5s00F5d+mg2OlH6mOkbnWSCniwiqS7ibhn/pQ+AqzAgMBAAGjUzBRMB0GA1Ud
DgQWBBReIqPwg00zo7HwmqftNQPT0XwQtjAfBgNVHSMEGDAWgBReIqPwg00zo7Hw
mqftNQPT0XwQtjAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4GBAEAJ
i5j1/e68WrUynq1TEPt5Ek/Szg+79YlMUnOz29l/r6bUb4pl8Ofv0vi1VTV5J0ES
ILYSnZgv3Ej27OuYA3s7MliS3N46AK3NEqC3wAlfVWjOrSheoJ96pFFHl0Up9UYO
04LxkwzsD2j9lXSx7d3xRuWR2AVBHIUHtLB8C8ko
-----END CERTIFICATE-----
";
