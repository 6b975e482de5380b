//! What the tests share: one deployment's material, for keys take their time.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use pki::{
    AUTHORITY_DAYS, AltName, Authority, Material, Order, Pinned, Profile, UserName, Validity,
    make_all,
};

/// Material that was made a moment ago, for one user and a GUI with names of its own.
pub(crate) fn made() -> &'static Material {
    static MADE: OnceLock<Material> = OnceLock::new();
    MADE.get_or_init(|| make_all(&order()).unwrap())
}

/// Another deployment's authority: of the same name, with another key.
pub(crate) fn stranger() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(|| Authority::make(days(AUTHORITY_DAYS)).unwrap())
}

pub(crate) fn order() -> Order {
    Order {
        users: vec![user("megaraptor")],
        gui: names(),
        authority: days(AUTHORITY_DAYS),
        validity: days(365),
        pinned: Pinned::default(),
    }
}

pub(crate) fn names() -> Vec<AltName> {
    ["gui.example.com", "192.0.2.7", "[2001:db8::7]"]
        .iter()
        .map(|name| AltName::parse(name).unwrap())
        .collect()
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name, &Pinned::default()).unwrap()
}

pub(crate) fn days(days: u16) -> Validity {
    Validity::days(Timestamp::now(), days).unwrap()
}

/// The authority's certificate for its server with the server's key, as if made `days` from now.
pub(crate) fn server_made_in(days: i64, holds: u16) -> String {
    let made = made();
    let at = Timestamp::now() + SignedDuration::from_hours(days * 24);
    let key = pki::RsaKey::parse(&made.frontend.key).unwrap();
    let validity = Validity::days(at, holds).unwrap();
    made.authority.certify(&Profile::frontend(&Pinned::default()), validity, &key).unwrap()
}
