//! Certificates as Velociraptor takes them: made, inspected and rotated.
//!
//! Bytes in, bytes out: nothing here reads a file, a clock or an environment, and nothing waits.
//! Keys are RSA-2048 in PKCS#1 PEM, because the server reads no other form, and they live in
//! [`secret::Secret`]. A certificate is proved against its authority before it is handed out.
//!
//! Making an RSA key takes a core for a tenth of a second, with bad luck for a whole one. Whoever
//! calls from async code does it through `spawn_blocking`.
//!
//! ```
//! use jiff::Timestamp;
//! use pki::{Order, Pinned, UserName, Validity, make_all};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now, pinned) = (Timestamp::now(), Pinned::default());
//! let made = make_all(&Order {
//!     users: vec![UserName::parse("megaraptor", &pinned)?],
//!     gui: Vec::new(),
//!     authority: Validity::days(now, pki::AUTHORITY_DAYS)?,
//!     validity: Validity::days(now, 365)?,
//!     pinned,
//! })?;
//! assert!(made.frontend.key.expose().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
//! # Ok(())
//! # }
//! ```

mod authority;
mod inspect;
mod issue;
mod key;
mod make;
mod name;
mod pem;
mod profile;
mod rotation;
mod shown;
mod validity;

pub use authority::{Authority, LoadError};
pub use inspect::{
    Expected, Fault, InspectError, KeyKind, Report, Summary, Trust, inspect, summaries,
};
pub use issue::{IssueError, Pair};
pub use key::{KeyError, RsaKey};
pub use make::{Material, Order, make_all};
pub use name::{AltName, GATEWAY, NameError, Pinned, SERVER, UserName};
pub use pem::{PemError, certificate_pem};
pub use profile::{Profile, Role};
pub use rotation::{Held, Keys, Note, Plan, Planned, Rotated, RotationError};
pub use validity::{AUTHORITY_DAYS, BACK_DATED, MOST_DAYS, Validity, ValidityError};
