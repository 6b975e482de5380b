//! Rotation under the same authority.

use jiff::{SignedDuration, Timestamp};
use pki::{
    AltName, Expected, Held, Keys, Note, Pair, Pinned, Plan, Profile, Role, RotationError,
    Validity, inspect, summaries,
};

use crate::bed::{days, made, names, stranger};

fn held() -> Vec<Held> {
    let made = made();
    let one = |role, pair: &Pair| Held { role, pair: pair.clone() };
    vec![
        one(Role::Frontend, &made.frontend),
        one(Role::Gateway, &made.gateway),
        one(Role::Api, &made.users[0].1),
        one(Role::Gui, made.gui.as_ref().unwrap()),
    ]
}

fn plan(held: Vec<Held>, keys: Keys) -> Result<Plan<'static>, RotationError> {
    Plan::new(&made().authority, &Pinned::default(), held, keys, days(90))
}

#[test]
fn d47_with_new_keys_everything_changes_but_names_and_authority() {
    let plan = plan(held(), Keys::New).unwrap();
    assert_eq!(
        plan.notes(),
        [Note::Restart, Note::AgentsWait, Note::KeepOldKey, Note::NoncesExplicit, Note::NotRevoked]
    );
    let planned = plan.planned().to_vec();
    let rotated = plan.carry_out().unwrap();
    assert_eq!(rotated.len(), 4);
    for ((planned, rotated), held) in planned.iter().zip(&rotated).zip(held()) {
        assert_eq!((planned.role, rotated.role), (held.role, held.role));
        assert_eq!(rotated.old.certificate, held.pair.certificate);
        assert_eq!(rotated.old.key.expose(), held.pair.key.expose());
        assert_ne!(rotated.new.key.expose(), held.pair.key.expose());
        let (old, new) = (
            &summaries(&rotated.old.certificate).unwrap()[0],
            &summaries(&rotated.new.certificate).unwrap()[0],
        );
        assert_eq!(*old, planned.old);
        assert_eq!(
            (&old.subject, &old.names, &old.issuer),
            (&new.subject, &new.names, &new.issuer)
        );
        assert_eq!(new.not_after, planned.not_after);
        assert!(old.serial != new.serial);
        let expected = Expected {
            role: rotated.role,
            ca: Some(made().authority.certificate()),
            name: None,
            key: Some(&rotated.new.key),
            now: Timestamp::now(),
        };
        let report = inspect(&rotated.new.certificate, &expected).unwrap();
        assert_eq!(report.faults, []);
    }
}

#[test]
fn keys_that_are_kept_are_kept() {
    let mut held = held();
    held.truncate(2);
    let plan = plan(held, Keys::Keep).unwrap();
    assert_eq!(plan.notes(), [Note::Restart, Note::AgentsWait]);
    for rotated in plan.carry_out().unwrap() {
        assert_eq!(rotated.new.key.expose(), rotated.old.key.expose());
        assert_ne!(rotated.new.certificate, rotated.old.certificate);
        assert!(made().authority.has_signed(&rotated.new.certificate).unwrap());
    }
}

/// D-47: a rotation that loses names or takes its own idea of the time.
#[test]
fn d47_names_beyond_the_pinned_one_are_not_lost_and_the_time_is_what_was_asked_for() {
    let pinned = Pinned::default();
    let profile = Profile::frontend(&pinned).also(&names()).unwrap();
    let pair = made().authority.issue(&profile, days(3)).unwrap();
    let plan = plan(vec![Held { role: Role::Frontend, pair }], Keys::Keep).unwrap();
    let mut wanted = vec![AltName::Dns(pki::SERVER.to_owned())];
    wanted.extend(names());
    assert_eq!(plan.planned()[0].profile.names(), wanted);
    let new = plan.carry_out().unwrap().remove(0).new;
    let says = &summaries(&new.certificate).unwrap()[0];
    assert_eq!(says.names, ["VelociraptorServer", "gui.example.com", "192.0.2.7", "2001:db8::7"]);
    let days_left = says.not_after.duration_since(Timestamp::now()).as_hours() / 24;
    assert!((89..=90).contains(&days_left), "{days_left}");
}

#[test]
fn what_cannot_be_rotated_is_refused_before_anything_is_made() {
    assert_eq!(plan(Vec::new(), Keys::New).unwrap_err(), RotationError::Nothing);

    let strangers = Plan::new(stranger(), &Pinned::default(), held(), Keys::New, days(90));
    let error = strangers.unwrap_err();
    assert!(matches!(error, RotationError::OtherAuthority { role: Role::Frontend, .. }), "{error}");
    assert!(error.to_string().contains(&stranger().summary().sha256), "{error}");

    let mut mixed = held();
    mixed[0].pair.key = mixed[1].pair.key.clone();
    let error = plan(mixed, Keys::New).unwrap_err();
    assert!(matches!(error, RotationError::OtherKey { role: Role::Frontend, .. }), "{error}");

    let mut swapped = held();
    swapped[0].role = Role::Gateway;
    let error = plan(swapped, Keys::New).unwrap_err();
    assert!(error.to_string().contains("\"GRPC_GW\" was expected"), "{error}");

    let ca = Pair {
        certificate: made().authority.certificate().to_owned(),
        key: made().authority.key().clone(),
    };
    let error = plan(vec![Held { role: Role::Authority, pair: ca }], Keys::New).unwrap_err();
    assert_eq!(error, RotationError::Authority);

    // The server's certificate as a user's would make a superuser out of an API file.
    let mut as_user = held();
    as_user[0].role = Role::Api;
    let error = plan(as_user, Keys::New).unwrap_err();
    assert!(error.to_string().contains("reserved"), "{error}");

    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let long = Validity::days(tomorrow, 3650).unwrap();
    let error = Plan::new(&made().authority, &Pinned::default(), held(), Keys::New, long);
    let error = error.unwrap_err();
    assert!(error.to_string().contains("its CA ends on"), "{error}");
}
